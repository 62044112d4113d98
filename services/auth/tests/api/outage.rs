//! What is left when the database or the cache is away.

use std::time::Duration;

use auth_service::Limits;
use common::cache::Cache;
use common::config::Redis;
use common::db;
use serde_json::json;
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::{client_with, somebody};

/// A database that isn't there.
pub(crate) fn dead_database() -> MySqlPool {
    let nowhere = MySqlConnectOptions::new().host("127.0.0.1").port(1).username("nobody").database("nothing");
    db::pool_options().acquire_timeout(Duration::from_millis(200)).connect_lazy_with(nowhere)
}

/// A cache that isn't there.
pub(crate) fn dead_cache() -> Cache {
    let nowhere = Redis { host: Some("127.0.0.1".to_owned()), port: 1, db: 0, password: None, ssl: false };
    Cache::new(&nowhere).expect("an address")
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_database_everything_is_unavailable_and_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client_with(&world, dead_database(), world.cache.clone(), &Limits::default());
    let session = client.signed_in(&world.token(1));
    for answer in [
        client.post("/api/auth/signup", &somebody("kim@example.com")).await,
        client.post("/api/auth/login", &json!({"email": "kim@example.com", "password": "Passw0rd!"})).await,
        session.get("/api/auth/profile").await,
        session.put("/api/user/profile", &json!({"name": "이산"})).await,
    ] {
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert!(answer.headers.contains_key("retry-after"));
        let told = answer.body.to_string().to_lowercase();
        assert!(!["127.0.0.1", "sql", "pool"].iter().any(|detail| told.contains(detail)), "{told}");
        answer.refused(503, "unavailable");
    }
    client.get("/api/auth/profile").await.refused(401, "unauthorized");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_cache_nothing_is_missing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    for (email, cache) in [("kim@example.com", dead_cache()), ("park@example.com", Cache::absent())] {
        let client = client_with(&world, world.db.clone(), cache, &Limits::default());
        let _ = client.post("/api/auth/signup", &somebody(email)).await.expect(201);
        let credentials = json!({"email": email, "password": "Passw0rd!"});
        let body = client.post("/api/auth/login", &credentials).await.expect(200);
        let session = client.signed_in(body["token"].as_str().unwrap());
        let _ = session.get("/api/auth/profile").await.expect(200);
        let _ = session.put("/api/auth/profile", &json!({"name": "이산"})).await.expect(200);
    }
}
