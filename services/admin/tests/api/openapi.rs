//! The description of the API: committed, served, and complete.

use admin_service::api;
use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::description::assert_committed_and_complete;

use crate::support::Service;

#[test]
fn the_committed_description_is_the_current_one() {
    assert_committed_and_complete(&api().into_openapi(), include_str!("../../openapi.json"));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_description_is_served(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let body = Service::start(database).client.get("/openapi.json").await.expect(200);
    assert_eq!(body, serde_json::from_str::<Value>(include_str!("../../openapi.json")).unwrap());
}
