//! CORS: which pages of which origins may call the API from a browser.
//!
//! The gateway and, where no mesh does it, the services answer preflights alike. A proxy replaces what its
//! upstream said, so no answer carries the headers twice.

use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{Method, request::Parts};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::{Environment, Http};

/// The layer for `settings`, or `None` where CORS is switched off here.
pub fn layer(settings: &Http) -> Option<CorsLayer> {
    if !settings.cors_enabled {
        return None;
    }
    let origins = settings.cors_allowed_origins.clone();
    let development = settings.environment == Environment::Development;
    let allowed = AllowOrigin::predicate(move |origin: &HeaderValue, _: &Parts| {
        origin
            .to_str()
            .is_ok_and(|origin| origins.iter().any(|o| o.trim() == origin) || (development && is_local(origin)))
    });
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS])
            .allow_headers([
                AUTHORIZATION,
                CONTENT_TYPE,
                ACCEPT_LANGUAGE,
                HeaderName::from_static("x-requested-with"),
                HeaderName::from_static("idempotency-key"),
                HeaderName::from_static("traceparent"),
            ])
            .expose_headers([
                RETRY_AFTER,
                HeaderName::from_static("x-request-id"),
                HeaderName::from_static("idempotent-replayed"),
            ])
            .max_age(Duration::from_mins(10)),
    )
}

/// A page served from this machine, on whatever port.
fn is_local(origin: &str) -> bool {
    ["http://localhost", "http://127.0.0.1"].iter().any(|host| {
        origin.strip_prefix(host).is_some_and(|port| {
            port.is_empty()
                || port.strip_prefix(':').is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_means_this_machine_and_not_a_name_that_begins_like_it() {
        for local in ["http://localhost", "http://localhost:5500", "http://127.0.0.1:8000"] {
            assert!(is_local(local), "{local}");
        }
        for foreign in [
            "http://localhost.evil.com",
            "http://localhost:",
            "http://localhost:80.evil.com",
            "https://localhost:1",
            "null",
        ] {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
