//! Whatever comes in, an answer goes out.

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::garbage::{Sample, assert_survived};

use crate::support::{Service, number, request};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whatever_comes_in_an_answer_goes_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    let made = buyer.books(201, &request(schedule, 1, 320_000, &["25F"])).await;
    let documented = json!({
        "schedule_id": schedule,
        "passengers": [{ "name": "김하늘", "birth_date": "1990-02-03", "phone": "010-1234-5678" }],
        "seat_id": "1A",
    });
    let passenger = buyer.newest().await["passengers"][0]["passenger_id"].clone();
    let seats = json!({ "seats": [{ "passenger_id": passenger, "seat_id": "24F" }] });
    let sample = |method: Method, path: &str, body: Option<Value>| Sample { method, path: path.to_owned(), body };
    let samples = [
        sample(Method::POST, "/api/bookings", Some(request(schedule, 2, 320_000, &["2A", "2B"]))),
        sample(Method::POST, "/api/bookings", Some(documented)),
        sample(Method::GET, "/api/bookings?limit=10&offset=0", None),
        sample(Method::GET, &format!("/api/bookings/{}", number(&made)), None),
        sample(Method::POST, &format!("/api/bookings/{}/cancel", number(&made)), Some(json!({}))),
        sample(Method::GET, &format!("/api/bookings/occupied-seats/{schedule}"), None),
        sample(Method::GET, &format!("/api/bookings/seat-map/{schedule}"), None),
        sample(Method::PUT, &format!("/api/bookings/{}/seats", number(&made)), Some(seats)),
    ];
    assert_survived(&service.world.db, &samples, 150, async |request| request.by(&buyer).await).await;
}
