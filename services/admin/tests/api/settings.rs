//! The service's settings.

use std::collections::BTreeMap;

use admin_service::Settings;
use common::config;

fn load(more: &[(&str, &str)]) -> Result<Settings, String> {
    let needed = [
        ("DB_HOST", "db"),
        ("DB_USER", "u"),
        ("DB_PASSWORD", "p"),
        ("DB_NAME", "n"),
        ("SECRET_KEY", "a-key-that-is-long-enough-to-be-one-0123"),
    ];
    let variables: BTreeMap<String, String> =
        needed.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    config::load(&[], &variables).map_err(|e| e.to_string())
}

#[test]
fn have_the_contracts_defaults() {
    assert_eq!(load(&[]).unwrap().port, 5004);
}

#[test]
fn come_from_the_environment() {
    let provider = [("BOOTPAY_REST_APPLICATION_ID", "id"), ("BOOTPAY_PRIVATE_KEY", "hush")];
    let settings = load(&[&provider[..], &[("ADMIN_SERVICE_PORT", "6004"), ("UNPAID_SEATS", "9")]].concat()).unwrap();
    assert_eq!(settings.port, 6004);
    assert!(settings.orders.provider.client().unwrap().is_some());
    assert_eq!(settings.orders.terms.terms().held_seats, 9);
    assert!(!format!("{settings:?}").contains("hush"));
}

#[test]
fn refuse_what_makes_no_sense_all_at_once() {
    let error = load(&[("ADMIN_SERVICE_PORT", "tcp://10.0.0.1:80"), ("UNPAID_SEATS", "none")]).unwrap_err();
    for name in ["ADMIN_SERVICE_PORT", "UNPAID_SEATS"] {
        assert!(error.contains(name), "{name}: {error}");
    }
}
