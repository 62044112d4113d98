//! A gateway on a port of its own, a client of it, and upstreams to stand behind it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use common::http::{Envelope, Limits, Server, cors, wrap};
use common::metrics::Registry;
use common::service::Service;
use common::shutdown::Shutdown;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// An origin that is allowed everywhere.
pub(crate) const ORIGIN: &str = "https://www.cloudjet.click";

/// What takes longer hangs, however slow the machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The settings of all upstreams.
const UPSTREAMS: [&str; 5] =
    ["AUTH_SERVICE_URL", "FLIGHT_SERVICE_URL", "BOOKING_SERVICE_URL", "ADMIN_SERVICE_URL", "PAYMENT_SERVICE_URL"];

/// Serves `router` on a free port of this machine.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    serve_within(Limits::default(), router).await
}

async fn serve_within(limits: Limits, router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Server::new(router, limits).serve(listener, Shutdown::default()));
    address
}

/// Serves `router` as our services do, in the common envelope.
pub(crate) async fn serve_enveloped(router: Router) -> SocketAddr {
    let envelope = Envelope { service: "upstream", timeout: Duration::from_secs(10), trusted_proxy_hops: 1 };
    serve(wrap(router, envelope)).await
}

/// The URL of `address`.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// A gateway and a client of it.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Registry,
    client: Client<HttpConnector, Body>,
}

impl Gateway {
    /// A gateway with settings as the environment would give them.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::within(Limits::default(), settings).await
    }

    /// The same, with other limits than usual.
    pub(crate) async fn within(limits: Limits, settings: &[(&str, &str)]) -> Self {
        let variables: BTreeMap<_, _> = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let settings: gateway::Settings = common::config::load(&[], &variables).unwrap();
        let envelope = Envelope {
            service: gateway::Gateway::NAME,
            timeout: gateway::Gateway::TIMEOUT,
            trusted_proxy_hops: settings.http.trusted_proxy_hops,
        };
        let cors = cors::layer(&settings.http);
        let metrics = Registry::default();
        let router = wrap(gateway::Gateway::build(settings, &metrics).unwrap().router, envelope);
        let address = serve_within(limits, if let Some(cors) = cors { router.layer(cors) } else { router }).await;
        Self { address, metrics, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// A gateway that sends everything to one upstream, and is as patient with it as usual.
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        Self::before_with(upstream, &[]).await
    }

    /// The same with one second's patience, for an upstream that takes longer.
    pub(crate) async fn impatient_before(upstream: SocketAddr) -> Self {
        Self::before_with(upstream, &[("UPSTREAM_TIMEOUT_SECONDS", "1")]).await
    }

    /// The same, with more settings.
    pub(crate) async fn before_with(upstream: SocketAddr, more: &[(&str, &str)]) -> Self {
        let upstream = url(upstream);
        let mut settings = UPSTREAMS.map(|name| (name, upstream.as_str())).to_vec();
        settings.extend_from_slice(more);
        Self::start(&settings).await
    }

    /// A request to it, to be completed.
    pub(crate) fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        Request::builder().method(method).uri(format!("http://{}{path}", self.address))
    }

    /// Sends a request and answers as soon as the head of the answer is there.
    pub(crate) async fn open(&self, request: Request<Body>) -> Response<Incoming> {
        tokio::time::timeout(PATIENCE, self.client.request(request)).await.unwrap().unwrap()
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// `GET path`
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    /// `POST path`
    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(self.request(Method::POST, path).body(body.into()).unwrap()).await
    }

    /// Sends these bytes, and answers all that comes back until the connection is closed.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    /// The only value of a header; empty if there is none.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map_or("", |v| v.to_str().unwrap());
        assert!(values.next().is_none(), "{name} stands there twice: {:?}", self.headers);
        value
    }

    /// Asserts a refusal by the gateway itself: a problem document that a browser may read.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
        assert!(body["message"].as_str().is_some_and(|m| !m.is_empty()), "{body}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("x-request-id"), body["request_id"].as_str().unwrap());
    }
}

/// An upstream that answers what reached it: `{"upstream", "method", "uri", "headers": {name: [values]}, "length"}`.
pub(crate) fn echo(name: &'static str) -> Router {
    Router::new().fallback(async move |request: Request| {
        let (parts, body) = request.into_parts();
        let mut headers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in &parts.headers {
            headers.entry(name.as_str()).or_default().push(value.to_str().unwrap());
        }
        axum::Json(json!({
            "upstream": name,
            "method": parts.method.as_str(),
            "uri": parts.uri.to_string(),
            "headers": headers,
            "length": body.collect().await.unwrap().to_bytes().len(),
        }))
    })
}

/// An upstream made by hand: `talk` speaks to each connection.
pub(crate) async fn by_hand<F: Future<Output = ()> + Send>(
    talk: impl Fn(TcpStream, usize) -> F + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 1.. {
            let (stream, _) = listener.accept().await.unwrap();
            let talk = talk.clone();
            tokio::spawn(async move { talk(stream, number).await });
        }
    });
    address
}

/// Reads a request's head, and its body as far as it came along. Empty at the connection's end.
pub(crate) async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        if matches!(stream.read_buf(&mut request).await, Ok(0) | Err(_)) {
            break;
        }
    }
    String::from_utf8(request).unwrap()
}

/// A body that is written by hand.
pub(crate) struct Fed(mpsc::Receiver<Bytes>);

/// A body without a length, and what feeds it.
pub(crate) fn fed() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Body::new(Fed(receiver)))
}

impl HttpBody for Fed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|b| Ok(Frame::data(b))))
    }
}
