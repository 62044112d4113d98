//! Where requests go, and what is left alone on the way there and back.

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{Method, StatusCode};
use axum::response::{AppendHeaders, Html, IntoResponse};
use axum::routing::get;

use crate::support::{Gateway, echo, serve, url};

#[tokio::test]
async fn each_path_reaches_its_service() {
    let mut settings = Vec::new();
    for (setting, name) in [
        ("AUTH_SERVICE_URL", "auth"),
        ("FLIGHT_SERVICE_URL", "flight"),
        ("BOOKING_SERVICE_URL", "booking"),
        ("ADMIN_SERVICE_URL", "admin"),
        ("PAYMENT_SERVICE_URL", "payment"),
    ] {
        settings.push((setting, url(serve(echo(name)).await)));
    }
    let settings: Vec<_> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let gateway = Gateway::start(&settings).await;
    for (asked, upstream, known) in [
        ("/api/auth/login", "auth", "/api/auth/login"),
        ("/api/auth", "auth", "/api/auth"),
        ("/api/flights/search?departure=ICN&arrival=NRT", "flight", "/api/flights/search?departure=ICN&arrival=NRT"),
        ("/api/flights/", "flight", "/api/flights/"),
        ("/api/bookings", "booking", "/api/bookings"),
        ("/api/bookings?page=2", "booking", "/api/bookings?page=2"),
        ("/api/bookings/CJ1234/cancel", "booking", "/api/bookings/CJ1234/cancel"),
        ("/api/admin/flights", "admin", "/api/admin/flights"),
        ("/api/payments/init", "payment", "/api/payments/init"),
        ("/api/airports", "flight", "/api/flights/airports"),
        ("/api/airports?q=%EC%84%9C%EC%9A%B8", "flight", "/api/flights/airports?q=%EC%84%9C%EC%9A%B8"),
        ("/api/promotions", "flight", "/api/flights/promotions"),
        ("/api/promotions/3", "flight", "/api/flights/promotions/3"),
        ("/api/user/profile", "auth", "/api/auth/profile"),
        ("/api/health", "auth", "/api/auth/health"),
    ] {
        let answer = gateway.get(asked).await.json();
        assert_eq!((answer["upstream"].as_str(), answer["uri"].as_str()), (Some(upstream), Some(known)), "{asked}");
    }
}

#[tokio::test]
async fn path_and_query_keep_their_spelling() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    for path in [
        "/api/flights/a%2Fb%20c/%ED%95%9C",
        "/api/flights//x/",
        "/api/flights/x?",
        "/api/flights/x?a=1&a=2&b=%20+%2B&c=/../&d=;'",
        "/api/flights/100%25",
        "/api/flights/file.name/...",
    ] {
        assert_eq!(gateway.get(path).await.json()["uri"], path);
    }
}

#[tokio::test]
async fn a_path_that_only_begins_like_a_route_is_none() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/authx",
        "/api/bookingsx/1",
        "/api/user",
        "/api/user/profiles",
        "/api/healthz",
        "/API/auth",
        "/api/%61uth/login",
        "//api/auth",
        "/api//auth",
        "/x/api/auth",
        "/livez",
    ] {
        gateway.get(path).await.refused(404, "not-found");
        gateway.post(path, "{}").await.refused(404, "not-found");
    }
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_refused() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    for path in ["/api/auth/../admin/flights", "/api/auth/%2e%2E/admin", "/api/auth/..%2Fadmin", "/api/auth/./me"] {
        gateway.get(path).await.refused(400, "ambiguous-path");
    }
    gateway.get("/api/../api/auth").await.refused(404, "not-found");
}

#[tokio::test]
async fn an_absolute_target_names_no_other_host() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    let answer = gateway
        .raw("GET http://127.0.0.1:1/api/auth/x HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""uri":"/api/auth/x""#), "{answer}");
}

#[tokio::test]
async fn methods_pass_except_those_that_would_tell_of_the_way() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = gateway.send(gateway.request(method.clone(), "/api/auth/x").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.json()["method"], method.as_str());
    }
    for method in [Method::TRACE, Method::from_bytes(b"PROPFIND").unwrap()] {
        let answer = gateway.send(gateway.request(method, "/api/auth/x").body(Body::empty()).unwrap()).await;
        answer.refused(405, "method-not-allowed");
        assert!(answer.header("allow").contains("DELETE"));
    }
}

#[tokio::test]
async fn what_an_upstream_answers_is_left_as_it_is() {
    let upstream = Router::new()
        .route("/api/auth/page", get(async || (StatusCode::INTERNAL_SERVER_ERROR, Html("<h1>오류</h1>"))))
        .route("/api/auth/moved", get(async || (StatusCode::FOUND, [(LOCATION, "http://127.0.0.1:1/x")])))
        .route("/api/auth/cookies", get(async || AppendHeaders([(SET_COOKIE, "a=1"), (SET_COOKIE, "b=2")])))
        .route("/api/auth/gone", get(async || StatusCode::NO_CONTENT))
        .route("/api/auth/busy", get(async || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], "{}")))
        .route("/api/auth/bytes", get(async || ([(CONTENT_TYPE, "x/y")], vec![0_u8, 255, 10]).into_response()));
    let gateway = Gateway::before(serve(upstream).await).await;

    let page = gateway.get("/api/auth/page").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (500, "text/html; charset=utf-8"));
    assert_eq!(page.body, "<h1>오류</h1>");
    let moved = gateway.get("/api/auth/moved").await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (302, "http://127.0.0.1:1/x"));
    let cookies = gateway.get("/api/auth/cookies").await;
    assert_eq!(cookies.headers.get_all(SET_COOKIE).iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    let gone = gateway.get("/api/auth/gone").await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    let busy = gateway.get("/api/auth/busy").await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after"), &busy.body[..]), (429, "7", &b"{}"[..]));
    let bytes = gateway.get("/api/auth/bytes").await;
    assert_eq!((bytes.header("content-type"), &bytes.body[..]), ("x/y", &[0, 255, 10][..]));
}

#[tokio::test]
async fn head_is_answered_with_the_length_and_no_body() {
    let upstream = Router::new().route("/api/flights/x", get(async || "twelve bytes"));
    let gateway = Gateway::before(serve(upstream).await).await;
    let answer = gateway.send(gateway.request(Method::HEAD, "/api/flights/x").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-length"), answer.body.len()), (200, "12", 0));
    assert_eq!(gateway.get("/api/flights/x").await.body, "twelve bytes");
}
