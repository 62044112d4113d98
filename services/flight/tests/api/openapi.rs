//! The description of the API: committed, served, and complete.

use std::collections::BTreeSet;

use common::service::Service as _;
use flight_service::Flight;
use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;
use testkit::description::assert_committed_and_complete;

use crate::client;

fn committed() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

#[test]
fn the_committed_description_is_the_current_one() {
    assert_committed_and_complete(&Flight::openapi(), include_str!("../../openapi.json"));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_description_is_served(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let body = client(&World::new(database)).get("/openapi.json").await.expect(200);
    assert_eq!(body, committed());
}

#[test]
fn every_operation_of_the_contract_is_described() {
    let committed = committed();
    let paths = committed["paths"].as_object().unwrap();
    let described: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    let expected = BTreeSet::from([
        "/api/flights/search",
        "/api/flights/airports",
        "/api/airports",
        "/api/flights/featured",
        "/api/flights/promotions",
        "/api/promotions",
        "/api/flights/health",
    ]);
    assert_eq!(described, expected);
}
