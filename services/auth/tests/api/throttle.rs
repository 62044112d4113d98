//! How often a wrong password may be tried.

use std::collections::BTreeMap;

use auth_service::Limits;
use chrono::TimeDelta;
use common::cache::Cache;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, World};

use crate::outage::dead_cache;
use crate::{client_with, limited, patient, somebody};

const LOGIN: &str = "/api/auth/login";

fn credentials(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password})
}

async fn fail(client: &Client, email: &str, times: usize) {
    for _ in 0..times {
        client.post(LOGIN, &credentials(email, "wrong")).await.refused(401, "wrong-credentials");
    }
}

async fn refuses_after_thirty(world: &World, client: &Client) {
    let _ = client.post("/api/auth/signup", &somebody("kim@example.com")).await.expect(201);
    for email in ["kim@example.com", "nobody@example.com"] {
        fail(client, email, 29).await;
        fail(client, &email.to_uppercase(), 1).await;
        for password in ["wrong", "Passw0rd!"] {
            let answer = client.post(LOGIN, &credentials(email, password)).await;
            let wait = answer.headers["retry-after"].to_str().ok().and_then(|wait| wait.parse().ok());
            assert!(wait.is_some_and(|wait: u64| (1..=61).contains(&wait)), "{wait:?}");
            answer.refused(429, "too-many-attempts");
        }
    }
    let english = client.in_english().post(LOGIN, &credentials("kim@example.com", "x")).await.expect(429);
    assert_eq!(english["message"], "There were too many attempts to log in. Please try again later.");
    fail(client, "other@example.com", 1).await;
    world.pass(TimeDelta::seconds(61));
    let _ = client.post(LOGIN, &credentials("kim@example.com", "Passw0rd!")).await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_after_thirty_wrong_passwords_in_a_minute(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    refuses_after_thirty(&world, &limited(&world, &patient())).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_after_thirty_also_without_redis(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    refuses_after_thirty(&world, &client_with(&world, world.db.clone(), dead_cache(), &patient())).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_right_password_within_the_limit_starts_anew(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    for cache in [world.cache.clone(), Cache::absent()] {
        let client = client_with(&world, world.db.clone(), cache, &Limits { login_attempts: 5, ..patient() });
        let _ = client.post("/api/auth/signup", &somebody("kim@example.com")).await;
        for _ in 0..3 {
            fail(&client, "kim@example.com", 4).await;
            let _ = client.post(LOGIN, &credentials("KIM@example.com", "Passw0rd!")).await.expect(200);
        }
        fail(&client, "kim@example.com", 5).await;
        client.post(LOGIN, &credentials("kim@example.com", "Passw0rd!")).await.refused(429, "too-many-attempts");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_crowd_of_wrong_ones_gets_no_more_tries(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    for (email, cache) in [("kim@example.com", world.cache.clone()), ("park@example.com", Cache::absent())] {
        let client = client_with(&world, world.db.clone(), cache, &patient());
        let _ = client.post("/api/auth/signup", &somebody(email)).await.expect(201);
        assert_eq!(crowd(&client, 60, email, "wrong").await, BTreeMap::from([(401, 30), (429, 30)]));
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_crowd_of_right_ones_is_not_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = limited(&world, &patient());
    let _ = client.post("/api/auth/signup", &somebody("kim@example.com")).await.expect(201);
    assert_eq!(crowd(&client, 60, "kim@example.com", "Passw0rd!").await, BTreeMap::from([(200, 60)]));
}

/// The statuses of `size` log-ins at once.
async fn crowd(client: &Client, size: usize, email: &'static str, password: &'static str) -> BTreeMap<u16, usize> {
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..size {
        let client = client.clone();
        crowd.spawn(async move { client.post(LOGIN, &credentials(email, password)).await.status.as_u16() });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(status) = crowd.join_next().await {
        *outcomes.entry(status.expect("an answer")).or_insert(0) += 1;
    }
    outcomes
}
