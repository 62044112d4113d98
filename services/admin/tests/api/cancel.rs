//! `PUT /api/admin/bookings/{booking_number}/cancel`

use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use bootpay::simulator::{Operation, Outage, Trouble};
use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::Once;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, seed};
use tokio::sync::Barrier;

use crate::support::Service;

const PRICE: i64 = 320_000;

fn path(number: &str) -> String {
    format!("/api/admin/bookings/{number}/cancel")
}

async fn cancel(admin: &Client, number: &str) -> u16 {
    admin.put(&path(number), &Value::Null).await.status.as_u16()
}

fn by_admin(amount: i64, state: &str) -> (i64, String, String) {
    (amount, "ADMIN".to_owned(), state.to_owned())
}

fn cancelled() -> (String, Option<String>) {
    ("CANCELLED".to_owned(), Some("ADMIN".to_owned()))
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_pending_booking_gives_its_seats_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let buyer = seed::user(&service.world.db).await;
    let made = service.desk.book(buyer, schedule, &["6D", "6E"]).await;
    let payment = service.begin_for(buyer, made.booking_id, 2 * PRICE).await;
    // The browser client sends no body, and says that it is JSON; and numbers are blind to case.
    let path = path(&made.booking_number.to_lowercase());
    let answer = admin.send(Method::PUT, &path, Some("application/json"), Body::empty()).await.expect(200);
    let message = "예약이 취소되었습니다.";
    assert_eq!(answer, json!({"message": message, "success": true, "booking_number": made.booking_number}));
    assert_eq!((service.booking(made.booking_id).await, service.seats(schedule).await), (cancelled(), (180, 0)));
    assert_eq!(service.desk.history("BOOKING", made.booking_id).await, ["booked", "cancelled"]);
    // Money that comes after all goes back.
    service.hear_paid(&payment, 2 * PRICE).await;
    assert_eq!(service.refunds().await, [(2 * PRICE, "SURPLUS".to_owned(), "PENDING".to_owned())]);
    assert_eq!(service.booking(made.booking_id).await, cancelled());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_paid_booking_is_refunded_in_full_and_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let sold = service.sell(seed::user(&service.world.db).await, schedule, "6D").await;
    assert_eq!(cancel(&admin, &sold.booking.booking_number).await, 200);
    assert_eq!((service.seats(schedule).await, service.refunds().await), ((180, 0), vec![by_admin(PRICE, "PENDING")]));
    admin.put(&path(&sold.booking.booking_number), &json!({})).await.refused(404, "booking-not-cancellable");
    service.run_jobs().await;
    assert_eq!(service.refunds().await, [by_admin(PRICE, "SUCCEEDED")]);
    assert_eq!(
        (service.given_back(&sold.receipt).await, service.payment(&sold.payment).await.0.as_str()),
        (PRICE, "CANCELLED")
    );
    assert_eq!(service.provider().calls().count(Operation::Cancel), 1);
    let who: (String, Option<i64>) = sqlx::query_as("select actor, user_id from events where action = 'cancelled'")
        .fetch_one(&service.world.db)
        .await
        .unwrap();
    assert!(who.0 == "ADMIN" && who.1.is_some(), "{who:?}");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn after_a_partial_refund_the_rest_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let sold = service.sell(seed::user(&service.world.db).await, schedule, "6D").await;
    assert!(service.provider().cancel_in_console(&sold.receipt, Some(20_000)));
    service.hear_of(&sold.receipt).await;
    assert_eq!(cancel(&admin, &sold.booking.booking_number).await, 200);
    service.run_jobs().await;
    assert_eq!(service.refunds().await, [by_admin(300_000, "SUCCEEDED")]);
    assert_eq!(service.given_back(&sold.receipt).await, PRICE);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_the_provider_is_down_the_refund_waits_for_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let sold = service.sell(seed::user(&service.world.db).await, schedule, "6D").await;
    service.provider().set_outage(Outage::new(Trouble::Refuse));
    assert_eq!(cancel(&admin, &sold.booking.booking_number).await, 200);
    assert!(service.orders.drive_refunds_once(10).await.unwrap());
    assert_eq!(service.refunds().await, [by_admin(PRICE, "SENT")]);
    service.provider().set_outage(Outage::default());
    service.world.pass(TimeDelta::minutes(1));
    service.run_jobs().await;
    assert_eq!(service.given_back(&sold.receipt).await, PRICE);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_cannot_be_cancelled_is_told(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    for unknown in ["CJ00000000", "nothing", "1", "%27%20or%201%3D1", "%EA%B0%80", "%00"] {
        admin.put(&path(unknown), &json!({})).await.refused(404, "booking-not-found");
    }
    let schedule = service.schedule(180).await;
    let made = service.desk.book(seed::user(&service.world.db).await, schedule, &["6D"]).await;
    service.world.pass(TimeDelta::minutes(16));
    let admin = service.admin().await;
    admin.put(&path(&made.booking_number), &json!({})).await.refused(404, "booking-not-cancellable");
    assert_eq!(service.booking(made.booking_id).await.0, "PENDING", "nothing has changed");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn from_departure_on_nothing_is_cancelled(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let schedule = service.schedule(180).await;
    let sold = service.sell(seed::user(&service.world.db).await, schedule, "6D").await;
    let leaves = catalogue::departure(service.world.day(3), "06:30:00".parse().unwrap(), "Asia/Seoul");
    service.world.pass(leaves - service.world.now());
    let admin = service.admin().await;
    admin.put(&path(&sold.booking.booking_number), &json!({})).await.refused(409, "flight-departed");
    assert!(!service.orders.complete_departed_once(10).await.unwrap(), "it may still be mended");
    // Two days after its day it is flown, for everybody's eyes; its seat stays sold, and its money stays.
    service.world.pass(TimeDelta::days(3));
    assert!(service.orders.complete_departed_once(10).await.unwrap());
    assert!(!service.orders.complete_departed_once(10).await.unwrap());
    let admin = service.admin().await;
    admin.put(&path(&sold.booking.booking_number), &json!({})).await.refused(409, "flight-departed");
    assert_eq!(service.booking(sold.booking.booking_id).await, ("COMPLETED".to_owned(), None));
    assert_eq!(service.desk.history("BOOKING", sold.booking.booking_id).await, ["booked", "completed"]);
    assert_eq!((service.seats(schedule).await, service.refunds().await), ((179, 1), vec![]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_flown_is_not_completed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let (off, pending) =
        (service.schedule(180).await, seed::schedule(service.world.day(1)).insert(&service.world.db).await);
    let buyer = seed::user(&service.world.db).await;
    let sold = service.sell(buyer, off, "6D").await;
    let unpaid = service.desk.book(buyer, pending, &["6D"]).await;
    service.by_hand("update flight_schedules set status = 'CANCELLED' where schedule_id = ?", off).await;
    service.world.pass(TimeDelta::days(9));
    assert!(!service.orders.complete_departed_once(10).await.unwrap());
    assert_eq!(service.booking(sold.booking.booking_id).await.0, "CONFIRMED");
    assert_eq!(service.booking(unpaid.booking_id).await.0, "PENDING");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn two_administrators_the_owner_and_the_money_at_once_end_in_one_cancel(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Arc::new(Service::selling(database).await);
    let schedule = service.schedule(180).await;
    let admins = [service.admin().await, service.admin().await];
    for round in 0..12 {
        let buyer = seed::user(&service.world.db).await;
        let made = service.desk.book(buyer, schedule, &["6D"]).await;
        let payment = service.begin_for(buyer, made.booking_id, PRICE).await;
        let receipt = service.pay(&payment, PRICE).await;
        let barrier = Arc::new(Barrier::new(4));
        let mut cancels = Vec::new();
        for admin in &admins {
            let (admin, number, barrier) = (admin.clone(), made.booking_number.clone(), Arc::clone(&barrier));
            cancels.push(tokio::spawn(async move {
                barrier.wait().await;
                cancel(&admin, &number).await == 200
            }));
        }
        let (desk, number, at) = (Arc::clone(&service), made.booking_number.clone(), Arc::clone(&barrier));
        cancels.push(tokio::spawn(async move {
            at.wait().await;
            desk.orders.cancel_own(&Cause::user(buyer, None), buyer, &number, &Once::unkeyed()).await.is_ok()
        }));
        barrier.wait().await;
        service.hear_of(&receipt).await;
        let mut done = 0;
        for cancel in cancels {
            done += u32::from(cancel.await.unwrap());
        }
        assert_eq!(done, 1, "round {round}");
        service.run_jobs().await;
        assert_eq!(service.booking(made.booking_id).await.0, "CANCELLED", "round {round}");
        assert_eq!(service.given_back(&receipt).await, PRICE, "round {round}");
        assert_eq!(service.seats(schedule).await, (180, 0), "round {round}");
    }
    assert_eq!(service.refunds().await.len(), 12);
    assert_eq!(service.provider().calls().count(Operation::Cancel), 12);
}
