//! `POST /api/payments/attach-booking`

use bootpay::simulator::Operation;
use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::Once;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{PRICE, Service, Shop, message, order_of, wanted};

const PATH: &str = "/api/payments/attach-booking";

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn understands_every_way_to_name_the_two(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let booking = service.booking(&buyer, schedule, 1).await;
    for request in [
        json!({ "orderId": order, "bookingId": booking.booking_id }),
        json!({ "orderId": order, "bookingId": booking.booking_id.to_string() }),
        json!({ "orderId": order, "bookingId": booking.booking_number }),
        json!({ "order_id": order, "booking_id": booking.booking_number.to_lowercase() }),
    ] {
        let body = buyer.post(PATH, &request).await.expect(200);
        assert_eq!(body, json!({ "success": true, "message": "결제가 예약에 연결되었습니다." }));
    }
    assert_eq!(service.linked(&order).await, Some(booking.booking_id));
    let english = buyer.in_english().post(PATH, &json!({ "orderId": order, "bookingId": booking.booking_id })).await;
    assert_eq!(english.expect(200)["message"], "The payment belongs to the booking now.");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn names_the_field_that_is_missing_or_malformed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let buyer = Service::start(database).buyer().await;
    for (request, field) in [
        (json!({}), "orderId"),
        (json!({ "bookingId": 1 }), "orderId"),
        (json!({ "orderId": " ", "bookingId": 1 }), "orderId"),
        (json!({ "orderId": 5, "bookingId": 1 }), "orderId"),
        (json!({ "orderId": "x" }), "bookingId"),
        (json!({ "orderId": "x", "bookingId": "" }), "bookingId"),
        (json!({ "orderId": "x", "bookingId": -1 }), "bookingId"),
        (json!({ "orderId": "x", "bookingId": 1.5 }), "bookingId"),
        (json!({ "orderId": "x", "bookingId": null }), "bookingId"),
    ] {
        buyer.post(PATH, &request).await.refused_field(field);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_the_callers_is_not_there(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(9).await);
    let open = json!({ "amount": PRICE });
    let (order, foreign) =
        (order_of(&buyer.init(&open).await.expect(200)), order_of(&other.init(&open).await.expect(200)));
    let (booking, foreign_booking) =
        (service.booking(&buyer, schedule, 1).await, service.booking(&other, schedule, 1).await);

    buyer.attach("CJ-ORD-nothing", &booking).await.refused(404, "payment-not-found");
    buyer.attach(&foreign, &booking).await.refused(404, "payment-not-found");
    buyer.attach(&order, &foreign_booking).await.refused(404, "booking-not-found");
    let unknown = json!({ "orderId": order, "bookingId": "CJNOTHING0" });
    buyer.post(PATH, &unknown).await.refused(404, "booking-not-found");
    assert_eq!((service.linked(&order).await, service.linked(&foreign).await), (None, None));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_paid_payment_confirms_and_its_link_is_final(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let (booking, another) = (service.booking(&buyer, schedule, 1).await, service.booking(&buyer, schedule, 1).await);
    // Two match, so it is linked to neither and reserves a seat of its own.
    let order = buyer.begin(schedule, 1).await;
    let _ = service.signed(&message(&order, "r-1", 1, PRICE)).await.expect(200);
    assert_eq!(service.seats(schedule).await, (6, 3));

    let _ = buyer.attach(&order, &booking).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
    assert_eq!(service.seats(schedule).await, (7, 2), "the reservation is not needed any more");
    let _ = buyer.attach(&order, &booking).await.expect(200);
    buyer.attach(&order, &another).await.refused(409, "payment-taken");
    assert_eq!(service.booking_status(&another).await, "PENDING");
    service.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_webhook_may_come_after(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let booking = service.booking(&buyer, schedule, 1).await;
    let _ = buyer.attach(&order, &booking).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "PENDING");
    let _ = service.signed(&message(&order, "r-1", 1, PRICE)).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_the_provider_knows_to_be_paid_confirms_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let booking = shop.booking(&buyer, schedule, 1).await;
    shop.pay(&order, PRICE).await;
    let _ = buyer.attach(&order, &booking).await.expect(200);
    assert_eq!((shop.status(&order).await, shop.booking_status(&booking).await), ("PAID".into(), "CONFIRMED".into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn corrects_the_booking_calls_guess(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(3).await);
    let (first, second) = (buyer.begin(schedule, 1).await, buyer.begin(schedule, 1).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    assert_eq!(service.linked(&second).await, Some(booking.booking_id), "the newest is the guess");

    let _ = buyer.attach(&first, &booking).await.expect(200);
    assert_eq!((service.linked(&first).await, service.linked(&second).await), (Some(booking.booking_id), None));
    assert_eq!(service.seats(schedule).await, (1, 2), "reservations swap with it");
    let _ = buyer.attach(&second, &booking).await.expect(200);
    let _ = buyer.attach(&first, &booking).await.expect(200);
    assert_eq!(service.seats(schedule).await, (1, 2));
    let _ = service.signed(&message(&first, "r-1", 1, PRICE)).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");

    service.world.pass(TimeDelta::minutes(16));
    service.orders.sweep_seats_once(10).await.unwrap();
    assert_eq!(service.seats(schedule).await, (2, 1), "the loser's reservation lapses as any other");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_paid_payment_replaces_the_guess_and_leaves_nothing_behind(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(3).await);
    let (paid, guess) = (buyer.begin(schedule, 1).await, buyer.begin(schedule, 1).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let _ = service.signed(&message(&paid, "r-1", 1, PRICE)).await.expect(200);
    let _ = buyer.attach(&paid, &booking).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
    assert_eq!(service.linked(&guess).await, None);

    service.world.pass(TimeDelta::minutes(16));
    service.orders.sweep_seats_once(10).await.unwrap();
    assert_eq!(service.seats(schedule).await, (2, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_second_paid_payment_is_surplus_and_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let (first, second, third) =
        (buyer.begin(schedule, 1).await, buyer.begin(schedule, 1).await, buyer.begin(schedule, 1).await);
    for (order, receipt) in [(&first, "r-1"), (&second, "r-2")] {
        let _ = service.signed(&message(order, receipt, 1, PRICE)).await.expect(200);
    }
    let booking = service.booking(&buyer, schedule, 1).await;
    let (won, surplus) = if service.linked(&first).await.is_some() { (&first, &second) } else { (&second, &first) };
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");

    buyer.attach(surplus, &booking).await.refused(409, "booking-paid");
    service.assert_refunds(&[(PRICE, "SURPLUS", "PENDING")]).await;
    buyer.attach(surplus, &booking).await.refused(409, "payment-closed");
    buyer.attach(&third, &booking).await.refused(409, "booking-paid");
    let _ = buyer.attach(won, &booking).await.expect(200);
    service.assert_refunds(&[(PRICE, "SURPLUS", "PENDING")]).await;
    assert_eq!(service.seats(schedule).await, (7, 2), "the booking's, and the third's reservation");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_failed_does_not_fit_or_came_too_late_is_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule, elsewhere) = (service.buyer().await, service.schedule(20).await, {
        testkit::seed::schedule(service.world.day(5)).insert(&service.world.db).await
    });
    let open = async |won: i64| order_of(&buyer.init(&json!({ "amount": won })).await.expect(200));
    let booking = service.booking(&buyer, schedule, 2).await;

    let failed = open(2 * PRICE).await;
    let _ = service.signed(&message(&failed, "r-1", "FAILED", 2 * PRICE)).await.expect(200);
    buyer.attach(&failed, &booking).await.refused(409, "payment-closed");
    let cheap = open(PRICE).await;
    buyer.attach(&cheap, &booking).await.refused(409, "payment-mismatch");
    let other_flight = buyer.begin(elsewhere, 2).await;
    buyer.attach(&other_flight, &booking).await.refused(409, "payment-mismatch");
    let (owned, given) = (service.booking(&buyer, schedule, 3).await, service.booking(&buyer, schedule, 3).await);
    let named = buyer.begin_for(&owned).await;
    buyer.attach(&named, &given).await.refused(409, "payment-taken");

    let (unpaid, paid) = (open(2 * PRICE).await, open(2 * PRICE).await);
    let _ = service.signed(&message(&paid, "r-2", 1, 2 * PRICE)).await.expect(200);
    let cause = Cause::user(buyer.id, None);
    service.orders.cancel_own(&cause, buyer.id, &booking.booking_number, &Once::unkeyed()).await.unwrap();
    buyer.attach(&unpaid, &booking).await.refused(409, "booking-over");
    service.assert_refunds(&[]).await;
    buyer.attach(&paid, &booking).await.refused(409, "booking-over");
    service.assert_refunds(&[(2 * PRICE, "TOO_LATE", "PENDING")]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_paid_payment_revives_an_expired_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(2).await);
    let booking = service.book(&wanted(&buyer, schedule, 2, &["1A", "1B"])).await.unwrap();
    service.world.pass(TimeDelta::minutes(16));
    while service.orders.expire_bookings_once(10).await.unwrap() {}

    let buyer = service.again(&buyer);
    let order = buyer.begin(schedule, 2).await;
    let _ = service.signed(&message(&order, "r-1", 1, 2 * PRICE)).await.expect(200);
    let _ = buyer.attach(&order, &booking).await.expect(200);
    assert_eq!(service.booking_state(&booking).await, ("CONFIRMED".into(), None));
    assert_eq!(service.seats(schedule).await, (0, 2), "on the last seats: its own reservation is no obstacle");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_pair_that_is_being_refunded_is_no_pair_any_more(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let _ = service.signed(&message(&order, "r-1", 1, PRICE)).await.expect(200);
    let _ = buyer.attach(&order, &booking).await.expect(200);
    let cause = Cause::user(buyer.id, None);
    service.orders.cancel_own(&cause, buyer.id, &booking.booking_number, &Once::unkeyed()).await.unwrap();
    buyer.attach(&order, &booking).await.refused(409, "payment-closed");
    service.assert_refunds(&[(PRICE, "OWNER", "PENDING")]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_provider_is_asked_before_anything_is_decided(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let (booking, another) = (shop.booking(&buyer, schedule, 1).await, shop.booking(&buyer, schedule, 1).await);
    let begin = async || order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let (first, surplus, retried) = (buyer.begin_for(&booking).await, begin().await, begin().await);
    let receipt = shop.pay(&first, PRICE).await;
    let _ = shop.nudge(&first, &receipt).await.expect(200);

    // Charged, and nobody told us: one for a booking that is paid, one after a card was declined.
    shop.pay(&surplus, PRICE).await;
    buyer.attach(&surplus, &booking).await.refused(409, "booking-paid");
    shop.assert_refunds(&[(PRICE, "SURPLUS", "PENDING")]).await;
    let declined = shop.decline(&retried, PRICE).await;
    let _ = shop.nudge(&retried, &declined).await.expect(200);
    shop.pay(&retried, PRICE).await;
    let _ = buyer.attach(&retried, &another).await.expect(200);
    assert_eq!(shop.booking_status(&another).await, "CONFIRMED");
    shop.assert_refunds(&[(PRICE, "SURPLUS", "PENDING")]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nobody_has_the_provider_asked_about_somebody_elses_payment(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let (buyer, other, schedule) = (shop.buyer().await, shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let foreign = other.begin(schedule, 1).await;
    let before = shop.provider.calls().count(Operation::Order);
    buyer.attach(&foreign, &booking).await.refused(404, "payment-not-found");
    assert_eq!(shop.provider.calls().count(Operation::Order), before);
}
