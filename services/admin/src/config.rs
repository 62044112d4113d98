//! The service's settings; `admin-service --help` shows them.

use clap::Parser;
use common::config::{Database, Http, Redis, SecretKey, Telemetry};
use orders::config::OrderSettings;

/// Flights, schedules, discounts, and everybody's bookings.
#[derive(Clone, Debug, Parser)]
#[command(name = "admin-service", version)]
pub struct Settings {
    /// Port of the public API.
    #[arg(
        id = "admin-service-port",
        long = "admin-service-port",
        env = "ADMIN_SERVICE_PORT",
        default_value_t = 5004,
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
    /// The payment provider and the airline's terms.
    #[command(flatten)]
    pub orders: OrderSettings,
    /// How HTTP is served.
    #[command(flatten)]
    pub http: Http,
    /// What is told about it.
    #[command(flatten)]
    pub telemetry: Telemetry,
}
