//! What surrounds every handler: the request's id, a bound on its time, panics caught, errors written in the
//! client's language, and one log line.
//!
//! The one trap it closes: when a client hangs up, its handler would be dropped in the middle of a transaction and
//! leave a half-used connection behind. So the handler runs in a task of its own and finishes what it began.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, Span, field};
use uuid::Uuid;

use super::extract::no_such_path;
use super::limits::{MAX_BODY, is_health, refused_unread};
use super::linger::may_stay_unread;
use super::measure::CLIENT_GONE;
use crate::auth::WhoAsked;
use crate::error::{ApiError, Chain};
use crate::language::Language;
use crate::telemetry::trace::{self, Origin};

/// Work that takes so many times as long as its client was told to wait is broken off: it waits for an answer that
/// never comes, from a database whose machine is gone, and would keep its connection.
const PATIENCE: u32 = 3;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the envelope needs to know of the service it surrounds.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// The service's name, e.g. `auth-service`.
    pub service: &'static str,
    /// How long a request may take before it is answered with 504. Its work goes on, though not for ever.
    pub timeout: Duration,
    /// How many proxies in front can be believed.
    pub trusted_proxy_hops: usize,
}

/// The id of a request: the caller's own if it sent a sensible one, else a new one.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let sensible = |id: &&str| {
            (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let id = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok()).filter(sensible);
        Self(id.map_or_else(|| Uuid::now_v7().to_string().into(), Into::into))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

/// Puts the envelope around all routes of `router`, and answers what it has no route for.
pub fn wrap(router: Router, envelope: Envelope) -> Router {
    router
        .fallback(async || no_such_path())
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "이 주소에서는 사용할 수 없는 방법입니다.",
                "This address does not take this method.",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(envelope, surround))
}

async fn surround(State(envelope): State<Envelope>, request: Request, next: Next) -> Response {
    let mut request = may_stay_unread(request);
    let language = Language::of(request.headers());
    let id = RequestId::of(request.headers());
    let who = WhoAsked::default();
    let mut line = Line::begin(envelope, &request, id.clone(), who.clone());
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(who);
    let caller = Origin::of_caller(request.headers());

    let mut response = if let Some(refusal) = refused_unread(&request) {
        refusal.into_response()
    } else {
        let work = tokio::time::timeout(envelope.timeout * PATIENCE, next.run(request));
        let task = tokio::spawn(Origin::scope(caller, work).instrument(line.span.clone()));
        match tokio::time::timeout(envelope.timeout, task).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Err(panic)) => ApiError::internal(panic).into_response(),
            Ok(Ok(Err(_))) | Err(_) => took_too_long().into_response(),
        }
    };

    let error = response.extensions_mut().remove::<ApiError>();
    if let Some(error) = &error {
        write_problem(&mut response, error, language, &id);
    }
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));

    line.status = response.status();
    line.error = error;
    response
}

/// The one line in the log that a request leaves, and its span. The line is written when this is dropped, so also when
/// the client hangs up before there is an answer.
struct Line {
    service: &'static str,
    since: Instant,
    method: Method,
    path: String,
    route: Option<MatchedPath>,
    client: IpAddr,
    id: RequestId,
    trace_id: Option<String>,
    who: WhoAsked,
    span: Span,
    status: StatusCode,
    error: Option<ApiError>,
}

