//! The gateway's settings: its port, where each service is, and how long it waits for them.

use std::str::FromStr;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::{Authority, Scheme};
use clap::Parser;
use common::config::{Http, Telemetry};

/// The longest time-out that can be set, in seconds.
pub(crate) const LONGEST_UPSTREAM_TIMEOUT: u64 = 300;

/// The front door of CloudJet: sends each path to the service behind it.
#[derive(Clone, Debug, Parser)]
#[command(name = "gateway", version)]
pub struct Settings {
    /// Port to listen on.
    #[arg(long, env = "GATEWAY_SERVICE_PORT", default_value_t = 5000, value_name = "PORT")]
    pub port: u16,
    /// Where auth-service is.
    #[arg(long, env = "AUTH_SERVICE_URL", default_value = "http://127.0.0.1:5001", value_name = "URL")]
    pub auth_service_url: Origin,
    /// Where flight-service is.
    #[arg(long, env = "FLIGHT_SERVICE_URL", default_value = "http://127.0.0.1:5002", value_name = "URL")]
    pub flight_service_url: Origin,
    /// Where booking-service is.
    #[arg(long, env = "BOOKING_SERVICE_URL", default_value = "http://127.0.0.1:5003", value_name = "URL")]
    pub booking_service_url: Origin,
    /// Where admin-service is.
    #[arg(long, env = "ADMIN_SERVICE_URL", default_value = "http://127.0.0.1:5004", value_name = "URL")]
    pub admin_service_url: Origin,
    /// Where payment-service is.
    #[arg(long, env = "PAYMENT_SERVICE_URL", default_value = "http://127.0.0.1:5005", value_name = "URL")]
    pub payment_service_url: Origin,
    /// How long a service may take until its answer begins, in seconds.
    #[arg(
        long,
        env = "UPSTREAM_TIMEOUT_SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=LONGEST_UPSTREAM_TIMEOUT),
        value_name = "SECONDS"
    )]
    pub upstream_timeout_seconds: u64,
    /// How it serves HTTP.
    #[command(flatten)]
    pub http: Http,
    /// What it tells about itself.
    #[command(flatten)]
    pub telemetry: Telemetry,
}

impl Settings {
    /// How long a service may take until its answer begins.
    pub(crate) fn upstream_timeout(&self) -> Duration {
        Duration::from_secs(self.upstream_timeout_seconds)
    }
}

/// The address of a service: `http://`, a host and perhaps a port. Plain HTTP: where the network can't be trusted,
/// a mesh encrypts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Authority);

impl Origin {
    /// Host and port.
    pub(crate) fn authority(&self) -> &Authority {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.parse::<Uri>().map_err(|_| "must be an address like http://auth-service:5001")?.into_parts();
        if parts.scheme != Some(Scheme::HTTP) {
            return Err("must begin with http://");
        }
        if parts.path_and_query.is_some_and(|path| path != "/") || text.contains('#') {
            return Err("must end after the host and port");
        }
        parts.authority.filter(names_host_and_port).map(Self).ok_or("must name a host, and a port from 1 to 65535")
    }
}

/// Whether an authority is a host, with a usable port if it names one, and nothing else.
fn names_host_and_port(authority: &Authority) -> bool {
    let after_host = authority.as_str().strip_prefix(authority.host());
    after_host.is_some_and(|rest| rest.is_empty() || authority.port_u16().is_some_and(|port| port > 0))
        && !authority.host().is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_setting_has_a_default() {
        let settings: Settings = common::config::load(&[], &BTreeMap::new()).unwrap();
        assert_eq!((settings.port, settings.upstream_timeout_seconds), (5000, 30));
        assert_eq!(settings.payment_service_url.authority(), "127.0.0.1:5005");
    }

    #[test]
    fn every_bad_setting_is_named_at_once() {
        let variables = [
            ("AUTH_SERVICE_URL", "auth:5001"),
            ("ADMIN_SERVICE_URL", "http://admin:5004/api"),
            ("UPSTREAM_TIMEOUT_SECONDS", "0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let error = common::config::load::<Settings>(&[], &variables.into()).unwrap_err().to_string();
        for name in ["AUTH_SERVICE_URL: must ", "ADMIN_SERVICE_URL: must ", "UPSTREAM_TIMEOUT_SECONDS: "] {
            assert!(error.contains(name), "{name} in {error}");
        }
    }

    #[test]
    fn an_address_is_a_host_and_perhaps_a_port() {
        for good in ["http://127.0.0.1:5001", "http://auth-service", "http://auth.user.svc:80/", "http://[::1]:5001"] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "auth-service",
            "auth-service:5001",
            "https://auth-service",
            "ftp://auth-service",
            "http://",
            "http://:5001",
            "http://auth:0",
            "http://auth:70000",
            "http://auth:",
            "http://user:secret@auth:5001",
            "http://auth:5001/api",
            "http://auth:5001?x",
            "http://auth:5001#x",
            "http://a b",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
