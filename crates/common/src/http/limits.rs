//! What one client may take of a process, so that there is something left for the others; and how it is told that it
//! took too much.
//!
//! The one thing to know: whatever is refused here has not been begun. A client may simply try again.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::config::Http;
use crate::error::ApiError;

/// The longest request line that is read, in bytes.
const MAX_LINE: usize = 8 << 10;

/// The largest header fields that are read, in bytes altogether. hyper counts them: it takes up to a hundred.
const MAX_FIELDS: usize = 32 << 10;

/// The largest body that is read, in bytes. The largest real one, nine passengers, has four kilobytes.
pub const MAX_BODY: usize = 1 << 20;

/// How much is served at once, and how long a client may keep us waiting.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once.
    pub connections: u32,
    /// Requests being worked on at once.
    pub requests: u32,
    /// How long a connection may rest between an answer and the next request, or before the first one. Whoever keeps
    /// connections to us should give them up sooner, as the gateway does after 20 seconds, or it will send a request
    /// into one that is just being closed.
    pub idle: Duration,
    /// How long a request's head may take from its first byte.
    pub head: Duration,
    /// How long a request's body may take. Shorter than any request, so that a slow client is told that it is slow.
    pub body: Duration,
    /// How long we may be left with a part of an answer that the client doesn't take.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            requests: 512,
            idle: Duration::from_secs(75),
            head: Duration::from_secs(10),
            body: Duration::from_secs(8),
            answer: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// The limits that `settings` ask for.
    pub fn of(settings: &Http) -> Self {
        Self { connections: settings.max_connections, requests: settings.max_requests, ..Self::default() }
    }
}

/// The requests that are being worked on. Their number is bounded: beyond it a request is refused at once, which is
/// better for everybody than a queue that only grows. Work whose client has gone away counts until it is done.
#[derive(Clone, Debug)]
pub struct Work {
    places: Arc<Semaphore>,
    all: u32,
}

impl Work {
    /// At most so many at once.
    pub fn at_most(requests: u32) -> Self {
        Self { places: Arc::new(Semaphore::new(requests as usize)), all: requests }
    }

    /// Counts the requests to the routes of `router`. Those to health paths always find a place: an instance that is
    /// busy is not dead.
    pub fn count(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), admit))
    }

    /// Waits until all of it is done. What comes later is refused.
    pub async fn finished(&self) {
        if let Ok(all) = self.places.acquire_many(self.all).await {
            all.forget();
        }
    }
}

async fn admit(State(work): State<Work>, request: Request, next: Next) -> Response {
    if is_health(request.uri().path()) {
        return next.run(request).await;
    }
    match work.places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => overloaded().into_response(),
    }
}

/// Whether `path` only asks if the service lives.
pub(super) fn is_health(path: &str) -> bool {
    path.ends_with("/health")
}

/// Why `request` is refused before anybody looks at what it wants: its head is too large, or says that its body is.
pub(super) fn refused_unread(request: &Request) -> Option<ApiError> {
    let line = request.method().as_str().len() + request.uri().to_string().len() + " HTTP/1.1\r\n".len();
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let declared =
        request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    if line > MAX_LINE {
        Some(uri_too_long())
    } else if fields.sum::<usize>() > MAX_FIELDS {
        Some(headers_too_large())
    } else {
        declared.filter(|length| *length > MAX_BODY).map(|_| too_large())
    }
}

/// 413: the body is larger than [what is read](MAX_BODY).
pub fn too_large() -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "요청 본문이 너무 큽니다.", "The body is too large.")
}

/// 414.
pub(super) fn uri_too_long() -> ApiError {
    ApiError::new(StatusCode::URI_TOO_LONG, "uri-too-long", "요청 주소가 너무 깁니다.", "The address is too long.")
}

/// 431: too many headers, or too large ones.
pub(super) fn headers_too_large() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers-too-large",
        "요청 헤더가 너무 큽니다.",
        "The headers are too large.",
    )
}

/// 408: a head or a body that doesn't come to its end.
pub(super) fn too_slow() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "request-timeout",
        "요청이 제때 도착하지 않았습니다. 다시 시도해 주세요.",
        "The request did not arrive in time. Please try again.",
    )
}

/// 400: this is no HTTP.
pub(super) fn malformed() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "malformed-request",
        "올바른 HTTP 요청이 아닙니다.",
        "This is not a well-formed HTTP request.",
    )
}

/// 503: all places are taken.
pub(super) fn overloaded() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "이용자가 많아 요청을 처리할 수 없습니다. 잠시 후 다시 시도해 주세요.",
        "Too many requests are being served. Please try again shortly.",
    )
    .retry_after(Duration::from_secs(1))
}
