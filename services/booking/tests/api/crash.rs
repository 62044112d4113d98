//! `kill -9` between any two steps: every seat is free, or sold to somebody who has paid for it once.

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::crash::{Buyer, Crash, Program};
use testkit::desk::Desk;

use crate::support::request;

const PROGRAM: &str = env!("CARGO_BIN_EXE_booking-service");
const PRICE: i64 = 320_000;

/// Calls for a booking of 1A, and answers the status that it has.
async fn book(program: &Program, buyer: &Buyer) -> String {
    let answer = program.post(buyer, "/api/bookings", &request(buyer.schedule, 1, PRICE, &["1A"])).await;
    assert!(matches!(answer.status.as_u16(), 200 | 201), "{answer:?}");
    answer.body["status"].as_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_books(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    crash.sweep(async |_, _| (), async |program, buyer, ()| assert_eq!(book(program, buyer).await, "PENDING")).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_books_what_is_paid_already(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    let pay = async |desk: &Desk, buyer: &Buyer| {
        let payment = desk.begin(buyer.id, buyer.schedule, PRICE).await;
        desk.pay(&payment, PRICE).await;
    };
    crash.sweep(pay, async |program, buyer, ()| assert_eq!(book(program, buyer).await, "CONFIRMED")).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_cancels(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    crash
        .sweep(
            async |desk, buyer| desk.sell(buyer.id, buyer.schedule, "1A").await.booking.booking_number,
            async |program, buyer, number| {
                let answer = program.post(buyer, &format!("/api/bookings/{number}/cancel"), &Value::Null).await;
                let code = answer.body["code"].as_str().unwrap_or_default();
                assert!(
                    matches!((answer.status.as_u16(), code), (200, "") | (404, "booking-not-cancellable")),
                    "{answer:?}"
                );
            },
        )
        .await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_changes_seats(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    crash
        .sweep(
            async |desk, buyer| {
                let booking = desk.sell(buyer.id, buyer.schedule, "1A").await.booking;
                let who = "select passenger_id from passengers where booking_id = ?";
                (booking.booking_number, desk.value::<i64>(who, booking.booking_id).await)
            },
            async |program, buyer, (number, passenger)| {
                let wish = json!({ "seats": [{ "passenger_id": passenger, "seat_id": "2B" }] });
                let answer = program.put(buyer, &format!("/api/bookings/{number}/seats"), &wish).await.expect(200);
                assert_eq!(answer["booking"]["passengers"][0]["seat_number"], "2B");
            },
        )
        .await;
    let left = "select count(*) from claims where unit <> '2B' or unit is null and quantity <> ?";
    assert_eq!(crash.desk.value::<i64>(left, 0).await, 0, "nobody has the old seat any more");
}
