//! Every operation of the description, with a session and without.

use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use booking_service::api;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::description::{assert_guarded, operations};

use crate::support::Service;

#[test]
fn only_these_operations_are_public() {
    let operations = operations(&api().into_openapi());
    let public: Vec<_> =
        operations.iter().filter(|o| !o.needs_session).map(|o| format!("{} {}", o.method, o.path)).collect();
    assert_eq!(
        public,
        [
            "GET /api/bookings/health",
            "GET /api/bookings/occupied-seats/{schedule_id}",
            "GET /api/bookings/seat-map/{schedule_id}",
        ]
    );
    assert_eq!(operations.len(), 9);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_session_is_needed_where_the_description_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    assert_guarded(&service.world, &service.client, &api().into_openapi()).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_session_of_an_account_that_is_gone_ends_with_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.traveller().await;
    let _ = buyer.get("/api/bookings").await.expect(200);
    service.by_hand("delete from users where user_id = ?", buyer.id).await;
    for path in ["/api/bookings", "/api/bookings/CJ00000000"] {
        buyer.get(path).await.refused(401, "unauthorized");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_header_that_is_no_text_is_no_session(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let header = HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap();
    assert!(header.to_str().is_err());
    let latin = service.client.with(AUTHORIZATION, "Bearer \u{e9}");
    latin.get("/api/bookings").await.refused(401, "unauthorized");
}
