//! What an operator can set; `auth-service --help` is its reference.

use std::time::Duration;

use clap::{Args, Parser};
use common::config::{Database, Http, Redis, SecretKey, Telemetry};

/// The settings of the auth service.
#[derive(Clone, Debug, Parser)]
#[command(name = "auth-service", version, about = "People and sessions: sign-up, log-in, profile.")]
pub struct Settings {
    /// Public port.
    #[arg(long, env = "AUTH_SERVICE_PORT", default_value_t = 5001, value_name = "PORT")]
    pub port: u16,
    /// The truth.
    #[command(flatten)]
    pub database: Database,
    /// The counters of wrong passwords.
    #[command(flatten)]
    pub redis: Redis,
    /// Serving.
    #[command(flatten)]
    pub http: Http,
    /// Telling.
    #[command(flatten)]
    pub telemetry: Telemetry,
    /// Signing sessions.
    #[command(flatten)]
    pub secret: SecretKey,
    /// Bounds.
    #[command(flatten)]
    pub limits: Limits,
}

/// How much of the machine, and of an account, anybody may try.
#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// Wrong passwords for one account within a minute, before its log-ins are refused for a while.
    #[arg(long, env = "LOGIN_ATTEMPTS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=30), value_name = "N")]
    pub login_attempts: u32,
    /// Passwords hashed at once; each takes a core and 19 MiB, up to 64 MiB for old ones [default: number of cores].
    #[arg(long, env = "HASHING_CONCURRENCY", default_value_t = cores(), hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    pub hashing_concurrency: u16,
    /// Milliseconds a request may wait for its turn to hash, before it is told to come back.
    #[arg(long, env = "HASHING_WAIT_MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=9000), value_name = "MS")]
    pub hashing_wait_ms: u64,
}

impl Limits {
    pub(crate) fn hashing_wait(&self) -> Duration {
        Duration::from_millis(self.hashing_wait_ms)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { login_attempts: 30, hashing_concurrency: cores(), hashing_wait_ms: 2000 }
    }
}

fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |n| u16::try_from(n.get()).unwrap_or(256).min(256))
}
