//! A client of a service under test: HTTP in, status and JSON out, no port needed.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// Calls a router as a browser would. Every method answers a client to go on with, so calls chain.
#[derive(Clone, Debug)]
pub struct Client {
    router: Router,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null if it was empty.
    pub body: Value,
    /// The body as it came.
    pub bytes: Bytes,
}

impl Client {
    /// A client that isn't signed in.
    pub fn anonymous(router: Router) -> Self {
        Self { router, headers: Vec::new() }
    }

    /// The same client with a session.
    #[must_use]
    pub fn signed_in(&self, token: &str) -> Self {
        self.with(AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// The same client, preferring English.
    #[must_use]
    pub fn in_english(&self) -> Self {
        self.with(ACCEPT_LANGUAGE, "en")
    }

    /// The same client, naming its requests `key`.
    #[must_use]
    pub fn keyed(&self, key: &str) -> Self {
        self.with(HeaderName::from_static("idempotency-key"), key)
    }

    /// The same client sending one more header.
    ///
    /// # Panics
    /// When the value is more than printable ASCII.
    #[must_use]
    pub fn with(&self, name: HeaderName, value: &str) -> Self {
        self.with_bytes(name, value.parse().expect("a header's value"))
    }

    /// The same client sending one more header, of any bytes.
    #[must_use]
    pub fn with_bytes(&self, name: HeaderName, value: HeaderValue) -> Self {
        let mut client = self.clone();
        client.headers.push((name, value));
        client
    }

    /// `GET path`
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Body::empty()).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some("application/json"), Body::from(body.to_string())).await
    }

    /// `PUT path` with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some("application/json"), Body::from(body.to_string())).await
    }

    /// `DELETE path`
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, Body::empty()).await
    }

    /// Any request at all.
    ///
    /// # Panics
    /// When the answer isn't JSON.
    pub async fn send(&self, method: Method, path: &str, content_type: Option<&str>, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(body).expect("a well-formed request");
        let response = self.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&bytes)))
        };
        Answer { status: parts.status, headers: parts.headers, body, bytes }
    }
}

impl Answer {
    /// Asserts the status, showing the body if it is another one.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    #[must_use]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// Asserts that it is `first` once more, byte for byte.
    ///
    /// # Panics
    /// When it is anything else.
    #[track_caller]
    pub fn repeats(self, first: &Self) {
        assert_eq!((self.status, &self.bytes), (first.status, &first.bytes));
        assert_eq!(self.headers.get(CONTENT_TYPE), first.headers.get(CONTENT_TYPE));
        assert_eq!(self.headers.get("idempotent-replayed").map(HeaderValue::as_bytes), Some(b"true".as_slice()));
        assert!(!first.headers.contains_key("idempotent-replayed"), "the first is no repetition");
    }

    /// Asserts a refusal: its status and code, and that it says something to people.
    ///
    /// # Panics
    /// When it is anything else.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert!(self.body["message"].as_str().is_some_and(|m| !m.is_empty()), "{}", self.body);
    }

    /// Asserts a 400 that names `field`.
    ///
    /// # Panics
    /// When it is anything else.
    #[track_caller]
    pub fn refused_field(self, field: &str) {
        assert_eq!(
            (self.status.as_u16(), self.body["errors"][0]["field"].as_str()),
            (400, Some(field)),
            "{}",
            self.body
        );
        assert!(self.body["message"].as_str().is_some_and(|m| m.contains(field)), "{}", self.body);
    }
}
