//! `POST /api/bookings/{booking_number}/cancel`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use bootpay::simulator::{Operation, Outage, Trouble};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Service, Shop, Traveller, id, minutes, number, request};

const PRICE: i64 = 320_000;

fn refund(state: &str) -> (i64, String, String) {
    (PRICE, "OWNER".to_owned(), state.to_owned())
}

/// The answer to cancelling an unpaid booking.
fn told(message: &str, made: &Value) -> Value {
    json!({
        "message": message, "success": true, "booking_number": number(made), "refund_amount": 0, "refund_state": null,
    })
}

/// A confirmed booking of seat 6D. Answers its number and id, the payment and its receipt.
async fn confirmed(
    shop: &Shop,
    buyer: &Traveller,
    schedule: i64,
) -> (String, i64, orders::payments::Requested, bootpay::ReceiptId) {
    let payment = shop.begin(buyer, schedule, PRICE).await;
    let receipt = shop.pay(&payment, PRICE).await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    assert_eq!(made["status"], "CONFIRMED");
    (number(&made).to_owned(), id(&made), payment, receipt)
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_pending_booking_gives_its_seats_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 3, PRICE, &["6D"])).await;
    let path = format!("/api/bookings/{}/cancel", number(&made));
    // The browser client sends no body, and says that it is JSON.
    let answer = buyer.send(Method::POST, &path, Some("application/json"), Body::empty()).await.expect(200);
    let message = "예약이 취소되었습니다.";
    assert_eq!(answer, told(message, &made));
    assert_eq!(service.booking(id(&made)).await, ("CANCELLED".to_owned(), Some("OWNER".to_owned())));
    assert_eq!(service.seats(schedule).await, (180, 0));
    assert_eq!(service.history("BOOKING", id(&made)).await, ["booked", "cancelled"]);
    assert_eq!(service.refunds().await, []);
    let listed = buyer.newest().await;
    assert_eq!((&listed["status"], &listed["cancel_reason"]), (&json!("CANCELLED"), &json!("OWNER")));
    assert_eq!(listed["passengers"][0]["seat_number"], "6D", "history stays");
    service.traveller().await.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_number_may_be_written_in_any_case_and_is_answered_as_it_is(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    let path = format!("/api/bookings/{}/cancel", number(&made).to_lowercase());
    let answer = buyer.in_english().post(&path, &json!({"anything": 1})).await.expect(200);
    assert_eq!(answer, told("The booking has been cancelled.", &made));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_paid_booking_is_refunded_in_full_and_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let (number, booking, payment, receipt) = confirmed(&shop, &buyer, schedule).await;
    assert_eq!(buyer.cancel(&number).await, 200);
    assert_eq!(shop.seats(schedule).await, (180, 0));
    assert_eq!(shop.refunds().await, [refund("PENDING")]);
    assert_eq!(shop.payment(&payment).await.0, "PAID", "until it is back");

    assert!(shop.orders.drive_refunds_once(10).await.unwrap());
    assert_eq!(shop.refunds().await, [refund("SUCCEEDED")]);
    assert_eq!(shop.payment(&payment).await, ("CANCELLED".to_owned(), Some(booking)));
    assert_eq!(shop.given_back(&receipt).await, PRICE);
    assert!(!shop.orders.drive_refunds_once(10).await.unwrap(), "nothing is left to do");
    assert_eq!(shop.provider.calls().count(Operation::Cancel), 1);
    assert_eq!(shop.booking(booking).await, ("CANCELLED".to_owned(), Some("OWNER".to_owned())));
    assert_eq!(shop.history("PAYMENT", payment.payment_id).await, ["requested", "changed", "linked", "changed"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_the_provider_is_down_the_refund_waits_for_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let (number, _, payment, receipt) = confirmed(&shop, &buyer, schedule).await;
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    assert_eq!(buyer.cancel(&number).await, 200);
    assert_eq!(shop.seats(schedule).await, (180, 0));
    assert!(shop.orders.drive_refunds_once(10).await.unwrap());
    assert_eq!(shop.refunds().await, [refund("SENT")]);
    shop.provider.set_outage(Outage::default());
    assert!(!shop.orders.drive_refunds_once(10).await.unwrap(), "not at once again");
    shop.world.pass(minutes(1));
    assert!(shop.orders.drive_refunds_once(10).await.unwrap());
    assert_eq!(shop.refunds().await, [refund("SUCCEEDED")]);
    assert_eq!((shop.payment(&payment).await.0, shop.given_back(&receipt).await), ("CANCELLED".to_owned(), PRICE));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_cannot_be_cancelled_is_not_found(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let (buyer, other) = (service.traveller().await, service.traveller().await);
    let admin = seed::admin(&service.world.db).await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    let path = format!("/api/bookings/{}/cancel", number(&made));
    other.post(&path, &json!(null)).await.refused(404, "booking-not-found");
    service.signed_in(admin).post(&path, &json!(null)).await.refused(404, "booking-not-found");
    for unknown in ["CJ00000000", "nothing", "%27%20or%201%3D1", "1", "%EA%B0%80", "%00"] {
        let path = format!("/api/bookings/{unknown}/cancel");
        buyer.post(&path, &json!(null)).await.refused(404, "booking-not-found");
    }
    assert_eq!(service.booking(id(&made)).await.0, "PENDING");
    assert_eq!(buyer.cancel(number(&made)).await, 200);
    buyer.post(&path, &json!(null)).await.refused(404, "booking-not-cancellable");
    let expired = buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    service.world.pass(minutes(16));
    let path = format!("/api/bookings/{}/cancel", number(&expired));
    buyer.post(&path, &json!(null)).await.refused(404, "booking-not-cancellable");
    service.by_hand("update bookings set status = 'COMPLETED' where booking_id = ?", id(&expired)).await;
    buyer.post(&path, &json!(null)).await.refused(404, "booking-not-cancellable");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_departed_flight_is_not_cancelled(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let day = shop.world.day(0);
    // In Los Angeles it is still yesterday for most of Seoul's day.
    let schedule = seed::schedule(day).route("LAX", "ICN").departs("23:30:00").insert(&shop.world.db).await;
    let leaves = catalogue::departure(day, "23:30:00".parse().unwrap(), "America/Los_Angeles");
    let buyer = shop.traveller().await;
    let (number, booking, ..) = confirmed(&shop, &buyer, schedule).await;
    shop.world.pass(leaves - shop.world.now());
    let client = shop.signed_in(buyer.id);
    let path = format!("/api/bookings/{number}/cancel");
    client.post(&path, &json!(null)).await.refused(409, "flight-departed");
    assert_eq!((shop.booking(booking).await.0, shop.refunds().await), ("CONFIRMED".to_owned(), vec![]));
    shop.world.pass(-chrono::TimeDelta::seconds(1));
    assert_eq!(shop.signed_in(buyer.id).post(&path, &json!(null)).await.status, 200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn parallel_cancels_of_a_paid_booking_refund_it_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let (number, _, _, receipt) = confirmed(&shop, &buyer, schedule).await;
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (buyer, number) = (buyer.clone(), number.clone());
        calls.spawn(async move { buyer.cancel(&number).await });
    }
    let mut counts = BTreeMap::new();
    for status in calls.join_all().await {
        *counts.entry(status).or_insert(0) += 1;
    }
    assert_eq!(counts, [(200, 1), (404, 19)].into());
    assert_eq!((shop.seats(schedule).await, shop.refunds().await), ((180, 0), vec![refund("PENDING")]));
    // Several replicas drive refunds at once.
    let mut drivers = JoinSet::new();
    for _ in 0..5 {
        let orders = shop.orders.clone();
        drivers.spawn(async move { orders.drive_refunds_once(10).await.unwrap() });
    }
    drivers.join_all().await;
    assert_eq!((shop.refunds().await, shop.given_back(&receipt).await), (vec![refund("SUCCEEDED")], PRICE));
    assert_eq!(shop.provider.calls().count(Operation::Cancel), 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn cancelling_while_the_money_comes_never_keeps_money_without_a_booking(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Arc::new(Shop::open(database).await);
    let schedule = shop.schedule(180).await;
    for round in 0..20 {
        let buyer = shop.traveller().await;
        let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
        let payment = shop.begin_for(&buyer, id(&made), PRICE).await;
        let receipt = shop.pay(&payment, PRICE).await;
        let barrier = Arc::new(Barrier::new(2));
        let heard = {
            let (shop, barrier, receipt) = (Arc::clone(&shop), Arc::clone(&barrier), receipt.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                shop.hear_of(&receipt).await
            })
        };
        barrier.wait().await;
        assert_eq!(buyer.cancel(number(&made)).await, 200, "round {round}");
        heard.await.unwrap();
        assert_eq!(shop.booking(id(&made)).await, ("CANCELLED".to_owned(), Some("OWNER".to_owned())), "round {round}");
        assert_eq!(shop.seats(schedule).await, (180, 0), "round {round}");
        shop.run_jobs().await;
        assert_eq!(shop.given_back(&receipt).await, PRICE, "round {round}");
        assert_eq!(shop.payment(&payment).await.0, "CANCELLED", "round {round}");
    }
    assert_eq!(shop.refunds().await.len(), 20);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_cancelled_at_the_provider_cancels_its_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let (number, booking, _, receipt) = confirmed(&shop, &buyer, schedule).await;
    assert!(shop.provider.cancel_in_console(&receipt, None));
    shop.hear_of(&receipt).await;
    assert_eq!(shop.booking(booking).await, ("CANCELLED".to_owned(), Some("REVERSED".to_owned())));
    assert_eq!((shop.seats(schedule).await, shop.refunds().await), ((180, 0), vec![]));
    assert_eq!(buyer.cancel(&number).await, 404);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_second_receipt_does_not_keep_a_booking_whose_own_was_cancelled_at_the_provider(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let (_, booking, payment, own) = confirmed(&shop, &buyer, schedule).await;
    let second = shop.pay(&payment, PRICE).await;
    shop.hear_of(&second).await;
    assert_eq!(shop.refunds().await, [(PRICE, "SURPLUS".to_owned(), "PENDING".to_owned())]);
    assert!(shop.provider.cancel_in_console(&own, None));
    shop.hear_of(&own).await;
    assert_eq!(shop.payment(&payment).await, ("CANCELLED".to_owned(), Some(booking)));
    assert_eq!(shop.booking(booking).await, ("CANCELLED".to_owned(), Some("REVERSED".to_owned())));
    shop.run_jobs().await;
    assert_eq!((shop.given_back(&second).await, shop.seats(schedule).await), (PRICE, (180, 0)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn after_a_partial_refund_in_the_console_a_cancel_pays_the_rest(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let (number, booking, payment, receipt) = confirmed(&shop, &buyer, schedule).await;
    assert!(shop.provider.cancel_in_console(&receipt, Some(20_000)));
    shop.hear_of(&receipt).await;
    assert_eq!(shop.payment(&payment).await.0, "PARTIALLY_REFUNDED");
    assert_eq!(shop.booking(booking).await.0, "CONFIRMED");
    assert_eq!(buyer.cancel(&number).await, 200);
    shop.run_jobs().await;
    assert_eq!(shop.refunds().await, [(300_000, "OWNER".to_owned(), "SUCCEEDED".to_owned())]);
    assert_eq!((shop.given_back(&receipt).await, shop.payment(&payment).await.0), (PRICE, "CANCELLED".to_owned()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_console_gave_back_already_is_not_asked_for_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let buyer = shop.traveller().await;
    let payment = shop.begin(&buyer, schedule, PRICE).await;
    let receipt = shop.pay(&payment, PRICE).await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    assert!(shop.provider.cancel_in_console(&receipt, Some(1_000)), "a part, without a word to us");
    assert_eq!(buyer.cancel(number(&made)).await, 200);
    shop.run_jobs().await;
    assert_eq!(shop.given_back(&receipt).await, PRICE);
    assert_eq!(shop.refunds().await, vec![(PRICE - 1_000, "OWNER".to_owned(), "SUCCEEDED".to_owned())]);
    assert_eq!(shop.payment(&payment).await.0, "CANCELLED");
}
