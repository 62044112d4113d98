//! The service's settings; `payment-service --help` shows them.

use std::time::Duration;

use clap::{Args, Parser};
use common::config::{Database, Http, Redis, SecretKey, Telemetry};
use news::config::NewsSettings;
use orders::config::{OrderSettings, TermsSettings};

/// Payments: begun, told of, attached, refunded.
#[derive(Clone, Debug, Parser)]
#[command(name = "payment-service", version)]
pub struct Settings {
    /// Port of the public API.
    #[arg(
        id = "payment-service-port",
        long = "payment-service-port",
        env = "PAYMENT_SERVICE_PORT",
        default_value_t = 5005,
        value_name = "PORT"
    )]
    pub port: u16,
    /// Where the truth is.
    #[command(flatten)]
    pub database: Database,
    /// Where searches to be dropped are.
    #[command(flatten)]
    pub redis: Redis,
    /// What sessions are signed with.
    #[command(flatten)]
    pub secret: SecretKey,
    /// What browsers are handed.
    #[command(flatten)]
    pub browser: BrowserSettings,
    /// The payment provider and the airline's terms.
    #[command(flatten)]
    pub orders: OrderSettings,
    /// Who gets the news.
    #[command(flatten)]
    pub news: NewsSettings,
    /// How HTTP is served.
    #[command(flatten)]
    pub http: Http,
    /// What is told about it.
    #[command(flatten)]
    pub telemetry: Telemetry,
}

/// What a browser needs to open the payment window.
#[derive(Args, Clone, Debug)]
pub struct BrowserSettings {
    /// The payment provider's application id for browsers. Without one no payment can be begun.
    #[arg(
        id = "bootpay-application-id",
        long = "bootpay-application-id",
        env = "BOOTPAY_APPLICATION_ID",
        value_name = "ID"
    )]
    pub application_id: Option<String>,
    /// The older name of the same, read where that is unset.
    #[arg(id = "bootpay-rest-api-key", long = "bootpay-rest-api-key", env = "BOOTPAY_REST_API_KEY", value_name = "ID")]
    pub rest_api_key: Option<String>,
}

impl BrowserSettings {
    /// The application id, by its name or its older one.
    pub fn application_id(self) -> Option<String> {
        self.application_id.or(self.rest_api_key)
    }
}

/// How often each job looks for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// Calls to the provider whose outcome isn't known.
    pub calls: Duration,
    /// Refunds to be paid.
    pub refunds: Duration,
    /// Payments nobody finished.
    pub questions: Duration,
    /// Paid payments nobody booked for.
    pub unbooked: Duration,
    /// Messages whose order was unknown.
    pub inbox: Duration,
    /// What waits, to be measured.
    pub backlog: Duration,
    /// The books, to be compared.
    pub rounds: Duration,
    /// Messages and calls that are done with, to be forgotten.
    pub forget: Duration,
}

impl Pauses {
    /// Short enough for these terms.
    pub fn of(terms: &TermsSettings) -> Self {
        let at_most = |seconds: u32, bound: u32| Duration::from_secs(seconds.min(bound).into());
        Self {
            calls: Duration::from_secs(1),
            refunds: Duration::from_secs(2),
            questions: at_most(5, terms.reconcile_interval_seconds),
            unbooked: at_most(30, terms.reconcile_after_seconds),
            inbox: at_most(30, terms.reconcile_after_seconds),
            backlog: Duration::from_secs(15),
            rounds: Duration::from_secs(terms.reconcile_interval_seconds.into()),
            forget: Duration::from_mins(10),
        }
    }
}
