//! The front door: one address for the browser client, behind which each path has its service.
//!
//! A thin reverse proxy. It decides where a request goes (`routes`), what is said about it on the way
//! (`headers`), and what the client hears when nobody answers (`error`); bodies stream through both ways and are
//! never held as a whole. It knows nothing of tokens, bookings or money, and depends on nothing to be ready. Besides, it
//! shows the description of all services on one page (`docs`).
//!
//! The one thing to know: a request that may have reached an upstream is never sent twice, unless it is one that
//! only reads (`proxy`).

use std::time::Duration;

use common::config::{Http, Telemetry};
use common::metrics::Registry;
use common::service::{Running, Service, StartError};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder};

mod config;
mod docs;
mod error;
mod headers;
mod metrics;
mod proxy;
mod routes;
mod upload;

pub use config::{Origin, Settings};
use metrics::Upstreams;

/// The gateway.
#[derive(Debug)]
pub struct Gateway;

impl Service for Gateway {
    type Settings = Settings;

    const NAME: &'static str = "gateway";

    /// Longer than any time-out that can be set for an upstream, so that it is always ours that is told.
    const TIMEOUT: Duration = Duration::from_secs(config::LONGEST_UPSTREAM_TIMEOUT + 10);

    fn port(settings: &Settings) -> u16 {
        settings.port
    }

    fn shared(settings: &Settings) -> (&Http, &Telemetry) {
        (&settings.http, &settings.telemetry)
    }

    /// Nothing but a name: the services describe what they answer.
    fn openapi() -> OpenApi {
        OpenApiBuilder::new().info(Info::new("CloudJet gateway", env!("CARGO_PKG_VERSION"))).build()
    }

    fn build(settings: Settings, metrics: &Registry) -> Result<Running, StartError> {
        let router = routes::router(&settings, Upstreams::new(metrics)?).merge(docs::router());
        Ok(Running { router, ..Running::default() })
    }
}
