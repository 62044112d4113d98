//! One request through the gateway: sent on over a kept connection, answered as it comes.
//!
//! The trap is a connection that the upstream closed while it was idle. The client library sends a request again of
//! which not a byte was written. Of any other we can't know whether it was carried out, so only GET and HEAD are
//! repeated, once; a POST that got lost is told to the caller as such.

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Extensions, Method, StatusCode, Version};
use axum::response::Response;
use common::error::ApiError;
use common::http::{MAX_BODY, body_broken, too_large};
use common::telemetry::trace;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tracing::{Instrument, Span, field};

use crate::config::Settings;
use crate::metrics::Upstreams;
use crate::routes::Route;
use crate::upload::{Upload, UploadError};
use crate::{error, headers};

/// How long connecting may take: a host that is gone doesn't answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(20);

/// How many unused connections are kept to each upstream.
const MAX_IDLE: usize = 64;

/// How often a silent connection is asked whether its other end still exists.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Sends requests on.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, Upload>,
    timeout: Duration,
    /// Whether the gateway answers CORS, so that upstreams must not.
    answers_cors: bool,
    /// Whether there is a proxy in front that can be believed.
    trusts_front: bool,
    upstreams: Upstreams,
}

impl Proxy {
    /// With connections of its own.
    pub(crate) fn new(settings: &Settings, upstreams: Upstreams) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector);
        Self {
            client,
            timeout: settings.upstream_timeout(),
            answers_cors: settings.http.cors_enabled,
            trusts_front: settings.http.trusted_proxy_hops > 0,
            upstreams,
        }
    }

    /// Sends `request` where `route` says and answers what comes back.
    pub(crate) async fn forward(&self, route: &Route, request: Request) -> Result<Response, ApiError> {
        let (mut parts, body) = request.into_parts();
        parts.uri = route.destination(&parts.uri).ok_or_else(error::ambiguous_path)?;
        parts.version = Version::HTTP_11;
        headers::strip_hop_by_hop(&mut parts.headers);
        headers::introduce(&mut parts, self.trusts_front);
        parts.extensions = Extensions::new();

        let answer = self.ask(route.upstream, parts, body).await?;
        let mut answer = answer.map(Body::new);
        *answer.version_mut() = Version::HTTP_11;
        headers::strip_hop_by_hop(answer.headers_mut());
        if self.answers_cors {
            headers::strip_cors(answer.headers_mut());
        }
        Ok(answer)
    }

    /// Sends a request to `upstream`, measured and traced, and answers what it says in time.
    async fn ask(
        &self,
        upstream: &'static str,
        mut parts: Parts,
        body: Body,
    ) -> Result<Response<hyper::body::Incoming>, ApiError> {
        let span = tracing::info_span!(
            "upstream",
            otel.kind = "client",
            otel.name = format!("{} {upstream}", parts.method),
            otel.status_code = field::Empty,
            http.request.method = %parts.method,
            http.response.status_code = field::Empty,
            server.address = parts.uri.host(),
        );
        span.in_scope(|| trace::pass_on(&mut parts.headers));
        let asked = Instant::now();
        let exchange = tokio::time::timeout(self.timeout, self.exchange(parts, body).instrument(span.clone()));
        let answer = match exchange.await {
            Err(_) => Err(error::too_slow(upstream)),
            Ok(Err(error)) => Err(explain(upstream, error)),
            Ok(Ok(answer)) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Err(error::broken(upstream, "it switched protocols unasked"))
            }
            Ok(Ok(answer)) => Ok(answer),
        };
        self.upstreams.duration.with_label_values(&[upstream]).observe(asked.elapsed().as_secs_f64());
        self.upstreams.requests.with_label_values(&[upstream, outcome(&span, &answer)]).inc();
        answer
    }

    async fn exchange(&self, parts: Parts, body: Body) -> Result<Response<hyper::body::Incoming>, Error> {
        let reads = [Method::GET, Method::HEAD].contains(&parts.method) && body.is_end_stream();
        let again = reads.then(|| parts.clone());
        let send = |parts, body| self.client.request(Request::from_parts(parts, Upload::new(body, MAX_BODY)));
        match (send(parts, body).await, again) {
            (Err(error), Some(again)) if broke_off(&error) => send(again, Body::empty()).await,
            (outcome, _) => outcome,
        }
    }
}

/// What came of a request, in a word; also noted on its span.
fn outcome<B>(span: &Span, answer: &Result<Response<B>, ApiError>) -> &'static str {
    let (status, word) = match answer {
        Ok(answer) => {
            span.record("http.response.status_code", answer.status().as_u16());
            (answer.status(), class(answer.status()))
        }
        Err(error) => (error.status(), error.code()),
    };
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    word
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// Whether the connection ended before an answer came.
fn broke_off(error: &Error) -> bool {
    !error.is_connect() && !cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
}

/// What a client is told about a request that came to nothing.
fn explain(upstream: &'static str, error: Error) -> ApiError {
    match cause::<UploadError>(&error) {
        Some(UploadError::TooLarge) => too_large(),
        Some(UploadError::Broken(_)) => body_broken(error),
        None if error.is_connect() => error::unreachable(upstream, error),
        None => error::broken(upstream, error),
    }
}

/// The first cause of `error` that is an `E`.
fn cause<E: StdError + 'static>(error: &Error) -> Option<&E> {
    std::iter::successors(error.source(), |&e| e.source()).find_map(|e| e.downcast_ref())
}
