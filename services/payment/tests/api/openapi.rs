//! The description of the API, as it is committed and as it is served.

use payment_service::api;
use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::description::assert_committed_and_complete;

use crate::support::Service;

#[test]
fn the_committed_description_is_the_current_one() {
    assert_committed_and_complete(&api().into_openapi(), include_str!("../../openapi.json"));
}

#[test]
fn the_webhook_is_described_as_the_provider_calls_it() {
    let description = serde_json::to_value(api().into_openapi()).unwrap();
    let webhook = &description["paths"]["/api/payments/webhook"]["post"];
    let bodies: Vec<&String> = webhook["requestBody"]["content"].as_object().unwrap().keys().collect();
    assert_eq!(bodies, ["application/json", "application/x-www-form-urlencoded"]);
    let headers: Vec<&Value> = webhook["parameters"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(headers, ["Bootpay-Signature", "X-Bootpay-Signature"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_description_is_served(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let served = Service::start(database).client.get("/openapi.json").await.expect(200);
    assert_eq!(served, serde_json::to_value(api().into_openapi()).unwrap());
}
