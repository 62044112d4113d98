//! What every answer has in common.

use axum::body::Body;
use axum::http::Method;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::Service;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_unknown_path_is_404_in_json_for_everybody(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    for client in [service.client.clone(), service.admin().await] {
        for path in ["/api/admin", "/api/admin/users", "/api/admin/flights/", "/api/health"] {
            let answer = client.get(path).await;
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
            answer.refused(404, "not-found");
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_wrong_verb_is_405_in_json(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = Service::start(database).client;
    for (method, path, allowed) in [
        (Method::PUT, "/api/admin/flights", "POST"),
        (Method::GET, "/api/admin/flights-with-schedules", "POST"),
        (Method::GET, "/api/admin/flights/CJ101", "DELETE"),
        (Method::POST, "/api/admin/schedules", "GET"),
        (Method::DELETE, "/api/admin/discounts", "POST"),
        (Method::POST, "/api/admin/discounts/1", "DELETE"),
    ] {
        let answer = client.send(method.clone(), path, None, Body::empty()).await;
        assert!(answer.headers["allow"].to_str().unwrap().contains(allowed), "{method} {path}");
        answer.refused(405, "method-not-allowed");
    }
}
