//! The settings of every service that works with orders: where the provider is, and the airline's terms.
//!
//! Services flatten [`OrderSettings`] into their own, so that the same names mean the same everywhere.

use bootpay::{Client, Config, ConfigError};
use chrono::TimeDelta;
use clap::Args;
use common::cache::Cache;
use common::chance::Chance;
use common::clock::Clock;
use common::metrics::Registry;
use common::service::StartError;
use secrecy::SecretString;
use sqlx::MySqlPool;

use crate::{Orders, Terms};

/// What an order desk needs to be told.
#[derive(Args, Clone, Debug)]
pub struct OrderSettings {
    /// Where payments are looked up and refunded.
    #[command(flatten)]
    pub provider: ProviderSettings,
    /// The airline's terms.
    #[command(flatten)]
    pub terms: TermsSettings,
}

impl OrderSettings {
    /// The order desk of a service with this database, cache and clock, which declares in `metrics` what it counts.
    pub fn desk(&self, db: &MySqlPool, cache: &Cache, clock: &Clock, metrics: &Registry) -> Result<Orders, StartError> {
        Ok(Orders {
            db: db.clone(),
            cache: cache.clone(),
            clock: clock.clone(),
            chance: Chance::system(),
            provider: self.provider.client()?,
            terms: self.terms.terms(),
            metrics: crate::Metrics::new(metrics)?,
        })
    }
}

/// Where payments are looked up and refunded, and who we are there.
#[derive(Args, Clone, Debug)]
pub struct ProviderSettings {
    /// Base address of the payment provider's REST API, version included.
    #[arg(
        id = "bootpay-api-url",
        long = "bootpay-api-url",
        env = "BOOTPAY_API_URL",
        default_value = "https://api.bootpay.co.kr/v2",
        value_name = "URL"
    )]
    pub api_url: String,
    /// Id of our server at the payment provider; not what browsers get. Unset: payments can't be looked up.
    #[arg(
        id = "bootpay-rest-application-id",
        long = "bootpay-rest-application-id",
        env = "BOOTPAY_REST_APPLICATION_ID",
        value_name = "ID"
    )]
    pub rest_application_id: Option<String>,
    /// The private key that belongs to that id, and that signs webhooks. Alone, it only verifies signatures.
    #[arg(
        id = "bootpay-private-key",
        long = "bootpay-private-key",
        env = "BOOTPAY_PRIVATE_KEY",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub private_key: Option<SecretString>,
}

/// Why the provider's settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ProviderSettingsError {
    /// One of the two without the other.
    #[error("BOOTPAY_REST_APPLICATION_ID is set and BOOTPAY_PRIVATE_KEY is not: set both, or unset the first")]
    HalfAPair,
    /// Both are there, and still no client can be made of them.
    #[error("BOOTPAY_API_URL, BOOTPAY_REST_APPLICATION_ID or BOOTPAY_PRIVATE_KEY can't be used")]
    Unusable(#[from] ConfigError),
}

impl ProviderSettings {
    /// A client of the provider; `None` where its REST API isn't configured.
    pub fn client(&self) -> Result<Option<Client>, ProviderSettingsError> {
        match (&self.rest_application_id, &self.private_key) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(ProviderSettingsError::HalfAPair),
            (Some(id), Some(key)) => Ok(Some(Client::new(Config::new(&self.api_url, id, key.clone()))?)),
        }
    }
}

/// How long and how much: the terms of sale that an operator may change.
#[derive(Args, Clone, Debug)]
pub struct TermsSettings {
    /// Seconds that unpaid seats are held.
    #[arg(id = "booking-hold-seconds", long = "booking-hold-seconds", env = "BOOKING_HOLD_SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub hold_seconds: u32,
    /// Seats of one flight that one person may hold unpaid.
    #[arg(id = "unpaid-seats", long = "unpaid-seats", env = "UNPAID_SEATS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub unpaid_seats: u16,
    /// Seconds after which a payment that nobody finished is looked into, and one that nobody booked for is refunded.
    #[arg(id = "reconcile-after-seconds", long = "reconcile-after-seconds", env = "RECONCILE_AFTER_SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u32).range(1..=604_800), value_name = "SECONDS")]
    pub reconcile_after_seconds: u32,
    /// Seconds until the provider is asked about the same payment again.
    #[arg(id = "reconcile-interval-seconds", long = "reconcile-interval-seconds", env = "RECONCILE_INTERVAL_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub reconcile_interval_seconds: u32,
}

impl TermsSettings {
    /// The terms, with what can't be set as it is.
    pub fn terms(&self) -> Terms {
        Terms {
            hold: seconds(self.hold_seconds),
            held_seats: self.unpaid_seats.into(),
            reconcile_after: seconds(self.reconcile_after_seconds),
            reconcile_interval: seconds(self.reconcile_interval_seconds),
            ..Terms::default()
        }
    }
}

fn seconds(n: u32) -> TimeDelta {
    TimeDelta::seconds(n.into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Probe {
        #[command(flatten)]
        provider: ProviderSettings,
        #[command(flatten)]
        terms: TermsSettings,
    }

    fn read(arguments: &[&str]) -> Probe {
        Probe::try_parse_from([&["probe"], arguments].concat()).unwrap()
    }

    #[test]
    fn what_is_not_said_is_the_contracts() {
        let said = format!("{:?}", read(&[]).terms.terms());
        assert_eq!(said, format!("{:?}", Terms::default()));
    }

    #[test]
    fn only_a_whole_pair_makes_a_client() {
        let client = |arguments: &[&str]| read(arguments).provider.client();
        let (id, key) = ("--bootpay-rest-application-id=id", "--bootpay-private-key=hush");
        assert!(client(&[]).unwrap().is_none());
        assert!(client(&[key]).unwrap().is_none());
        assert!(client(&[id, key]).unwrap().is_some());
        let half = client(&[id]).unwrap_err().to_string();
        assert!(half.contains("BOOTPAY_REST_APPLICATION_ID") && half.contains("BOOTPAY_PRIVATE_KEY"), "{half}");
        assert!(client(&[id, key, "--bootpay-api-url=nowhere"]).unwrap_err().to_string().contains("BOOTPAY_API_URL"));
    }

    #[test]
    fn the_key_prints_nowhere() {
        assert!(!format!("{:?}", read(&["--bootpay-private-key=hush"])).contains("hush"));
    }
}
