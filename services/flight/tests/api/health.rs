//! `GET /api/flights/health`: alive, whatever it depends on.

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::{client, without_database};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn is_healthy_with_and_without_its_database(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let expected = json!({"status": "healthy", "service": "flight-service", "port": 5002});
    assert_eq!(client(&world).get("/api/flights/health").await.expect(200), expected);
    assert_eq!(client(&without_database(world)).get("/api/flights/health").await.expect(200), expected);
}
