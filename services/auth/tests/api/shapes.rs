//! Requests that aren't in shape, whatever the endpoint.

use axum::body::Body;
use axum::http::Method;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{World, seed};

use crate::{client, somebody};

const WITH_BODY: [(Method, &str); 4] = [
    (Method::POST, "/api/auth/signup"),
    (Method::POST, "/api/auth/login"),
    (Method::PUT, "/api/auth/profile"),
    (Method::PUT, "/api/user/profile"),
];

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_body_that_is_no_json_object_is_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client(&world).signed_in(&world.token(seed::user(&world.db).await));
    for (method, path) in WITH_BODY {
        for body in ["", "null", "[]", "[{}]", "\"text\"", "5", "{", "{\"name\": }", "{} {}", "\u{feff}{}", "name=kim"]
        {
            let answer = client.send(method.clone(), path, Some("application/json"), Body::from(body)).await;
            answer.refused(400, "malformed-json");
        }
        let bytes = Body::from(&b"{\"email\": \"\xff\"}"[..]);
        assert_eq!(client.send(method, path, Some("application/json"), bytes).await.status, 400);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_body_of_another_type_is_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client(&world).signed_in(&world.token(seed::user(&world.db).await));
    for (method, path) in WITH_BODY {
        for content_type in
            [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")]
        {
            let answer = client.send(method.clone(), path, content_type, Body::from("{}")).await;
            answer.refused(415, "unsupported-media-type");
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_type_with_a_parameter_is_json_too(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    for (n, content_type) in
        ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/vnd.api+json"]
            .iter()
            .enumerate()
    {
        let body = Body::from(somebody(&format!("person{n}@example.com")).to_string());
        let _ = client.send(Method::POST, "/api/auth/signup", Some(content_type), body).await.expect(201);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_large_body_is_read_and_a_huge_one_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    let mut body = somebody("kim@example.com");
    body["unknown"] = "x".repeat(128 << 10).into();
    let _ = client.post("/api/auth/signup", &body).await.expect(201);
    body["unknown"] = "x".repeat(11 << 20).into();
    client.post("/api/auth/signup", &body).await.refused(413, "body-too-large");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_there_is_told_in_json(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    for path in ["/", "/api/auth", "/api/auth/profile/", "/api/auth/nothing", "/api/user", "/login"] {
        client.get(path).await.refused(404, "not-found");
    }
    for (method, path) in [
        (Method::GET, "/api/auth/signup"),
        (Method::GET, "/api/auth/login"),
        (Method::DELETE, "/api/auth/profile"),
        (Method::POST, "/api/user/profile"),
        (Method::POST, "/api/health"),
    ] {
        let answer = client.send(method, path, None, Body::empty()).await;
        assert!(answer.headers.contains_key("allow"));
        answer.refused(405, "method-not-allowed");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_answer_can_be_traced_and_is_never_kept(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    let answer = client.post("/api/auth/signup", &somebody("kim@example.com")).await;
    assert!(answer.headers.contains_key("x-request-id"));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let answer = client.get("/api/auth/profile").await;
    assert_eq!(answer.headers["x-request-id"], answer.body["request_id"].as_str().unwrap());
}
