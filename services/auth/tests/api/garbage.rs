//! Whatever comes in, an answer goes out.

use axum::http::Method;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::garbage::{Sample, assert_survived};
use testkit::{World, seed};

use crate::{client, somebody};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whatever_comes_in_an_answer_goes_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client(&world).signed_in(&world.token(seed::user(&world.db).await));
    let sample = |method: Method, path: &str, body| Sample { method, path: path.to_owned(), body };
    let reading = [
        sample(Method::PUT, "/api/auth/profile", Some(json!({ "name": "이산", "phone": "010-1234-5678" }))),
        sample(Method::GET, "/api/user/profile", None),
    ];
    assert_survived(&world.db, &reading, 200, async |request| request.by(&client).await).await;
    // These take a core for a while.
    let hashing = [
        sample(Method::POST, "/api/auth/signup", Some(somebody("kim@example.com"))),
        sample(Method::POST, "/api/auth/login", Some(json!({ "email": "kim@example.com", "password": "Passw0rd!" }))),
    ];
    assert_survived(&world.db, &hashing, 60, async |request| request.by(&client).await).await;
}
