//! What surrounds every handler, from outside: whatever a handler does, the client gets JSON it can show.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Request};
use axum::routing::{get, post};
use common::error::ApiError;
use common::http::{Envelope, Json, MAX_BODY, Path, RequestId, wrap};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// A service whose handlers do everything a handler shouldn't.
fn service() -> Router {
    let router = Router::new()
        .route("/id", get(async |id: RequestId| id.as_str().to_owned()))
        .route("/echo", post(async |Json(body): Json<Value>| Json(body)))
        .route("/number/{n}", get(async |Path(n): Path<i64>| n.to_string()))
        .route("/panic", get(panics))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_secs(30)).await))
        .route("/broken", get(async || ApiError::internal("the driver said: no such table `secrets`")))
        .route("/away", get(async || ApiError::unavailable("connection refused by 10.0.0.7")))
        .route("/nobody", get(async || ApiError::unauthorized("누구세요?", "Who are you?")));
    wrap(router, Envelope { service: "probe", timeout: Duration::from_millis(300), trusted_proxy_hops: 0 })
}

async fn panics() -> &'static str {
    panic!("a panic")
}

async fn send(request: axum::http::request::Builder, body: impl Into<Body>) -> (u16, HeaderMap, Value) {
    let response = service().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into()));
    (parts.status.as_u16(), parts.headers, body)
}

async fn get_path(path: &str) -> (u16, HeaderMap, Value) {
    send(Request::get(path), Body::empty()).await
}

#[tokio::test]
async fn every_failure_is_a_problem_document_that_gives_nothing_away() {
    for (path, status, code) in [
        ("/panic", 500, "internal"),
        ("/broken", 500, "internal"),
        ("/away", 503, "unavailable"),
        ("/slow", 504, "timeout"),
        ("/nowhere", 404, "not-found"),
        ("/number/x", 404, "not-found"),
        ("/echo", 405, "method-not-allowed"),
        ("/nobody", 401, "unauthorized"),
    ] {
        let (answered, headers, body) = get_path(path).await;
        assert_eq!((answered, body["code"].as_str()), (status, Some(code)), "{path}");
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{path}");
        assert_eq!(headers["x-request-id"], body["request_id"].as_str().unwrap(), "{path}");
        assert!(body["message"].as_str().is_some_and(|m| !m.is_empty()), "{path}");
        let text = body.to_string();
        assert!(!text.contains("secrets") && !text.contains("10.0.0.7") && !text.contains("panic"), "{text}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do_next() {
    assert!(get_path("/away").await.1[RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(get_path("/nobody").await.1[WWW_AUTHENTICATE], "Bearer");
    assert_eq!(get_path("/echo").await.1[ALLOW], "POST");
    assert_eq!(get_path("/id").await.1[CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn a_sensible_request_id_is_kept_and_any_other_is_replaced() {
    let sent = async |id: &str| send(Request::get("/id").header("x-request-id", id), Body::empty()).await;
    let (_, headers, body) = sent("trace-0123.4567_A").await;
    assert_eq!(headers["x-request-id"], "trace-0123.4567_A");
    assert_eq!(body, "trace-0123.4567_A");
    for refused in ["short", "with space in it", "<script>alert(1)</script>", &"a".repeat(65)] {
        assert_ne!(sent(refused).await.1["x-request-id"], refused);
    }
}

#[tokio::test]
async fn a_body_is_read_whole_or_refused() {
    let echo = async |content_type: &str, body: Vec<u8>| {
        let (status, _, answer) = send(Request::post("/echo").header(CONTENT_TYPE, content_type), body).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    let long = json!({ "name": "가".repeat(40_000) }).to_string().into_bytes();
    assert!(long.len() > 100_000);
    assert_eq!(echo("application/json; charset=utf-8", long).await.0, 200);
    for malformed in ["", "null", "[]", "\"text\"", "7", "{", "{} {}", "{\"a\":1,}"] {
        assert_eq!(echo("application/json", malformed.into()).await, (400, "malformed-json".to_owned()), "{malformed}");
    }
    assert_eq!(echo("text/plain", b"{}".to_vec()).await, (415, "unsupported-media-type".to_owned()));
    let beyond = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY)).into_bytes();
    assert_eq!(echo("application/json", beyond).await, (413, "body-too-large".to_owned()));
    let declared = Request::post("/echo").header(CONTENT_TYPE, "application/json").header(CONTENT_LENGTH, "99999999");
    assert_eq!(send(declared, "{}").await.0, 413);
}

#[tokio::test]
async fn work_goes_on_when_its_client_is_gone() {
    let done = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&done);
    let work = async move || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        mark.store(true, Ordering::SeqCst);
    };
    let router = Router::new().route("/work", post(work));
    let service = wrap(router, Envelope { service: "probe", timeout: Duration::from_secs(5), trusted_proxy_hops: 0 });
    let call = service.oneshot(Request::post("/work").body(Body::empty()).unwrap());
    assert!(tokio::time::timeout(Duration::from_millis(20), call).await.is_err(), "the client hangs up");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(done.load(Ordering::SeqCst), "a transaction half-way through would have been dropped");
}

#[tokio::test]
async fn work_that_hangs_is_broken_off_in_the_end() {
    let (held, mut dropped) = tokio::sync::mpsc::channel::<()>(1);
    let hang = async move || {
        let _connection = held.clone();
        std::future::pending::<()>().await;
    };
    let envelope = Envelope { service: "probe", timeout: Duration::from_millis(50), trusted_proxy_hops: 0 };
    let service = wrap(Router::new().route("/hang", get(hang)), envelope);
    let answer = service.oneshot(Request::get("/hang").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 504);
    // All that held it is gone, the router with the answer.
    assert_eq!(dropped.recv().await, None);
}
