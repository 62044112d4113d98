//! `GET /api/admin/health`: alive, whatever it depends on.

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::outage::{dead_cache, dead_database};
use crate::support::Service;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn is_healthy_with_and_without_what_it_depends_on(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let mut lonely = world.clone();
    (lonely.db, lonely.cache) = (dead_database(), dead_cache());
    for world in [world, lonely] {
        let body = Service::with(world, None).client.get("/api/admin/health").await.expect(200);
        assert_eq!(body, json!({"status": "healthy", "service": "admin-service", "port": 5004}));
    }
}
