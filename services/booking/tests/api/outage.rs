//! What is left when the database or the cache is away.

use std::time::{Duration, Instant};

use common::cache::Cache;
use common::config::Redis;
use common::db;
use serde_json::Value;
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;
use tokio::net::TcpListener;

use crate::support::{Service, number, request};

/// A database that isn't there.
pub(crate) fn dead_database() -> MySqlPool {
    let nowhere = MySqlConnectOptions::new().host("127.0.0.1").port(1).username("nobody").database("nothing");
    db::pool_options().acquire_timeout(Duration::from_millis(200)).connect_lazy_with(nowhere)
}

/// A cache that isn't there.
pub(crate) fn dead_cache() -> Cache {
    cache_at(1)
}

fn cache_at(port: u16) -> Cache {
    Cache::new(&Redis { host: Some("127.0.0.1".to_owned()), port, db: 0, password: None, ssl: false }).unwrap()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_database_everything_is_unavailable_and_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut world = World::new(database);
    world.db = dead_database();
    let service = Service::with(world, None);
    let session = service.signed_in(1);
    for answer in [
        session.post("/api/bookings", &request(10_000_001, 1, 320_000, &["1A"])).await,
        session.get("/api/bookings").await,
        session.get("/api/bookings/CJ00000000").await,
        session.post("/api/bookings/CJ00000000/cancel", &Value::Null).await,
        service.client.get("/api/bookings/occupied-seats/10000001").await,
    ] {
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert!(answer.headers.contains_key("retry-after"));
        let told = answer.body.to_string().to_lowercase();
        assert!(!["127.0.0.1", "sql", "pool", "connection"].iter().any(|detail| told.contains(detail)), "{told}");
        answer.refused(503, "unavailable");
    }
    service.client.get("/api/bookings").await.refused(401, "unauthorized");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_cache_nothing_is_missing_and_nothing_is_slow(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    // One that takes calls and never answers them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let _taking_calls = tokio::spawn(async move {
        let mut calls = Vec::new();
        while let Ok((call, _)) = silent.accept().await {
            calls.push(call);
        }
    });
    let schedule = Service::with(world.clone(), None).schedule(180).await;
    for (n, cache) in [Cache::absent(), dead_cache(), cache_at(port)].into_iter().enumerate() {
        let mut world = world.clone();
        world.cache = cache;
        let service = Service::with(world, None);
        let buyer = service.traveller().await;
        let asked = Instant::now();
        let made = buyer.books(201, &request(schedule, 1, 320_000, &[&format!("{}A", n + 1)])).await;
        assert_eq!(buyer.newest().await["booking_number"], made["booking_number"]);
        assert_eq!(buyer.cancel(number(&made)).await, 200);
        assert!(asked.elapsed() < Duration::from_secs(3), "{n}: {:?}", asked.elapsed());
    }
}
