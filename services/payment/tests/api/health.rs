//! `GET /api/payments/health`

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::outage::without_database;
use crate::support::Service;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn lives_whatever_it_depends_on(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    for world in [world.clone(), without_database(world)] {
        let client = Service::with(world, None).client.signed_in("nonsense");
        let body = client.get("/api/payments/health").await.expect(200);
        assert_eq!(body, json!({ "status": "healthy", "service": "payment-service", "port": 5005 }));
    }
}
