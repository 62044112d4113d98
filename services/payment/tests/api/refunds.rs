//! Money on its way back, and what nobody told.

use axum::http::HeaderName;
use bootpay::simulator::{Operation, Outage, Trouble};
use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::Once;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{BOOTPAY_SIGNATURE, Buyer, PRICE, SHORT, Service, Shop, WEBHOOK, message, order_of, sign, wanted};

/// A booking that is paid at the provider and confirmed here: its owner, number, order and receipt.
async fn paid_booking(shop: &Shop) -> (Buyer, orders::bookings::Receipt, String, bootpay::ReceiptId) {
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    (buyer, booking, order, receipt)
}

async fn cancel(service: &Service, buyer: &Buyer, booking: &orders::bookings::Receipt) {
    service
        .orders
        .cancel_own(&Cause::user(buyer.id, None), buyer.id, &booking.booking_number, &Once::unkeyed())
        .await
        .unwrap();
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cancelled_booking_is_paid_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, booking, order, receipt) = paid_booking(&shop).await;
    cancel(&shop, &buyer, &booking).await;
    shop.assert_refunds(&[(PRICE, "OWNER", "PENDING")]).await;
    assert_eq!(shop.given_back(&receipt).await, 0);
    shop.run_jobs().await;
    shop.assert_refunds(&[(PRICE, "OWNER", "SUCCEEDED")]).await;
    assert_eq!((shop.given_back(&receipt).await, shop.status(&order).await), (PRICE, "CANCELLED".into()));
    assert_eq!(shop.booking_state(&booking).await, ("CANCELLED".into(), Some("OWNER".into())));
    assert_eq!(shop.provider.calls().count(Operation::Cancel), 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_tried_until_the_provider_is_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, booking, order, receipt) = paid_booking(&shop).await;
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    cancel(&shop, &buyer, &booking).await;
    for _ in 0..8 {
        shop.run_jobs().await;
        shop.assert_refunds(&[(PRICE, "OWNER", "SENT")]).await;
        shop.world.pass(TimeDelta::minutes(16));
    }
    shop.provider.set_outage(Outage::default());
    shop.run_jobs().await;
    shop.assert_refunds(&[(PRICE, "OWNER", "SUCCEEDED")]).await;
    assert_eq!((shop.given_back(&receipt).await, shop.status(&order).await), (PRICE, "CANCELLED".into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_tried_again_within_half_a_minute(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, booking, ..) = paid_booking(&shop).await;
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    cancel(&shop, &buyer, &booking).await;
    shop.run_jobs().await;
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::seconds(10));
    shop.run_jobs().await;
    shop.assert_refunds(&[(PRICE, "OWNER", "SUCCEEDED")]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_lost_answer_is_looked_up_and_never_paid_twice(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::patient(database, SHORT).await;
    let (buyer, booking, order, receipt) = paid_booking(&shop).await;
    shop.provider.set_outage(Outage::new(Trouble::LoseAnswer));
    cancel(&shop, &buyer, &booking).await;
    shop.run_jobs().await;
    shop.assert_refunds(&[(PRICE, "OWNER", "SENT")]).await;
    assert_eq!(shop.given_back(&receipt).await, PRICE, "it happened, and nobody knows");

    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::seconds(10));
    shop.run_jobs().await;
    shop.assert_refunds(&[(PRICE, "OWNER", "SUCCEEDED")]).await;
    assert_eq!((shop.status(&order).await, shop.provider.calls().count(Operation::Cancel)), ("CANCELLED".into(), 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_cancelled_in_the_console_is_not_paid_back_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, booking, order, receipt) = paid_booking(&shop).await;
    assert!(shop.provider.cancel_in_console(&receipt, None));
    cancel(&shop, &buyer, &booking).await;
    shop.run_jobs().await;
    shop.assert_refunds(&[(PRICE, "OWNER", "SUCCEEDED")]).await;
    assert_eq!((shop.status(&order).await, shop.given_back(&receipt).await), ("CANCELLED".into(), PRICE));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_console_left_is_paid_back_to_the_last_won(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, booking, order, receipt) = paid_booking(&shop).await;
    assert!(shop.provider.cancel_in_console(&receipt, Some(PRICE - 1000)));
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    assert_eq!(shop.status(&order).await, "PARTIALLY_REFUNDED");
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    cancel(&shop, &buyer, &booking).await;
    shop.run_jobs().await;
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::seconds(10));
    // More was cancelled than this refund is over, and still it isn't paid.
    shop.run_jobs().await;
    shop.assert_refunds(&[(1000, "OWNER", "SUCCEEDED")]).await;
    assert_eq!((shop.given_back(&receipt).await, shop.status(&order).await), (PRICE, "CANCELLED".into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cancel_in_the_console_is_found_with_the_next_message(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (_, booking, order, receipt) = paid_booking(&shop).await;
    assert!(shop.provider.cancel_in_console(&receipt, None));
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    assert_eq!(shop.status(&order).await, "CANCELLED");
    assert_eq!(shop.booking_state(&booking).await, ("CANCELLED".into(), Some("REVERSED".into())));
    shop.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_provider_refuses_for_good_is_left_to_an_operator(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    // Signed with the right key, about a receipt that the provider doesn't know (any more).
    let _ = shop.signed(&message(&order, "0123456789abcdef01234567", 1, PRICE)).await.expect(200);
    cancel(&shop, &buyer, &booking).await;
    for _ in 0..8 {
        shop.run_jobs().await;
        shop.world.pass(TimeDelta::minutes(16));
    }
    shop.assert_refunds(&[(PRICE, "OWNER", "NEEDS_OPERATOR")]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_pays_and_never_books_is_paid_back_after_half_an_hour(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(2).await);
    let order = buyer.begin(schedule, 2).await;
    let receipt = shop.pay(&order, 2 * PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);

    shop.world.pass(TimeDelta::minutes(29));
    shop.run_jobs().await;
    assert_eq!((shop.status(&order).await, shop.seats(schedule).await), ("PAID".into(), (0, 2)));
    shop.world.pass(TimeDelta::minutes(1));
    shop.run_jobs().await;
    shop.assert_refunds(&[(2 * PRICE, "UNBOOKED", "SUCCEEDED")]).await;
    assert_eq!((shop.status(&order).await, shop.seats(schedule).await), ("CANCELLED".into(), (2, 0)));
    assert_eq!(shop.given_back(&receipt).await, 2 * PRICE);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_is_being_paid_back_cannot_book_for_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(2).await);
    let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    shop.world.pass(TimeDelta::minutes(30));
    assert!(shop.orders.refund_unbooked_once(10).await.unwrap());
    let booking = shop.booking(&buyer, schedule, 1).await;
    shop.again(&buyer).attach(&order, &booking).await.refused(409, "payment-closed");
    shop.run_jobs().await;
    shop.assert_refunds(&[(PRICE, "UNBOOKED", "SUCCEEDED")]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_nobody_finishes_expires(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(2).await);
    let order = buyer.begin(schedule, 2).await;
    shop.world.pass(TimeDelta::minutes(29));
    shop.run_jobs().await;
    assert_eq!(shop.status(&order).await, "REQUESTED");
    shop.world.pass(TimeDelta::minutes(1));
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    shop.run_jobs().await;
    assert_eq!(shop.status(&order).await, "REQUESTED", "the provider couldn't tell");
    shop.provider.set_outage(Outage::default());
    shop.run_jobs().await;
    assert_eq!(shop.status(&order).await, "REQUESTED", "it isn't asked twice a minute");
    shop.world.pass(TimeDelta::minutes(1));
    shop.run_jobs().await;
    assert_eq!(shop.status(&order).await, "EXPIRED");

    // A late success still counts: the money is somebody's.
    let receipt = shop.pay(&order, 2 * PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    assert_eq!(shop.status(&order).await, "PAID");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_lost_webhook_is_found_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.book(&wanted(&buyer, schedule, 1, &["1A"])).await.unwrap();
    let order = buyer.begin_for(&booking).await;
    shop.decline(&order, PRICE).await;
    let receipt = shop.pay(&order, PRICE).await;
    let reserved = buyer.begin(schedule, 2).await;
    shop.decline(&reserved, 2 * PRICE).await;

    // What holds a booking's seats beyond its deadline is asked about at once.
    shop.world.pass(TimeDelta::minutes(15));
    shop.run_jobs().await;
    assert_eq!((shop.status(&order).await, shop.booking_status(&booking).await), ("PAID".into(), "CONFIRMED".into()));
    assert_eq!((shop.status(&reserved).await, shop.given_back(&receipt).await), ("REQUESTED".into(), 0));
    shop.world.pass(TimeDelta::minutes(15));
    shop.run_jobs().await;
    assert_eq!(shop.status(&reserved).await, "FAILED");
    assert_eq!(shop.seats(schedule).await, (8, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_keeps_the_trace_of_the_request_that_queued_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let paid = message(&order, "r-1", 1, 1000);
    let traced = service
        .client
        .with(BOOTPAY_SIGNATURE, &sign(&paid.to_string()))
        .with(HeaderName::from_static("traceparent"), &format!("00-{trace}-00f067aa0ba902b7-01"));
    traced.post(WEBHOOK, &paid).await.refused(400, "wrong-amount");
    service.assert_refunds(&[(1000, "WRONG_AMOUNT", "PENDING")]).await;
    let kept: Option<String> = service.value("select traceparent from refunds where amount = ?", 1000).await;
    assert_eq!(kept.unwrap().split('-').nth(1), Some(trace));
}
