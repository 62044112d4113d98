//! What headers say on either side of the gateway.

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use axum::routing::get;
use serde_json::{Value, json};

use crate::support::{Gateway, by_hand, echo, read_request, serve};
use tokio::io::AsyncWriteExt;

async fn seen(gateway: &Gateway, headers: &[(&str, &str)]) -> Value {
    let request = headers
        .iter()
        .fold(gateway.request(Method::GET, "/api/auth/x"), |request, (name, value)| request.header(*name, *value));
    gateway.send(request.body(Body::empty()).unwrap()).await.json()["headers"].clone()
}

#[tokio::test]
async fn what_is_meant_for_one_connection_does_not_reach_the_upstream() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    let answer = gateway
        .raw(
            "POST /api/auth/x HTTP/1.1\r\nHost: api.cloudjet.click\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\n\
             Keep-Alive: timeout=5\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: close\r\nTE: trailers\r\n\
             Trailer: X-Sum\r\nUpgrade: websocket\r\nX-Kept: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        )
        .await;
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let headers = body["headers"].as_object().unwrap();
    for name in
        ["connection", "x-secret", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "upgrade"]
    {
        assert!(!headers.contains_key(name), "{name} in {body}");
    }
    assert_eq!((&headers["x-kept"], &body["length"]), (&json!(["1"]), &json!(2)));
}

#[tokio::test]
async fn what_the_upstream_says_of_its_connection_does_not_reach_the_client() {
    let upstream = by_hand(async |mut stream, _| {
        read_request(&mut stream).await;
        let answer = "HTTP/1.1 200 OK\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\n\
                      Proxy-Authenticate: Basic\r\nTransfer-Encoding: chunked\r\nX-Kept: 1\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let answer = Gateway::before(upstream).await.get("/api/auth/x").await;
    for name in ["connection", "x-secret", "keep-alive", "proxy-authenticate"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    assert_eq!((answer.header("x-kept"), &answer.body[..]), ("1", &b"hi"[..]));
}

#[tokio::test]
async fn either_side_speaks_its_own_version() {
    let old = by_hand(async |mut stream, _| {
        let request = read_request(&mut stream).await;
        let version = request.lines().next().unwrap().split(' ').next_back().unwrap();
        stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\nyou spoke {version}").as_bytes()).await.unwrap();
    })
    .await;
    let gateway = Gateway::before(old).await;
    let answer = gateway.raw("GET /api/auth/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("you spoke HTTP/1.1"), "{answer}");
    let answer = gateway.raw("GET /api/auth/x HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200") && answer.ends_with("you spoke HTTP/1.1"), "{answer}");
}

#[tokio::test]
async fn the_upstream_learns_who_asked_and_under_which_name() {
    let upstream = serve(echo("any")).await;
    let gateway = Gateway::before(upstream).await;
    let ours = gateway.address.to_string();
    let headers = seen(&gateway, &[]).await;
    assert_eq!(headers["host"], json!([upstream.to_string()]));
    assert_eq!(headers["x-forwarded-for"], json!(["127.0.0.1"]));
    assert_eq!(headers["x-forwarded-host"], json!([ours]));
    assert_eq!(headers["x-forwarded-proto"], json!(["http"]));

    let claims = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "7.7.7.7"),
        ("x-forwarded-host", "www.cloudjet.click"),
        ("x-forwarded-proto", "https"),
    ];
    let headers = seen(&gateway, &claims).await;
    assert_eq!(headers["x-forwarded-for"], json!(["6.6.6.6, 7.7.7.7, 127.0.0.1"]));
    assert_eq!(headers["x-forwarded-host"], json!([ours]));
    assert_eq!(headers["x-forwarded-proto"], json!(["http"]));

    let behind = Gateway::before_with(upstream, &[("TRUSTED_PROXY_HOPS", "1")]).await;
    let headers = seen(&behind, &claims).await;
    assert_eq!(headers["x-forwarded-host"], json!(["www.cloudjet.click"]));
    assert_eq!(headers["x-forwarded-proto"], json!(["https"]));
}

#[tokio::test]
async fn what_is_the_callers_own_passes() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    let headers = [
        ("authorization", "Bearer t"),
        ("content-type", "application/json"),
        ("accept-language", "en;q=0.5"),
        ("idempotency-key", "k-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-custom", "a"),
        ("x-custom", "b"),
    ];
    let seen = seen(&gateway, &headers).await;
    for (name, value) in &headers[..5] {
        assert_eq!(seen[name], json!([value]));
    }
    assert_eq!(seen["x-custom"], json!(["a", "b"]));
}

#[tokio::test]
async fn one_request_id_goes_all_the_way_and_comes_back_once() {
    let upstream = Router::new().route(
        "/api/auth/x",
        get(async |headers: axum::http::HeaderMap| {
            ([("x-request-id", "an-id-of-its-own")], headers["x-request-id"].to_str().unwrap().to_owned())
        }),
    );
    let gateway = Gateway::before(serve(upstream).await).await;
    let ours = gateway.get("/api/auth/x").await;
    assert_eq!(ours.body, ours.header("x-request-id"));
    assert_ne!(ours.header("x-request-id"), "an-id-of-its-own");

    for (sent, kept) in [("the-callers-own-id", true), ("no good", false)] {
        let request = gateway.request(Method::GET, "/api/auth/x").header("x-request-id", sent);
        let answer = gateway.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.body, answer.header("x-request-id"));
        assert_eq!(answer.header("x-request-id") == sent, kept, "{sent}");
    }
}
