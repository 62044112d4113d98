//! The description of the API: committed, served, and complete.

use std::collections::BTreeSet;

use booking_service::{Booking, api};
use common::service::Service as _;
use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::Service;

#[test]
fn the_committed_description_is_the_generated_one() {
    let generated = Booking::openapi().to_pretty_json().unwrap();
    let up_to_date = include_str!("../../openapi.json").trim_end() == generated;
    assert!(up_to_date, "write it anew: booking-service --openapi > services/booking/openapi.json");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_description_is_served(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let body = Service::start(database).client.get("/openapi.json").await.expect(200);
    assert_eq!(body, serde_json::from_str::<Value>(include_str!("../../openapi.json")).unwrap());
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_answers() {
    let description = serde_json::to_value(api().into_openapi()).unwrap();
    assert_eq!(description["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{method} {path}: {name} again");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let shape = if status.starts_with('2') { "application/json" } else { "application/problem+json" };
                assert!(answer["content"][shape]["schema"] != Value::Null, "{method} {path} {status}");
            }
        }
    }
}
