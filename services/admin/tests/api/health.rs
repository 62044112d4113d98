//! `GET /api/admin/health`: alive, whatever it depends on.

use std::time::Duration;

use common::cache::Cache;
use common::db;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::support::Service;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn is_healthy_with_and_without_what_it_depends_on(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let mut lonely = world.clone();
    let nowhere = MySqlConnectOptions::new().host("127.0.0.1").port(1).username("nobody").database("nothing");
    lonely.db = db::pool_options().acquire_timeout(Duration::from_millis(200)).connect_lazy_with(nowhere);
    lonely.cache = Cache::absent();
    for world in [world, lonely] {
        let body = Service::with(world, None).client.get("/api/admin/health").await.expect(200);
        assert_eq!(body, json!({"status": "healthy", "service": "admin-service", "port": 5004}));
    }
}
