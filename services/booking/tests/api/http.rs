//! What every answer has in common: JSON errors, two languages, an id.

use axum::body::Body;
use axum::http::Method;
use axum::http::header::ACCEPT_LANGUAGE;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::Service;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_unknown_path_is_404_in_json(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = Service::start(database).client;
    for path in [
        "/",
        "/api",
        "/api/booking",
        "/api/bookings/",
        "/api/bookings/CJ00000000/",
        "/api/bookings/CJ00000000/cancel/",
        "/api/bookings/CJ00000000/refund",
        "/api/bookings/occupied-seats/",
        "/api/bookings/occupied-seats/1/2",
        "/api/health",
        "/bookings",
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
        answer.refused(404, "not-found");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_wrong_verb_is_405_in_json(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = Service::start(database).client;
    for (method, path, allowed) in [
        (Method::PUT, "/api/bookings", "POST"),
        (Method::DELETE, "/api/bookings", "GET"),
        (Method::POST, "/api/bookings/CJ00000000", "GET"),
        (Method::DELETE, "/api/bookings/CJ00000000", "GET"),
        (Method::GET, "/api/bookings/CJ00000000/cancel", "POST"),
        (Method::POST, "/api/bookings/CJ00000000/seats", "PUT"),
        (Method::POST, "/api/bookings/seat-map/1", "GET"),
        (Method::PUT, "/api/bookings/CJ00000000/cancel", "POST"),
        (Method::POST, "/api/bookings/occupied-seats/1", "GET"),
        (Method::POST, "/api/bookings/health", "GET"),
    ] {
        let answer = client.send(method.clone(), path, None, Body::empty()).await;
        assert!(answer.headers["allow"].to_str().unwrap().contains(allowed), "{method} {path}");
        answer.refused(405, "method-not-allowed");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refusals_are_korean_unless_english_is_preferred(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = Service::start(database).client;
    let korean = client.get("/api/bookings").await.expect(401);
    assert_eq!(korean["message"], "로그인이 필요합니다.");
    let english = client.in_english().get("/api/bookings").await.expect(401);
    assert_eq!(english["message"], "Please log in.");
    for preferred in ["ko-KR,ko;q=0.9,en;q=0.5", "fr", "*", ""] {
        let answer = client.with(ACCEPT_LANGUAGE, preferred).get("/api/bookings").await.expect(401);
        assert_eq!(answer["message"], korean["message"], "{preferred}");
    }
    let answer = client.with(ACCEPT_LANGUAGE, "ko;q=0.2, en-GB").get("/api/bookings").await.expect(401);
    assert_eq!(answer["message"], english["message"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_answer_names_its_request_and_is_not_kept_by_browsers(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let answer = service.traveller().await.get("/api/bookings").await;
    assert!(answer.headers.contains_key("x-request-id"));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
    let answer = service.client.get("/api/bookings").await;
    assert_eq!(answer.headers["x-request-id"], answer.body["request_id"].as_str().unwrap());
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
}
