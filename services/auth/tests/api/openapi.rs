//! The description of the API, as it is committed.

use std::collections::BTreeSet;

use auth_service::api;
use serde_json::Value;

#[test]
fn the_committed_description_is_the_current_one() {
    let current = format!("{}\n", api().into_openapi().to_pretty_json().unwrap());
    assert!(current == include_str!("../../openapi.json"), "run `cargo xtask generate`");
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
