//! What is measured about requests, around everything else that happens to them.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::metrics::Registry;

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
    requests.in_flight.inc();
    let mut asked = Asked { requests, route, method, status: CLIENT_GONE, since: Instant::now() };
    let response = next.run(request).await;
    asked.status = response.status().as_u16();
    response
}

/// A request, counted when it is over, whichever way.
struct Asked {
    requests: Arc<Requests>,
    route: Option<MatchedPath>,
    method: &'static str,
    status: u16,
    since: Instant,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or("none", MatchedPath::as_str);
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        self.requests.in_flight.dec();
        self.requests.answered.with_label_values(&[route, self.method, status.as_str()]).inc();
        self.requests.duration.with_label_values(&[route, self.method]).observe(self.since.elapsed().as_secs_f64());
    }
}

/// A method by name, as long as it is one that anybody uses: others are made up by whoever asks.
fn word(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
