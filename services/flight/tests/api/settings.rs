//! The service's settings.

use std::collections::BTreeMap;
use std::time::Duration;

use common::config;
use flight_service::{SearchTtl, Settings};

fn load(more: &[(&str, &str)]) -> Result<Settings, String> {
    let needed = [("DB_HOST", "db"), ("DB_USER", "u"), ("DB_PASSWORD", "p"), ("DB_NAME", "n")];
    let variables: BTreeMap<String, String> =
        needed.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    config::load(&[], &variables).map_err(|e| e.to_string())
}

#[test]
fn have_the_contracts_defaults() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.port, 5002);
    assert_eq!(settings.search_ttl(), SearchTtl(Duration::from_mins(5)));
}

#[test]
fn come_from_the_environment() {
    let settings = load(&[("FLIGHT_SERVICE_PORT", "6002"), ("SEARCH_CACHE_TTL", "60")]).unwrap();
    assert_eq!((settings.port, settings.search_ttl()), (6002, SearchTtl(Duration::from_mins(1))));
}

#[test]
fn refuse_what_makes_no_sense() {
    for ttl in ["0", "-1", "five", "5m", "86401"] {
        let error = load(&[("SEARCH_CACHE_TTL", ttl), ("FLIGHT_SERVICE_PORT", "tcp://10.0.0.1:80")]).unwrap_err();
        assert!(error.contains("SEARCH_CACHE_TTL") && error.contains("FLIGHT_SERVICE_PORT"), "{error}");
    }
}