impl Line {
    fn begin(envelope: Envelope, request: &Request, id: RequestId, who: WhoAsked) -> Self {
        let (method, route) = (request.method().clone(), request.extensions().get::<MatchedPath>().cloned());
        let client = client_address(request, envelope.trusted_proxy_hops);
        let template = route.as_ref().map(MatchedPath::as_str);
        let span = tracing::info_span!(
            "request",
            otel.kind = "server",
            otel.name = template.map_or_else(|| method.to_string(), |route| format!("{method} {route}")),
            otel.status_code = field::Empty,
            http.request.method = %method,
            http.route = template,
            http.response.status_code = field::Empty,
            client.address = %client,
            request_id = id.as_str(),
            trace_id = field::Empty,
        );
        let trace_id = trace::join(&span, request.headers()).map(|trace| trace.to_string());
        span.record("trace_id", trace_id.as_deref());
        Self {
            service: envelope.service,
            since: Instant::now(),
            method,
            path: shown(request.uri().path(), route.is_some()).to_owned(),
            route,
            client,
            id,
            trace_id,
            who,
            span,
            status: StatusCode::from_u16(CLIENT_GONE).unwrap_or_default(),
            error: None,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Self { method, path, client, .. } = self;
        let (status, failed) = (self.status.as_u16(), self.status.is_server_error());
        self.span.record("http.response.status_code", status);
        if failed {
            self.span.record("otel.status_code", "ERROR");
        }
        if is_health(path) && !failed {
            return;
        }
        // The original's line, which dashboards look for, with what we know beyond it as fields.
        let line = format!("[{}] {method} {path} - Client IP: {client}", self.service.to_uppercase());
        let duration_us = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let route = self.route.as_ref().map(MatchedPath::as_str);
        let (request_id, trace_id, user_id) = (self.id.as_str(), self.trace_id.as_deref(), self.who.get());
        let code = self.error.as_ref().map(ApiError::code);
        let cause = self.error.as_ref().and_then(|e| std::error::Error::source(e)).map(|e| Chain(e).to_string());
        macro_rules! write {
            ($level:ident) => {
                tracing::$level!(
                    %method, route, status, duration_us, request_id, trace_id, user_id, %client, code, cause, "{line}"
                )
            };
        }
        if failed { write!(error) } else { write!(info) }
    }
}

/// A request's path as the log has it. One that nobody serves is whatever somebody typed: its beginning is enough.
fn shown(path: &str, is_served: bool) -> &str {
    const ENOUGH: usize = 80;
    if is_served || path.len() <= ENOUGH { path } else { path.get(..ENOUGH).unwrap_or_default() }
}

/// Replaces the answer's body by the problem document of `error`.
fn write_problem(response: &mut Response, error: &ApiError, language: Language, id: &RequestId) {
    let problem = error.problem(language, id.as_str());
    *response.body_mut() = serde_json::to_vec(&problem).unwrap_or_default().into();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.remove(CONTENT_LENGTH);
    if let Some(wait) = error.wait() {
        headers.insert(RETRY_AFTER, wait.as_secs().max(1).into());
    }
    if error.status() == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if error.status() != StatusCode::METHOD_NOT_ALLOWED {
        headers.remove(ALLOW);
    }
}

fn took_too_long() -> ApiError {
    ApiError::new(
        StatusCode::GATEWAY_TIMEOUT,
        "timeout",
        "요청을 처리하는 데 시간이 너무 오래 걸립니다. 잠시 후 결과를 확인해 주세요.",
        "The request takes too long. Please check its outcome in a moment.",
    )
}

/// The client's address: the peer's, or the one the outermost trusted proxy saw. What stands further left in
/// `X-Forwarded-For` anybody can write.
fn client_address(request: &Request, trusted_hops: usize) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |c| c.0.ip());
    if trusted_hops == 0 {
        return peer;
    }
    let forwarded: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .collect();
    let seen = forwarded.len().checked_sub(trusted_hops).map_or_else(|| forwarded.first(), |i| forwarded.get(i));
    seen.and_then(|address| address.parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let request = |forwarded: &str| {
            let mut request = Request::builder().header("x-forwarded-for", forwarded).body(Body::empty()).unwrap();
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 9], 1))));
            request
        };
        let address = |forwarded: &str, hops| client_address(&request(forwarded), hops).to_string();
        assert_eq!(address("1.1.1.1, 2.2.2.2", 0), "10.0.0.9");
        assert_eq!(address("1.1.1.1, 2.2.2.2", 1), "2.2.2.2");
        assert_eq!(address("6.6.6.6, 1.1.1.1, 2.2.2.2", 2), "1.1.1.1");
        assert_eq!(address("2.2.2.2", 2), "2.2.2.2");
        assert_eq!(address("nonsense", 1), "10.0.0.9");
    }

    proptest! {
        #[test]
        fn any_headers_give_an_address_and_a_sensible_id(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4),
            hops in prop_oneof![0_usize..5, Just(usize::MAX)],
        ) {
            let mut headers = HeaderMap::new();
            for value in values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok()) {
                headers.append("x-forwarded-for", value.clone());
                headers.append(REQUEST_ID, value);
            }
            let id = RequestId::of(&headers);
            prop_assert!(id.as_str().len() <= 64 && HeaderValue::from_str(id.as_str()).is_ok());
            let mut request = Request::new(Body::empty());
            *request.headers_mut() = headers;
            let _ = client_address(&request, hops);
        }
    }
}
