//! What is measured about requests, and the line each leaves in the log.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::routing::{get, post};
use common::http::{Envelope, measure, wrap};
use common::metrics::{Registry, endpoint};
use http_body_util::BodyExt;
use tower::ServiceExt;

fn service(metrics: &Registry) -> Router {
    let router = Router::new()
        .route("/bookings/{number}", get(async || "here"))
        .route("/bookings", post(async || "made"))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_mins(1)).await));
    let envelope = Envelope { service: "probe", timeout: Duration::from_secs(90), trusted_proxy_hops: 0 };
    measure(wrap(router, envelope), metrics).unwrap()
}

async fn ask(service: &Router, method: &str, path: &str) -> u16 {
    let request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn requests_are_counted_by_template_method_and_status() {
    let metrics = Registry::default();
    let service = service(&metrics);
    for number in ["CJ1", "CJ2", "CJ3"] {
        assert_eq!(ask(&service, "GET", &format!("/bookings/{number}")).await, 200);
    }
    assert_eq!(ask(&service, "POST", "/bookings").await, 200);
    assert_eq!(ask(&service, "DELETE", "/bookings").await, 405);
    let text = metrics.text().unwrap();
    for line in [
        "cloudjet_http_requests_total{method=\"GET\",route=\"/bookings/{number}\",status=\"200\"} 3",
        "cloudjet_http_requests_total{method=\"POST\",route=\"/bookings\",status=\"200\"} 1",
        "cloudjet_http_requests_total{method=\"DELETE\",route=\"/bookings\",status=\"405\"} 1",
        "cloudjet_http_request_duration_seconds_count{method=\"GET\",route=\"/bookings/{number}\"} 3",
        "cloudjet_http_requests_in_flight 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn failures_are_counted_from_nought_so_that_the_first_of_them_is_seen() {
    let metrics = Registry::default();
    let service = service(&metrics);
    {
        let mut asking = std::pin::pin!(ask(&service, "GET", "/slow"));
        assert!(futures_util::poll!(&mut asking).is_pending());
        let text = metrics.text().unwrap();
        for status in [500, 502, 503, 504] {
            let line = format!("cloudjet_http_requests_total{{method=\"GET\",route=\"/slow\",status=\"{status}\"}} 0");
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
    assert!(!metrics.text().unwrap().contains("route=\"/bookings\""), "nobody has asked for it");
}

#[tokio::test]
async fn a_client_that_hangs_up_is_counted_as_such() {
    let metrics = Registry::default();
    let service = service(&metrics);
    {
        let mut asking = std::pin::pin!(ask(&service, "GET", "/slow"));
        assert!(futures_util::poll!(&mut asking).is_pending());
        assert!(metrics.text().unwrap().contains("cloudjet_http_requests_in_flight 1"));
    }
    let text = metrics.text().unwrap();
    assert!(text.contains("{method=\"GET\",route=\"/slow\",status=\"499\"} 1"), "{text}");
    assert!(text.contains("cloudjet_http_requests_in_flight 0"), "{text}");
}

#[tokio::test]
async fn whatever_clients_make_up_makes_no_new_series() {
    let metrics = Registry::of_process("probe").unwrap();
    let service = service(&metrics);
    let series = |text: &str| text.lines().filter(|l| !l.starts_with('#')).count();
    for made_up in 0..2 {
        assert_eq!(ask(&service, &format!("VERB{made_up}"), &format!("/made/up/{made_up}")).await, 404);
    }
    let before = series(&metrics.text().unwrap());
    for made_up in 0..200 {
        assert_eq!(ask(&service, &format!("METHOD{made_up}"), &format!("/{made_up}/kim@example.com")).await, 404);
    }
    let text = metrics.text().unwrap();
    assert_eq!(series(&text), before, "{text}");
    assert!(text.contains("{method=\"other\",route=\"none\",status=\"404\"} 202"), "{text}");
}

#[tokio::test]
async fn metrics_are_text_that_prometheus_reads() {
    let metrics = Registry::of_process("probe").unwrap();
    let service = service(&metrics);
    assert_eq!(ask(&service, "GET", "/bookings/CJ1").await, 200);
    let fetch = Request::get("/metrics").body(Body::empty()).unwrap();
    let answer = endpoint(metrics).oneshot(fetch).await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().into()).unwrap();
    let mut described = Vec::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            described.push(help.split(' ').next().unwrap().to_owned());
        } else if !line.starts_with("# TYPE ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = series.split('{').next().unwrap();
            assert!(described.last().is_some_and(|d| name.starts_with(d.as_str())), "{line}");
        }
    }
    for needed in
        ["cloudjet_build_info", "cloudjet_http_requests_total", "process_resident_memory_bytes", "process_open_fds"]
    {
        assert!(described.iter().any(|d| d == needed), "{needed} in {described:?}");
    }
}
