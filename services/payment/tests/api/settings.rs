//! The service's settings.

use std::collections::BTreeMap;
use std::time::Duration;

use common::config;
use common::metrics::Registry;
use common::service::Service as _;
use payment_service::{Pauses, Payment, Settings};

fn load(more: &[(&str, &str)]) -> Result<Settings, String> {
    let needed = [("DB_HOST", "db"), ("DB_USER", "u"), ("DB_PASSWORD", "p"), ("DB_NAME", "n"), ("SECRET_KEY", "k")];
    let variables: BTreeMap<String, String> =
        needed.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    config::load(&[], &variables).map_err(|e| e.to_string())
}

#[test]
fn have_the_contracts_defaults() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.port, 5005);
    assert_eq!(settings.orders.provider.api_url, "https://api.bootpay.co.kr/v2");
    assert_eq!(settings.browser.clone().application_id(), None);
    let terms = settings.orders.terms.terms();
    assert_eq!(
        (terms.hold.num_seconds(), terms.reconcile_after.num_seconds(), terms.reconcile_interval.num_seconds()),
        (900, 1800, 60)
    );
    let seconds = Duration::from_secs;
    let pauses = Pauses {
        calls: seconds(1),
        refunds: seconds(2),
        questions: seconds(5),
        unbooked: seconds(30),
        inbox: seconds(30),
        backlog: seconds(15),
        rounds: seconds(60),
        forget: seconds(600),
    };
    assert_eq!(Pauses::of(&settings.orders.terms), pauses);
}

#[test]
fn come_from_the_environment() {
    let settings = load(&[
        ("PAYMENT_SERVICE_PORT", "6005"),
        ("RECONCILE_AFTER_SECONDS", "3"),
        ("RECONCILE_INTERVAL_SECONDS", "1"),
        ("BOOKING_HOLD_SECONDS", "7"),
    ])
    .unwrap();
    assert_eq!((settings.port, settings.orders.terms.terms().hold.num_seconds()), (6005, 7));
    let pauses = Pauses::of(&settings.orders.terms);
    assert_eq!((pauses.questions, pauses.unbooked), (Duration::from_secs(1), Duration::from_secs(3)));
}

#[test]
fn browsers_get_the_key_under_its_name_or_its_older_one() {
    let key = |more: &[(&str, &str)]| load(more).unwrap().browser.application_id();
    let (new, old) = (("BOOTPAY_APPLICATION_ID", "new"), ("BOOTPAY_REST_API_KEY", "old"));
    assert_eq!(key(&[new, old]).as_deref(), Some("new"));
    assert_eq!(key(&[old]).as_deref(), Some("old"));
    assert_eq!(key(&[("BOOTPAY_APPLICATION_ID", ""), old]).as_deref(), Some("old"));
}

#[tokio::test]
async fn half_a_pair_of_credentials_does_not_start() {
    let (id, key) = (("BOOTPAY_REST_APPLICATION_ID", "id"), ("BOOTPAY_PRIVATE_KEY", "hush-hush"));
    let start = |more: &[(&str, &str)]| {
        Payment::build(load(more).unwrap(), &Registry::default()).map(drop).map_err(|e| e.to_string())
    };
    let half = start(&[id]).unwrap_err();
    assert!(half.contains("BOOTPAY_REST_APPLICATION_ID") && half.contains("BOOTPAY_PRIVATE_KEY"), "{half}");
    for whole in [&[][..], &[key], &[id, key]] {
        start(whole).unwrap();
    }
    assert!(start(&[id, key, ("BOOTPAY_API_URL", "nowhere")]).unwrap_err().contains("BOOTPAY_API_URL"));
    assert!(!format!("{:?}", load(&[id, key]).unwrap()).contains("hush-hush"));
}

#[tokio::test]
async fn a_subscriber_is_an_address_and_a_secret_or_does_not_start() {
    let (url, secret) =
        (("NEWS_URL", "http://127.0.0.1:9/news"), ("NEWS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let jobs = |more: &[(&str, &str)]| {
        let running = Payment::build(load(more).unwrap(), &Registry::default()).map_err(|e| e.to_string())?;
        Ok::<_, String>(running.jobs.len())
    };
    let without = jobs(&[]).unwrap();
    assert_eq!(jobs(&[url, secret]).unwrap(), without + 2, "somebody sends, and measures what is sent");
    for half in [url, secret] {
        let error = jobs(&[half]).unwrap_err();
        assert!(error.contains("NEWS_URL") && error.contains("NEWS_SECRET"), "{error}");
    }
    assert!(jobs(&[url, ("NEWS_SECRET", "hush-hush")]).unwrap_err().contains("NEWS_SECRET"));
    assert!(jobs(&[("NEWS_URL", "nowhere"), secret]).unwrap_err().contains("NEWS_URL"));
    assert!(!format!("{:?}", load(&[url, ("NEWS_SECRET", "hush-hush")]).unwrap()).contains("hush-hush"));
}

#[test]
fn refuse_what_makes_no_sense() {
    let error = load(&[
        ("PAYMENT_SERVICE_PORT", "tcp://10.0.0.1:80"),
        ("RECONCILE_AFTER_SECONDS", "0"),
        ("RECONCILE_INTERVAL_SECONDS", "often"),
        ("BOOKING_HOLD_SECONDS", "-1"),
    ])
    .unwrap_err();
    for name in
        ["PAYMENT_SERVICE_PORT", "RECONCILE_AFTER_SECONDS", "RECONCILE_INTERVAL_SECONDS", "BOOKING_HOLD_SECONDS"]
    {
        assert!(error.contains(name), "{name} in {error}");
    }
}
