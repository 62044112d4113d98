//! The auth service through its front door, on a real database and a real cache.

mod access;
mod garbage;
mod health;
mod login;
mod outage;
mod profile;
mod rotation;
mod shapes;
mod signup;
mod telling;
mod throttle;
#[path = "../../src/passwords/vectors.rs"]
mod vectors;

use std::time::Duration;

use auth_service::{App, Limits, Metrics};
use common::cache::Cache;
use common::http::{Envelope, wrap};
use common::metrics::Registry;
use serde_json::{Value, json};
use sqlx::MySqlPool;
use testkit::{Client, World};

/// A client of the service in `world`.
fn client(world: &World) -> Client {
    client_with(world, world.db.clone(), world.cache.clone(), &Limits::default())
}

/// A client of the service in `world` with other limits.
fn limited(world: &World, limits: &Limits) -> Client {
    client_with(world, world.db.clone(), world.cache.clone(), limits)
}

/// A client of a service that depends on something else than `world` has.
fn client_with(world: &World, db: MySqlPool, cache: Cache, limits: &Limits) -> Client {
    let metrics = Metrics::new(&Registry::default()).expect("metrics");
    let app = App::new(db, cache, world.tokens.clone(), world.clock.clone(), limits, metrics);
    let envelope = Envelope { service: "auth-service", timeout: Duration::from_mins(5), trusted_proxy_hops: 0 };
    Client::anonymous(wrap(auth_service::router(app), envelope))
}

/// Patient limits: for crowds of log-ins on a busy machine.
fn patient() -> Limits {
    Limits { hashing_wait_ms: 60_000, ..Limits::default() }
}

/// What the browser client sends to sign up.
fn somebody(email: &str) -> Value {
    json!({"name": "김하늘", "email": email, "password": "Passw0rd!", "phone": "010-1234-5678", "birthDate": "1990-02-03"})
}

/// An account with this stored password, as an operator or the original could have left it. Answers its id.
async fn account(world: &World, email: &str, stored: &str) -> i64 {
    let id = sqlx::query("insert into users (name, email, password_hash) values ('박바다', ?, ?)")
        .bind(email)
        .bind(stored)
        .execute(&world.db)
        .await
        .expect("an account")
        .last_insert_id();
    i64::try_from(id).expect("an id")
}

/// The stored password of an account.
async fn stored(world: &World, email: &str) -> String {
    sqlx::query_scalar("select password_hash from users where email = ?")
        .bind(email)
        .fetch_one(&world.db)
        .await
        .expect("an account")
}
