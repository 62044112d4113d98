//! The service's settings; `flight-service --help` shows them.

use std::time::Duration;

use clap::Parser;
use common::config::{Database, Http, Redis, Telemetry};

/// Search, airports, featured offers and promotions.
#[derive(Clone, Debug, Parser)]
#[command(name = "flight-service", version)]
pub struct Settings {
    /// Port of the public API.
    #[arg(long = "flight-service-port", env = "FLIGHT_SERVICE_PORT", default_value_t = 5002, value_name = "PORT")]
    pub port: u16,
    /// How many seconds a search is remembered in the cache.
    #[arg(long, env = "SEARCH_CACHE_TTL", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400), value_name = "SECONDS")]
    pub search_cache_ttl: u64,
    /// Where the truth is.
    #[command(flatten)]
    pub database: Database,
    /// Where searches are remembered.
    #[command(flatten)]
    pub redis: Redis,
    /// How HTTP is served.
    #[command(flatten)]
    pub http: Http,
    /// What is told about it.
    #[command(flatten)]
    pub telemetry: Telemetry,
}

impl Settings {
    /// How long a search is remembered.
    pub fn search_ttl(&self) -> SearchTtl {
        SearchTtl(Duration::from_secs(self.search_cache_ttl))
    }
}

/// How long a search is remembered in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchTtl(pub Duration);
