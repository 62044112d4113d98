//! Which path goes to which service, and under which name it is known there.

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::{Authority, Scheme};
use axum::routing::{MethodFilter, on};

use crate::config::Settings;
use crate::metrics::Upstreams;
use crate::proxy::Proxy;

/// The methods that are passed on. TRACE would echo what we add; CONNECT is not for us.
const METHODS: MethodFilter = MethodFilter::GET
    .or(MethodFilter::HEAD)
    .or(MethodFilter::POST)
    .or(MethodFilter::PUT)
    .or(MethodFilter::PATCH)
    .or(MethodFilter::DELETE)
    .or(MethodFilter::OPTIONS);

/// All paths at or below `prefix` go to one service, which knows them below `target`.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    prefix: &'static str,
    target: &'static str,
    /// The service's name.
    pub(crate) upstream: &'static str,
    authority: Authority,
}

/// The table.
fn routes(settings: &Settings) -> [Route; 9] {
    let auth = ("auth-service", &settings.auth_service_url);
    let flight = ("flight-service", &settings.flight_service_url);
    let booking = ("booking-service", &settings.booking_service_url);
    let admin = ("admin-service", &settings.admin_service_url);
    let payment = ("payment-service", &settings.payment_service_url);
    [
        ("/api/auth", auth, "/api/auth"),
        ("/api/flights", flight, "/api/flights"),
        ("/api/bookings", booking, "/api/bookings"),
        ("/api/admin", admin, "/api/admin"),
        ("/api/payments", payment, "/api/payments"),
        ("/api/airports", flight, "/api/flights/airports"),
        ("/api/promotions", flight, "/api/flights/promotions"),
        ("/api/user/profile", auth, "/api/auth/profile"),
        ("/api/health", auth, "/api/auth/health"),
    ]
    .map(|(prefix, (upstream, origin), target)| Route {
        prefix,
        target,
        upstream,
        authority: origin.authority().clone(),
    })
}

/// The gateway's routes.
pub(crate) fn router(settings: &Settings, upstreams: Upstreams) -> Router {
    let proxy = Proxy::new(settings, upstreams);
    routes(settings).into_iter().fold(Router::new(), |router, route| {
        let prefix = route.prefix;
        let handler = {
            let proxy = proxy.clone();
            on(METHODS, async move |request: Request| proxy.forward(&route, request).await)
        };
        router
            .route(prefix, handler.clone())
            .route(&format!("{prefix}/"), handler.clone())
            .route(&format!("{prefix}/{{*rest}}"), handler)
    })
}

impl Route {
    /// Where the upstream has what was asked for at `uri`: what follows the prefix, query and all, stays as it is.
    /// `None` where it can be read in two ways.
    pub(crate) fn destination(&self, uri: &Uri) -> Option<Uri> {
        if leads_elsewhere(uri.path()) {
            return None;
        }
        let rest = uri.path_and_query()?.as_str().strip_prefix(self.prefix)?;
        Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(format!("{}{rest}", self.target))
            .build()
            .ok()
    }
}

/// Whether a segment of `path` means "here" or "up", in any spelling that somebody along the way could read so.
fn leads_elsewhere(path: &str) -> bool {
    if !path.contains(['.', '%']) {
        return false;
    }
    let path = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\");
    path.split(['/', '\\']).any(|segment| segment == "." || segment == "..")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn dots_that_lead_elsewhere_are_found_in_every_spelling() {
        for elsewhere in [
            "/api/auth/../admin",
            "/api/auth/..",
            "/api/auth/./me",
            "/api/auth/%2e%2e/admin",
            "/api/auth/%2E./admin",
            "/api/auth/..%2fadmin",
            "/api/auth/x%5c..%5cadmin",
            "/api/auth/..\\admin",
        ] {
            assert!(leads_elsewhere(elsewhere), "{elsewhere}");
        }
        for plain in ["/api/auth", "/api/auth/", "/api/auth//x", "/api/auth/a.b", "/api/auth/...", "/api/auth/%252e"] {
            assert!(!leads_elsewhere(plain), "{plain}");
        }
    }

    #[test]
    fn only_the_prefix_changes() {
        let settings: Settings = common::config::load(&[], &BTreeMap::new()).unwrap();
        let route = routes(&settings).into_iter().find(|r| r.prefix == "/api/airports").unwrap();
        for (asked, known) in [
            ("/api/airports", "http://127.0.0.1:5002/api/flights/airports"),
            ("/api/airports?q=%EC%84%9C&q=/../a", "http://127.0.0.1:5002/api/flights/airports?q=%EC%84%9C&q=/../a"),
            ("/api/airports/?", "http://127.0.0.1:5002/api/flights/airports/?"),
            ("http://elsewhere/api/airports/a%2Fb", "http://127.0.0.1:5002/api/flights/airports/a%2Fb"),
        ] {
            assert_eq!(route.destination(&asked.parse().unwrap()).unwrap(), known);
        }
    }
}
