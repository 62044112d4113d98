//! Whatever comes in, an answer goes out.

use axum::http::Method;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;
use testkit::garbage::{Sample, assert_survived};

use crate::client;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whatever_comes_in_an_answer_goes_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client(&world);
    let search = format!("/api/flights/search?departure=ICN&arrival=NRT&date={}", world.day(3));
    let samples = [search.as_str(), "/api/airports", "/api/flights/featured", "/api/flights/promotions"]
        .map(|path| Sample { method: Method::GET, path: path.to_owned(), body: None });
    assert_survived(&world.db, &samples, 150, async |request| request.by(&client).await).await;
}
