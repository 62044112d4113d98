//! The settings of every service that works with orders: where the provider is, and the airline's terms.
//!
//! Services flatten [`OrderSettings`] into their own, so that the same names mean the same everywhere.

use bootpay::{Client, Config, ConfigError, Credentials};
use chrono::TimeDelta;
use clap::Args;
use common::cache::Cache;
use common::chance::Chance;
use common::clock::Clock;
use common::metrics::Registry;
use common::service::StartError;
use secrecy::SecretString;
use sqlx::MySqlPool;

use crate::provider::measured;
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
            provider: measured(self.provider.client()?, metrics)?,
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
    /// Key of our server at the payment provider, sent with every call. Goes before the older pair below.
    #[arg(id = "bootpay-client-key", long = "bootpay-client-key", env = "BOOTPAY_CLIENT_KEY", value_name = "KEY")]
    pub client_key: Option<String>,
    /// The secret that belongs to that key.
    #[arg(
        id = "bootpay-secret-key",
        long = "bootpay-secret-key",
        env = "BOOTPAY_SECRET_KEY",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub secret_key: Option<SecretString>,
    /// The older id of our server at the payment provider; not what browsers get. Neither set: payments can't be looked up.
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
    /// One of two that belong together, without the other.
    #[error("{set} is set and {unset} is not: set both, or unset the first")]
    HalfAPair {
        /// The variable that is set.
        set: &'static str,
        /// The one it needs.
        unset: &'static str,
    },
    /// All are there, and still no client can be made of them.
    #[error(
        "BOOTPAY_API_URL or the credentials (BOOTPAY_CLIENT_KEY and BOOTPAY_SECRET_KEY, or BOOTPAY_REST_APPLICATION_ID and BOOTPAY_PRIVATE_KEY) can't be used"
    )]
    Unusable(#[from] ConfigError),
}

impl ProviderSettings {
    /// A client of the provider; `None` where its REST API isn't configured.
    pub fn client(&self) -> Result<Option<Client>, ProviderSettingsError> {
        let Some(credentials) = self.credentials()? else { return Ok(None) };
        Ok(Some(Client::new(Config::with(&self.api_url, credentials))?))
    }

    /// The newer pair if it is there, else the older: who moves from one to the other sets the new and can go back by
    /// unsetting it, while the private key stays where it is because it verifies webhooks. Half a pair of either kind
    /// is a mistake, also beside a whole one.
    fn credentials(&self) -> Result<Option<Credentials>, ProviderSettingsError> {
        let half = |set, unset| Err(ProviderSettingsError::HalfAPair { set, unset });
        let older = match (self.rest_application_id.clone(), self.private_key.clone()) {
            (Some(id), Some(private_key)) => Some(Credentials::Application { id, private_key }),
            (Some(_), None) => return half("BOOTPAY_REST_APPLICATION_ID", "BOOTPAY_PRIVATE_KEY"),
            (None, _) => None,
        };
        match (self.client_key.clone(), self.secret_key.clone()) {
            (Some(key), Some(secret)) => Ok(Some(Credentials::Client { key, secret })),
            (Some(_), None) => half("BOOTPAY_CLIENT_KEY", "BOOTPAY_SECRET_KEY"),
            (None, Some(_)) => half("BOOTPAY_SECRET_KEY", "BOOTPAY_CLIENT_KEY"),
            (None, None) => Ok(older),
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

    const ID: &str = "--bootpay-rest-application-id=id";
    const PRIVATE: &str = "--bootpay-private-key=hush";
    const KEY: &str = "--bootpay-client-key=key";
    const SECRET: &str = "--bootpay-secret-key=hush";

    #[test]
    fn only_a_whole_pair_makes_a_client() {
        let client = |arguments: &[&str]| read(arguments).provider.client();
        assert!(client(&[]).unwrap().is_none());
        assert!(client(&[PRIVATE]).unwrap().is_none());
        for whole in [&[ID, PRIVATE][..], &[KEY, SECRET], &[KEY, SECRET, PRIVATE], &[KEY, SECRET, ID, PRIVATE]] {
            assert!(client(whole).unwrap().is_some(), "{whole:?}");
        }
        let unusable = client(&[ID, PRIVATE, "--bootpay-api-url=nowhere"]).unwrap_err().to_string();
        assert!(unusable.contains("BOOTPAY_API_URL"), "{unusable}");
    }

    #[test]
    fn half_a_pair_is_refused_by_the_name_of_what_is_missing() {
        for (half, missing) in [
            (&[ID][..], "BOOTPAY_PRIVATE_KEY is not"),
            (&[KEY], "BOOTPAY_SECRET_KEY is not"),
            (&[SECRET], "BOOTPAY_CLIENT_KEY is not"),
            (&[KEY, ID, PRIVATE], "BOOTPAY_SECRET_KEY is not"),
            (&[KEY, SECRET, ID], "BOOTPAY_PRIVATE_KEY is not"),
        ] {
            let refusal = read(half).provider.client().unwrap_err().to_string();
            assert!(refusal.contains(missing), "{half:?}: {refusal}");
        }
    }

    #[test]
    fn of_two_whole_pairs_the_newer_is_used() {
        let credentials = |arguments: &[&str]| read(arguments).provider.credentials().unwrap().unwrap();
        assert!(matches!(credentials(&[KEY, SECRET, ID, PRIVATE]), Credentials::Client { .. }));
        assert!(matches!(credentials(&[ID, PRIVATE]), Credentials::Application { .. }));
    }

    #[test]
    fn the_keys_print_nowhere() {
        assert!(!format!("{:?}", read(&[PRIVATE, SECRET])).contains("hush"));
    }
}
