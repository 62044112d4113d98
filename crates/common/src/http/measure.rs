//! What is measured about requests, around everything else that happens to them.
//!
//! The trap: of a series that begins at 1 nobody sees that it grew. So failures are there from a route's first request.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::metrics::{Histogram, Registry};

/// What a failure of ours may be answered with.
const FAILURES: [&str; 4] = ["500", "502", "503", "504"];

/// How a request is counted whose client hung up before it was answered.
pub(super) const CLIENT_GONE: u16 = 499;

crate::metrics! {
    /// What is measured about requests.
    pub(super) struct Requests {
        /// Requests, by the template of their route, method and status; status 499: the client hung up first.
        answered: IntCounterVec = "cloudjet_http_requests_total" by ["route", "method", "status"],
        /// Seconds from a request to the beginning of its answer.
        duration: HistogramVec = "cloudjet_http_request_duration_seconds" by ["route", "method"],
        /// Requests that are not answered yet.
        in_flight: IntGauge = "cloudjet_http_requests_in_flight",
    }
}

/// Measures all requests to `router`, also those it has no route for.
///
/// # Errors
/// When requests are measured in this registry already.
pub fn measure(router: Router, metrics: &Registry) -> Result<Router, crate::metrics::Error> {
    let requests = Arc::new(Requests::new(metrics)?);
    Ok(router.layer(middleware::from_fn_with_state(requests, count)))
}

async fn count(State(requests): State<Arc<Requests>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = word(request.method());
    let mut asked = Asked::now(requests, route, method);
    let response = next.run(request).await;
    asked.status = response.status().as_u16();
    response
}

/// A request, counted when it is over, whichever way.
struct Asked {
    requests: Arc<Requests>,
    route: Option<MatchedPath>,
    method: &'static str,
    duration: Histogram,
    status: u16,
    since: Instant,
}

impl Asked {
    fn now(requests: Arc<Requests>, route: Option<MatchedPath>, method: &'static str) -> Self {
        let name = name(route.as_ref());
        requests.in_flight.inc();
        let duration = requests.duration.with_label_values(&[name, method]);
        if duration.get_sample_count() == 0 {
            for status in FAILURES {
                requests.answered.with_label_values(&[name, method, status]);
            }
        }
        Self { requests, route, method, duration, status: CLIENT_GONE, since: Instant::now() }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        self.requests.in_flight.dec();
        self.requests.answered.with_label_values(&[name(self.route.as_ref()), self.method, status.as_str()]).inc();
        self.duration.observe(self.since.elapsed().as_secs_f64());
    }
}

/// The template of a route.
fn name(route: Option<&MatchedPath>) -> &str {
    route.map_or("none", MatchedPath::as_str)
}

/// A method by name, as long as it is one that anybody uses: others are made up by whoever asks.
fn word(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
