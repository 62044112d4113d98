//! The service's settings.

use std::collections::BTreeMap;

use booking_service::Settings;
use chrono::TimeDelta;
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
    let settings = load(&[]).unwrap();
    assert_eq!(settings.port, 5003);
    assert!(settings.orders.provider.client().unwrap().is_none());
    let terms = settings.orders.terms.terms();
    assert_eq!((terms.hold, terms.held_seats), (TimeDelta::minutes(15), 20));
    assert_eq!((terms.memory, terms.unpaid_inits), (TimeDelta::minutes(30), 5));
    assert_eq!((terms.reconcile_after, terms.reconcile_interval), (TimeDelta::minutes(30), TimeDelta::minutes(1)));
}

#[test]
fn come_from_the_environment() {
    let settings = load(&[
        ("BOOKING_SERVICE_PORT", "6003"),
        ("BOOKING_HOLD_SECONDS", "60"),
        ("UNPAID_SEATS", "9"),
        ("RECONCILE_AFTER_SECONDS", "5"),
        ("RECONCILE_INTERVAL_SECONDS", "1"),
        ("BOOTPAY_REST_APPLICATION_ID", "id"),
        ("BOOTPAY_PRIVATE_KEY", "hush"),
        ("BOOTPAY_API_URL", "http://127.0.0.1:5010/v2"),
    ])
    .unwrap();
    assert_eq!(settings.port, 6003);
    assert!(settings.orders.provider.client().unwrap().is_some());
    let terms = settings.orders.terms.terms();
    assert_eq!((terms.hold, terms.held_seats), (TimeDelta::minutes(1), 9));
    assert_eq!((terms.reconcile_after, terms.reconcile_interval), (TimeDelta::seconds(5), TimeDelta::seconds(1)));
    assert!(!format!("{settings:?}").contains("hush"));
}

#[test]
fn refuse_what_makes_no_sense_all_at_once() {
    let error = load(&[
        ("BOOKING_SERVICE_PORT", "tcp://10.0.0.1:80"),
        ("BOOKING_HOLD_SECONDS", "0"),
        ("UNPAID_SEATS", "none"),
        ("RECONCILE_AFTER_SECONDS", "-1"),
    ])
    .unwrap_err();
    for name in ["BOOKING_SERVICE_PORT", "BOOKING_HOLD_SECONDS", "UNPAID_SEATS", "RECONCILE_AFTER_SECONDS"] {
        assert!(error.contains(name), "{name}: {error}");
    }
}
