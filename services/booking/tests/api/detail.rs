//! `GET /api/bookings/{booking_number}`

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::{Service, number, request};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn shows_what_the_list_shows_and_whose_it_is(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let name: String = service.value("select name from users where user_id = ?", buyer.id).await;
    let made = buyer.books(201, &request(schedule, 2, 320_000, &["6D", "6E"])).await;
    let mut expected = buyer.newest().await;
    expected["user_name"] = json!(name);
    let admin = service.signed_in(seed::admin(&service.world.db).await);
    for spelled in [number(&made).to_owned(), number(&made).to_lowercase()] {
        for client in [&*buyer, &admin] {
            let body = client.get(&format!("/api/bookings/{spelled}")).await.expect(200);
            assert_eq!(body, json!({"booking": expected}));
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_its_owner_and_administrators_learn_that_it_exists(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let (buyer, other) = (service.traveller().await, service.traveller().await);
    let made = buyer.books(201, &request(schedule, 1, 320_000, &[])).await;
    let path = format!("/api/bookings/{}", number(&made));
    let foreign = other.get(&path).await;
    let unknown = other.get("/api/bookings/CJ00000000").await;
    assert_eq!((&foreign.body["message"], &foreign.body["code"]), (&unknown.body["message"], &unknown.body["code"]));
    foreign.refused(404, "booking-not-found");
    unknown.refused(404, "booking-not-found");
    // An administrator is who the database says is one, from the next request on.
    service.by_hand("update users set role = 'ADMIN' where user_id = ?", other.id).await;
    assert_eq!(other.get(&path).await.status, 200);
    service.by_hand("update users set role = 'USER' where user_id = ?", other.id).await;
    other.get(&path).await.refused(404, "booking-not-found");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_no_number_is_not_found(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.traveller().await;
    for nothing in ["1", "CJ", "occupied-seats", "%EA%B0%80%EB%82%98", "%25", "CJ0000000_", "a%00b"] {
        buyer.get(&format!("/api/bookings/{nothing}")).await.refused(404, "booking-not-found");
    }
    let long = "C".repeat(4000);
    buyer.get(&format!("/api/bookings/{long}")).await.refused(404, "booking-not-found");
    let mangled = buyer.get("/api/bookings/%FF").await;
    assert_eq!(mangled.status, 404, "{}", mangled.body);
}
