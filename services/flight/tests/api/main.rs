//! The flight service through its front door: HTTP in, JSON out, on a real database and a real Redis.

#![expect(clippy::unwrap_used, reason = "a test that can't go on stops where it stands")]

mod airports;
mod cache;
mod featured;
mod garbage;
mod health;
mod http;
mod openapi;
mod outage;
mod promotions;
mod search;
mod settings;

use std::time::Duration;

use common::cache::Cache;
use common::config::Redis;
use common::http::{Envelope, wrap};
use common::service::Service as _;
use flight_service::{App, Flight, SearchTtl};
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, World};

/// The service in `world`, as `main` serves it.
fn client(world: &World) -> Client {
    client_with(world, world.cache.clone(), 300)
}

/// The service in `world`, with another cache that remembers for `ttl` seconds.
fn client_with(world: &World, cache: Cache, ttl: u64) -> Client {
    let app = App {
        db: world.db.clone(),
        cache,
        clock: world.clock.clone(),
        search_ttl: SearchTtl(Duration::from_secs(ttl)),
    };
    let envelope = Envelope { service: Flight::NAME, timeout: Flight::TIMEOUT, trusted_proxy_hops: 0 };
    Client::anonymous(wrap(flight_service::router(app), envelope))
}

/// `world`, cut off from its database.
fn without_database(mut world: World) -> World {
    world.db = MySqlPoolOptions::new()
        .acquire_timeout(Duration::from_millis(300))
        .connect_lazy_with(MySqlConnectOptions::new().host("127.0.0.1").port(1).username("nobody"));
    world
}

/// The address of the tests' Redis.
fn redis() -> Redis {
    let variables = common::config::environment();
    Redis {
        host: Some(variables.get("REDIS_HOST").cloned().unwrap_or_else(|| "127.0.0.1".to_owned())),
        port: variables.get("REDIS_PORT").and_then(|p| p.parse().ok()).unwrap_or(6379),
        db: 0,
        password: variables.get("REDIS_PASSWORD").map(|p| p.as_str().into()),
        ssl: false,
    }
}

/// Changes schedule `id` by hand, as an operator would.
async fn by_hand(db: &MySqlPool, statement: &'static str, id: i64) {
    let changed = sqlx::query(statement).bind(id).execute(db).await.unwrap().rows_affected();
    assert_eq!(changed, 1, "{statement}");
}

/// Claims `quantity` seats of schedule `id`, held for `seconds` from now.
async fn hold(db: &MySqlPool, id: i64, quantity: i64, seconds: i64) {
    sqlx::query(
        "insert into claims (hold_id, pool_id, owner_id, quantity, state, held_until)
         values (unhex(replace(uuid(), '-', '')), ?, 1, ?, 'HELD', now(6) + interval ? second)",
    )
    .bind(id)
    .bind(quantity)
    .bind(seconds)
    .execute(db)
    .await
    .unwrap();
}
