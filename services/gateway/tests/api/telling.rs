//! What is measured about the services behind, and which trace they hear of.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use serde_json::json;

use crate::support::{Gateway, echo, serve};

#[tokio::test]
async fn requests_are_counted_by_upstream_and_outcome() {
    let upstream = Router::new()
        .route("/api/auth/good", get(async || "good"))
        .route("/api/auth/bad", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/api/auth/slow", get(async || tokio::time::sleep(Duration::from_secs(30)).await));
    let nowhere = format!("http://{}", SocketAddr::from(([127, 0, 0, 1], 1)));
    let settings = [("UPSTREAM_TIMEOUT_SECONDS", "2"), ("FLIGHT_SERVICE_URL", &nowhere)];
    let gateway = Gateway::before_with(serve(upstream).await, &settings).await;
    for (path, status) in [
        ("/api/auth/good", 200),
        ("/api/auth/bad", 500),
        ("/api/auth/none", 404),
        ("/api/auth/slow", 504),
        ("/api/flights/search", 503),
    ] {
        assert_eq!(gateway.get(path).await.status, status, "{path}");
    }
    let text = gateway.metrics.text().unwrap();
    for (outcome, upstream) in [
        ("2xx", "auth-service"),
        ("4xx", "auth-service"),
        ("5xx", "auth-service"),
        ("upstream-timeout", "auth-service"),
        ("upstream-unavailable", "flight-service"),
    ] {
        let line = format!("cloudjet_upstream_requests_total{{outcome=\"{outcome}\",upstream=\"{upstream}\"}} 1");
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
    let measured = "cloudjet_upstream_request_duration_seconds_count{upstream=\"auth-service\"} 4";
    assert!(text.lines().any(|l| l == measured), "{text}");
}

#[tokio::test]
async fn a_callers_trace_goes_on_where_nobody_collects_any() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = gateway.request(Method::GET, "/api/auth/x").header("traceparent", parent).header("tracestate", "v=1");
    let headers = gateway.send(request.body(Body::empty()).unwrap()).await.json()["headers"].clone();
    assert_eq!((&headers["traceparent"], &headers["tracestate"]), (&json!([parent]), &json!(["v=1"])));
}
