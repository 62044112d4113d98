//! What is left when the database or the cache is away.

use std::time::Duration;

use auth_service::Limits;
use common::cache::Cache;
use common::{config, db};
use serde_json::json;
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Cable, Condition, Redis, World, outage, seed};

use crate::{client_with, somebody};

/// A database that isn't there.
pub(crate) fn dead_database() -> MySqlPool {
    let nowhere = MySqlConnectOptions::new().host("127.0.0.1").port(1).username("nobody").database("nothing");
    db::pool_options().acquire_timeout(Duration::from_millis(200)).connect_lazy_with(nowhere)
}

/// A cache that isn't there.
pub(crate) fn dead_cache() -> Cache {
    let nowhere = config::Redis { host: Some("127.0.0.1".to_owned()), port: 1, db: 0, password: None, ssl: false };
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

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_database_that_goes_and_comes_back_needs_no_restart(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let cable = Cable::to_database(&database).await;
    let world = World::new(database.clone());
    let id = seed::user(&world.db).await;
    let whole = client_with(&world, world.db.clone(), world.cache.clone(), &Limits::default());
    let _ = whole.post("/api/auth/signup", &somebody("kim@example.com")).await.expect(201);
    let client = client_with(&world, cable.pool(database, 5), world.cache.clone(), &Limits::default());
    let session = client.signed_in(&world.token(id));
    let (credentials, name) = (json!({"email": "kim@example.com", "password": "Passw0rd!"}), json!({"name": "이산"}));
    outage::assert_survived(&cable, async |status| {
        let (entered, shown, changed) = tokio::join!(
            client.post("/api/auth/login", &credentials),
            session.get("/api/auth/profile"),
            session.put("/api/user/profile", &name),
        );
        for answer in [entered, shown, changed] {
            outage::assert_answered(answer, status);
        }
        if status == 503 {
            outage::assert_answered(client.post("/api/auth/signup", &somebody("park@example.com")).await, status);
        }
    })
    .await;
}

/// Whether wrong passwords are still refused and limited, and a right one lets in.
async fn assert_guarded(world: &World, cache: Cache, email: &str) {
    let client = client_with(world, world.db.clone(), cache, &Limits { login_attempts: 2, ..Limits::default() });
    let _ = client.post("/api/auth/signup", &somebody(email)).await.expect(201);
    let attempt = async |password: &str| {
        client.post("/api/auth/login", &json!({"email": email, "password": password})).await.status.as_u16()
    };
    assert_eq!(attempt("Passw0rd!").await, 200);
    let mut answers = Vec::new();
    // Two counts at most: the shared one, and this process's own while that can't be asked.
    for _ in 0..5 {
        answers.push(attempt("wrong").await);
    }
    assert_eq!((answers[0], answers[4]), (401, 429), "{answers:?}");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn attempts_are_limited_whatever_the_cache_is_like(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let mut redis = Redis::start().await;
    let cable = Cable::to("127.0.0.1", redis.port()).await;
    for bad in [Condition::Cut, Condition::Losing, Condition::Tearing(3), Condition::Slow(Duration::from_secs(5))] {
        cable.becomes(bad).await;
        assert_guarded(&world, cable.cache(), &format!("{}@example.com", format!("{bad:?}").replace(['(', ')'], "")))
            .await;
    }
    redis.tell(&["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_guarded(&world, redis.cache(), "full@example.com").await;
    redis.restart().await;
    redis.tell(&["REPLICAOF", "127.0.0.1", "1"]).await;
    assert_guarded(&world, redis.cache(), "replica@example.com").await;
    redis.restart().await;
    redis.tell(&["CONFIG", "SET", "requirepass", "hush-hush"]).await;
    assert_guarded(&world, redis.cache(), "closed@example.com").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_count_that_is_none_of_ours_locks_nobody_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let redis = Redis::start().await;
    let client =
        client_with(&world, world.db.clone(), redis.cache(), &Limits { login_attempts: 2, ..Limits::default() });
    let _ = client.post("/api/auth/signup", &somebody("kim@example.com")).await.expect(201);
    let attempt = async |password: &str| {
        client.post("/api/auth/login", &json!({"email": "kim@example.com", "password": password})).await.status.as_u16()
    };
    assert_eq!(attempt("wrong").await, 401);
    let mut connection = redis.connect().await.expect("a connection");
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.expect("keys");
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    // Attempts that are yet to come, and things that are no attempts at all.
    let spoil: [&[&str]; 4] = [
        &["ZADD", key, "9e15", "a", "9e15", "b", "inf", "c"],
        &["SET", key, "nonsense"],
        &["HSET", key, "a", "hash"],
        &["RPUSH", key, "a", "list"],
    ];
    for spoil in spoil {
        redis.tell(&["DEL", key]).await;
        redis.tell(spoil).await;
        let answers = [attempt("wrong").await, attempt("wrong").await, attempt("wrong").await];
        assert_eq!(answers, [401, 401, 429], "{spoil:?}");
    }
}
