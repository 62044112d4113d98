//! Requests that aren't in shape, whatever the endpoint.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::Service;

const WITH_BODY: [&str; 2] = ["/api/payments/init", "/api/payments/attach-booking"];

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_body_that_is_no_json_object_is_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let buyer = Service::start(database).buyer().await;
    for path in WITH_BODY {
        for body in ["", "null", "[]", "\"text\"", "5", "{", "{} {}", "amount=1"] {
            let answer = buyer.send(Method::POST, path, Some("application/json"), Body::from(body)).await;
            answer.refused(400, "malformed-json");
        }
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            let answer = buyer.send(Method::POST, path, content_type, Body::from("{}")).await;
            answer.refused(415, "unsupported-media-type");
        }
        let typed = buyer.send(Method::POST, path, Some("application/json; charset=utf-8"), Body::from("{}")).await;
        assert_eq!(typed.status, 400);
        let huge = json!({ "unknown": "x".repeat(11 << 20) });
        buyer.post(path, &huge).await.refused(413, "body-too-large");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_there_is_told_in_json(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = Service::start(database).client;
    for path in ["/", "/api/payments/", "/api/payments/init/"] {
        client.get(path).await.refused(404, "not-found");
    }
    for (method, path) in [
        (Method::GET, "/api/payments/init"),
        (Method::GET, "/api/payments/webhook"),
        (Method::PUT, "/api/payments/attach-booking"),
        (Method::POST, "/api/payments/health"),
    ] {
        let answer = client.send(method, path, None, Body::empty()).await;
        assert!(answer.headers.contains_key("allow"));
        answer.refused(405, "method-not-allowed");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refusals_speak_the_callers_language(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    let request = json!({ "orderId": "nothing", "bookingId": 1 });
    let path = "/api/payments/attach-booking";
    assert_eq!(buyer.post(path, &request).await.body["message"], "결제를 찾을 수 없습니다.");
    assert_eq!(buyer.in_english().post(path, &request).await.body["message"], "There is no such payment.");
    let mut answers =
        vec![service.client.in_english().post("/api/payments/webhook", &json!({ "order_id": "x" })).await];
    for body in [json!({}), json!({ "amount": 1, "scheduleId": 1 }), json!({ "amount": 1, "method": "CASH" })] {
        answers.push(buyer.in_english().post("/api/payments/init", &body).await);
    }
    for answer in answers {
        assert!(answer.body["message"].as_str().is_some_and(str::is_ascii), "{}", answer.body);
        assert_eq!(answer.headers["x-request-id"], answer.body["request_id"].as_str().unwrap());
    }
}
