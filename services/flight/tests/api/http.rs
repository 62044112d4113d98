//! What every answer has in common: JSON errors, two languages, no way to write.

use axum::body::Body;
use axum::http::Method;
use axum::http::header::ACCEPT_LANGUAGE;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::client;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_unknown_path_is_404_in_json(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    for path in ["/", "/api/flights", "/api/flights/", "/api/flights/10000001", "/api/flights/search/", "/api/health"] {
        let answer = client.get(path).await;
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
        answer.refused(404, "not-found");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nothing_can_be_written(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    for path in
        ["/api/flights/search", "/api/airports", "/api/flights/featured", "/api/promotions", "/api/flights/health"]
    {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = client.send(method, path, None, Body::empty()).await;
            assert!(answer.headers["allow"].to_str().unwrap().contains("GET"), "{path}");
            answer.refused(405, "method-not-allowed");
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refusals_are_korean_unless_english_is_preferred(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    let search = "/api/flights/search?departure=nowhere&arrival=NRT&date=2026-12-01";
    let korean = client.get(search).await.expect(400);
    assert_eq!(korean["message"], "departure: 영문 세 글자의 공항 코드여야 합니다.");
    let english = client.in_english().get(search).await.expect(400);
    assert_eq!(english["message"], "departure: Must be an airport code of three letters.");
    let both = client.with(ACCEPT_LANGUAGE, "ko-KR,ko;q=0.9,en;q=0.5").get(search).await.expect(400);
    assert_eq!(both["message"], korean["message"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_answer_names_its_request_and_is_not_kept_by_browsers(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let answer = client(&World::new(database)).get("/api/flights/featured").await;
    assert!(answer.headers.contains_key("x-request-id"));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
}
