//! `GET /api/auth/health` and `GET /api/health`

use auth_service::Limits;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::client_with;
use crate::outage::{dead_cache, dead_database};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn lives_whatever_it_depends_on(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    for client in [crate::client(&world), client_with(&world, dead_database(), dead_cache(), &Limits::default())] {
        for path in ["/api/auth/health", "/api/health"] {
            let body = client.signed_in("nonsense").get(path).await.expect(200);
            assert_eq!(body, json!({"status": "healthy", "service": "auth-service", "port": 5001}));
        }
    }
}
