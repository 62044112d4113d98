//! What is refused, and that a refusal leaves everything as it was.

use bootpay::ReceiptId;
use bootpay::simulator::{Operation, Outage, Outcome, Trouble};
use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::Once;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use super::{Agreed, PATH, calls, confirm, everything, outage, statuses};
use crate::support::{PRICE, Service, Shop, order_of};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn names_the_field_that_is_missing_or_malformed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let buyer = shop.buyer().await;
    for (request, field) in [
        (json!({}), "orderId"),
        (json!({ "orderId": " ", "receiptId": "r" }), "orderId"),
        (json!({ "orderId": 5, "receiptId": "r" }), "orderId"),
        (json!({ "orderId": "x" }), "receiptId"),
        (json!({ "orderId": "x", "receiptId": null }), "receiptId"),
        (json!({ "orderId": "x", "receiptId": " " }), "receiptId"),
        (json!({ "orderId": "x", "receiptId": ".." }), "receiptId"),
        (json!({ "orderId": "x", "receiptId": "a b" }), "receiptId"),
        (json!({ "orderId": "x", "receiptId": "a".repeat(65) }), "receiptId"),
    ] {
        buyer.post(PATH, &request).await.refused_field(field);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_provider_nobody_can_pay(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let buyer = Service::start(database).buyer().await;
    buyer.post(PATH, &json!({ "orderId": "x", "receiptId": "r" })).await.refused(503, "payments-not-configured");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_provider_that_is_away_is_told_before_anything_is_begun(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    let before = everything(&shop).await;
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    let answer = agreed.confirm().await;
    assert_eq!(answer.headers["retry-after"], "2");
    answer.refused(503, "provider-unavailable");
    assert_eq!(everything(&shop).await, before);
    shop.provider.set_outage(Outage::default());
    let _ = agreed.confirm().await.expect(200);
    agreed.assert_paid_once(&shop).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_the_callers_is_not_there(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (agreed, stranger) = (Agreed::of(&shop).await, shop.buyer().await);
    let before = everything(&shop).await;
    confirm(&stranger, &agreed.order, &agreed.receipt).await.refused(404, "payment-not-found");
    confirm(&agreed.buyer, "CJ-ORD-nothing", &agreed.receipt).await.refused(404, "payment-not-found");
    let unknown = ReceiptId::parse("0123456789abcdef01234567").unwrap();
    confirm(&agreed.buyer, &agreed.order, &unknown).await.refused(404, "receipt-not-found");
    assert_eq!(everything(&shop).await, before);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_receipt_of_another_order_or_amount_is_never_confirmed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (agreed, other) = (Agreed::of(&shop).await, Agreed::of(&shop).await);
    let cheap = shop.at_the_window(&agreed.order, 100, Outcome::Separate).await;
    let before = everything(&shop).await;
    confirm(&agreed.buyer, &agreed.order, &other.receipt).await.refused(409, "receipt-mismatch");
    confirm(&agreed.buyer, &agreed.order, &cheap).await.refused(409, "receipt-mismatch");
    assert_eq!(everything(&shop).await, before);
    let _ = (agreed.confirm().await.expect(200), other.confirm().await.expect(200));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn another_amount_that_is_paid_already_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    let cheap = shop.pay(&agreed.order, 100).await;
    confirm(&agreed.buyer, &agreed.order, &cheap).await.refused(409, "receipt-mismatch");
    shop.run_jobs().await;
    shop.assert_refunds(&[(100, "WRONG_AMOUNT", "SUCCEEDED")]).await;
    let _ = agreed.confirm().await.expect(200);
    assert_eq!(agreed.state(&shop).await, ("CONFIRMED".into(), "PAID".into(), (8, 1)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_without_a_booking_has_nothing_to_confirm(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    for order in [order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200)), buyer.begin(schedule, 1).await]
    {
        let receipt = shop.at_the_window(&order, PRICE, Outcome::Separate).await;
        let before = everything(&shop).await;
        confirm(&buyer, &order, &receipt).await.refused(409, "payment-without-booking");
        assert_eq!(everything(&shop).await, before);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_whose_time_is_over_takes_nothing_and_the_receipt_is_let_go(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    shop.world.pass(TimeDelta::minutes(16));
    let before = everything(&shop).await;
    agreed.confirm_again(&shop).await.refused(409, "booking-not-payable");
    assert_eq!(everything(&shop).await, before);

    shop.run_jobs().await;
    while shop.orders.expire_bookings_once(10).await.unwrap() {}
    assert_eq!(agreed.state(&shop).await, ("CANCELLED".into(), "CANCELLED".into(), (9, 0)));
    assert_eq!((statuses(&shop), calls(&shop).await), (vec![20], vec![("VOID".into(), "DONE".into())]));
    shop.assert_refunds(&[]).await;
    agreed.confirm_again(&shop).await.refused(409, "booking-not-payable");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cancelled_booking_takes_nothing_and_the_receipt_is_let_go(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    let cause = Cause::user(agreed.buyer.id, None);
    shop.orders.cancel_own(&cause, agreed.buyer.id, &agreed.booking.booking_number, &Once::unkeyed()).await.unwrap();
    let before = everything(&shop).await;
    agreed.confirm().await.refused(409, "booking-not-payable");
    assert_eq!(everything(&shop).await, before);
    shop.world.pass(TimeDelta::minutes(31));
    shop.run_jobs().await;
    assert_eq!(statuses(&shop), [20]);
    shop.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_that_is_paid_otherwise_is_not_paid_twice(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    let again = agreed.buyer.begin_for(&agreed.booking).await;
    let receipt = shop.at_the_window(&again, PRICE, Outcome::Separate).await;
    let second = shop.at_the_window(&agreed.order, PRICE, Outcome::Separate).await;
    let _ = confirm(&agreed.buyer, &again, &receipt).await.expect(200);
    let before = everything(&shop).await;
    agreed.confirm().await.refused(409, "booking-paid");
    confirm(&agreed.buyer, &agreed.order, &second).await.refused(409, "booking-paid");
    assert_eq!(everything(&shop).await, before);
    let _ = confirm(&agreed.buyer, &again, &receipt).await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_that_is_not_flown_takes_no_money(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    shop.by_hand("update flight_schedules set status = 'CANCELLED' where schedule_id = ?", agreed.schedule).await;
    let before = everything(&shop).await;
    agreed.confirm().await.refused(409, "not-on-sale");
    let gone = "update flight_schedules set status = 'ACTIVE', flight_date = '2020-01-01' where schedule_id = ?";
    shop.by_hand(gone, agreed.schedule).await;
    agreed.confirm().await.refused(409, "not-on-sale");
    assert_eq!(everything(&shop).await, before);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_cancelled_at_the_provider_stays_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    assert!(shop.provider.cancel_in_console(&agreed.receipt, None));
    agreed.confirm().await.refused(409, "booking-not-payable");
    assert_eq!(agreed.state(&shop).await, ("CANCELLED".into(), "CANCELLED".into(), (9, 0)));
    agreed.confirm().await.refused(409, "booking-not-payable");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_second_receipt_waits_for_the_first_to_be_decided(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    let second = shop.at_the_window(&agreed.order, PRICE, Outcome::Separate).await;
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    let _ = agreed.confirm().await.expect(202);
    let answer = confirm(&agreed.buyer, &agreed.order, &second).await;
    assert!(answer.headers.contains_key("retry-after"));
    answer.refused(409, "payment-under-way");
    shop.provider.set_outage(Outage::default());
    let _ = agreed.confirm().await.expect(200);
    confirm(&agreed.buyer, &agreed.order, &second).await.refused(409, "booking-paid");
    assert_eq!(statuses(&shop), [1, 2]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_is_being_approved_stays_with_the_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let (booking, another) = (shop.booking(&buyer, schedule, 1).await, shop.booking(&buyer, schedule, 1).await);
    let _ = buyer.attach(&order, &booking).await.expect(200);
    let receipt = shop.at_the_window(&order, PRICE, Outcome::Separate).await;
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    let _ = confirm(&buyer, &order, &receipt).await.expect(202);
    buyer.attach(&order, &another).await.refused(409, "payment-taken");

    // Nor does a paid one that takes the booking untie it: what it brings then goes back at once.
    let paid = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let instead = shop.pay(&paid, PRICE).await;
    let _ = shop.nudge(&paid, &instead).await.expect(200);
    let _ = buyer.attach(&paid, &booking).await.expect(200);
    assert_eq!(shop.linked(&order).await, Some(booking.booking_id));
    shop.provider.set_outage(Outage::default());
    confirm(&buyer, &order, &receipt).await.refused(409, "booking-paid");
    shop.run_jobs().await;
    assert_eq!(shop.booking_status(&booking).await, "CONFIRMED");
    assert_eq!(statuses(&shop), [20, 1], "the one that waited was let go, uncharged");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_receipt_that_is_being_let_go_pays_for_no_other_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let over = shop.booking(&buyer, schedule, 1).await;
    let _ = buyer.attach(&order, &over).await.expect(200);
    let receipt = shop.at_the_window(&order, PRICE, Outcome::Separate).await;
    shop.world.pass(TimeDelta::minutes(16));
    assert!(shop.orders.ask_about_payments_once(10).await.unwrap());
    assert_eq!(calls(&shop).await, [("VOID".into(), "STARTED".into())]);

    let (buyer, live) = (shop.again(&buyer), shop.booking(&buyer, schedule, 1).await);
    let _ = buyer.attach(&order, &live).await.expect(200);
    confirm(&buyer, &order, &receipt).await.refused(409, "payment-closed");
    shop.run_jobs().await;
    assert_eq!((statuses(&shop), shop.booking_status(&live).await), (vec![20], "PENDING".into()));
    shop.assert_refunds(&[]).await;
}
