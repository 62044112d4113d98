//! Which pages may read what: told by the gateway, once, on every answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use axum::http::header::ORIGIN as ORIGIN_HEADER;
use testkit::Port;

use crate::support::{Answer, Gateway, ORIGIN, by_hand, serve};

async fn asked_from(gateway: &Gateway, origin: &str, method: Method, path: &str, body: Body) -> Answer {
    gateway.send(gateway.request(method, path).header(ORIGIN_HEADER, origin).body(body).unwrap()).await
}

async fn preflight(gateway: &Gateway, origin: &str, path: &str) -> Answer {
    let request = gateway
        .request(Method::OPTIONS, path)
        .header(ORIGIN_HEADER, origin)
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization,content-type");
    gateway.send(request.body(Body::empty()).unwrap()).await
}

/// An upstream with an opinion of its own on CORS, which counts what it is asked.
async fn opinionated() -> (SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let router = Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::SeqCst);
        let headers = [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-thing"),
            ("vary", "origin, access-control-request-method, access-control-request-headers, accept-language"),
        ];
        (headers, "{}")
    });
    (serve(router).await, asked)
}

#[tokio::test]
async fn a_preflight_is_answered_without_asking_anybody() {
    let (upstream, asked) = opinionated().await;
    let gateway = Gateway::before(upstream).await;
    for path in ["/api/bookings", "/api/auth/login", "/api/user/profile", "/api/nowhere"] {
        let answer = preflight(&gateway, ORIGIN, path).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
        let methods = answer.header("access-control-allow-methods");
        assert!(["GET", "POST", "PUT", "DELETE"].iter().all(|m| methods.contains(m)), "{methods}");
        let headers = answer.header("access-control-allow-headers");
        assert!(["authorization", "content-type", "idempotency-key"].iter().all(|h| headers.contains(h)), "{headers}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_tells_it_once_whatever_the_upstream_says() {
    let (upstream, _) = opinionated().await;
    let gateway = Gateway::before(upstream).await;
    let answer = asked_from(&gateway, ORIGIN, Method::GET, "/api/flights/x", Body::empty()).await;
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert_eq!(answer.header("access-control-expose-headers"), "retry-after,x-request-id,idempotent-replayed");
    let vary: Vec<_> = answer.headers.get_all("vary").iter().map(|v| v.to_str().unwrap()).collect();
    let vary = vary.join(", ").to_ascii_lowercase();
    assert_eq!(vary.matches("origin").count(), 1, "{vary}");
    assert!(vary.contains("accept-language"), "{vary}");
}

#[tokio::test]
async fn a_foreign_page_gets_no_leave_even_if_the_upstream_gives_it() {
    let (upstream, _) = opinionated().await;
    let gateway = Gateway::before(upstream).await;
    for origin in ["https://evil.test", "https://www.cloudjet.click.evil.test", "http://localhost:5500", "null"] {
        let answer = asked_from(&gateway, origin, Method::GET, "/api/flights/x", Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, ""), "{origin}");
        assert_eq!(preflight(&gateway, origin, "/api/flights/x").await.header("access-control-allow-origin"), "");
    }
    let development = Gateway::before_with(upstream, &[("CLOUDJET_ENV", "development")]).await;
    let answer = asked_from(&development, "http://localhost:5500", Method::GET, "/api/flights/x", Body::empty()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:5500");
}

#[tokio::test]
async fn the_gateways_own_refusals_can_be_read_too() {
    let silent = by_hand(async |stream, _| {
        tokio::time::sleep(std::time::Duration::from_mins(2)).await;
        drop(stream);
    })
    .await;
    let rude = by_hand(async |stream, _| drop(stream)).await;
    let nobody = Port::kept();
    let gateways =
        [Gateway::impatient_before(silent).await, Gateway::before(rude).await, Gateway::before(nobody.address()).await];
    let large = || Body::from(vec![0_u8; common::http::MAX_BODY + 1]);
    for (gateway, method, path, body, status) in [
        (&gateways[0], Method::GET, "/api/flights/x", Body::empty(), 504),
        (&gateways[1], Method::POST, "/api/flights/x", Body::from("{}"), 502),
        (&gateways[2], Method::GET, "/api/flights/x", Body::empty(), 503),
        (&gateways[0], Method::GET, "/nowhere", Body::empty(), 404),
        (&gateways[0], Method::TRACE, "/api/flights/x", Body::empty(), 405),
        (&gateways[0], Method::GET, "/api/flights/../x", Body::empty(), 400),
        (&gateways[0], Method::POST, "/api/flights/x", large(), 413),
    ] {
        let answer = asked_from(gateway, ORIGIN, method, path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN, "{status}");
        assert!(answer.json()["message"].as_str().is_some_and(|m| !m.is_empty()), "{status}");
    }
}

#[tokio::test]
async fn where_it_is_switched_off_the_upstream_is_asked_and_heard() {
    let (upstream, asked) = opinionated().await;
    let gateway = Gateway::before_with(upstream, &[("CORS_ENABLED", "false")]).await;
    let answer = preflight(&gateway, ORIGIN, "/api/flights/x").await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("vary").contains("origin"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
