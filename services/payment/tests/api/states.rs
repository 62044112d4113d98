//! Where a payment ends does not depend on the order or the number of messages.

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{PRICE, Service, Shop, message, order_of};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_repeated_message_changes_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let paid = message(&order, "r-1", "PAID", PRICE);
    for _ in 0..3 {
        assert_eq!(service.signed(&paid).await.expect(200), json!({ "success": true }));
    }
    // The same, told by its number, is another message and no other fact.
    let _ = service.signed(&message(&order, "r-1", 1, PRICE)).await.expect(200);
    assert_eq!(
        (service.status(&order).await, service.booking_status(&booking).await),
        ("PAID".into(), "CONFIRMED".into())
    );
    service.assert_refunds(&[]).await;
    let changes: i64 = service
        .value(
            "select count(*) from events where subject = 'BOOKING' and action = 'confirmed' and subject_id = ?",
            booking.booking_id.to_string(),
        )
        .await;
    assert_eq!(changes, 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_order_of_messages_decides_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    let (paid, failed, cancelled): (Value, Value, Value) = (1.into(), (-2).into(), 20.into());
    for (n, (messages, expected)) in [
        (vec![&paid, &failed], "PAID"),
        (vec![&failed, &paid], "PAID"),
        (vec![&failed, &failed], "FAILED"),
        (vec![&paid, &cancelled], "CANCELLED"),
        (vec![&cancelled, &paid], "CANCELLED"),
        (vec![&cancelled, &failed], "CANCELLED"),
        (vec![&failed, &cancelled], "CANCELLED"),
        (vec![&paid, &cancelled, &paid, &failed], "CANCELLED"),
        (vec![&failed, &cancelled, &failed, &paid], "CANCELLED"),
    ]
    .into_iter()
    .enumerate()
    {
        let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
        for status in &messages {
            let _ = service.signed(&message(&order, &format!("r-{n}"), (*status).clone(), PRICE)).await.expect(200);
        }
        assert_eq!(service.status(&order).await, expected, "{messages:?}");
    }
    service.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_unfinished_message_stands_in_the_way_of_none(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let receipt = shop.at_the_window(&order, PRICE, bootpay::simulator::Outcome::Separate).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    assert_eq!(shop.status(&order).await, "REQUESTED");
    shop.orders.provider.as_ref().unwrap().confirm(&receipt).await.unwrap();
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    assert_eq!(shop.status(&order).await, "PAID");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_wrong_amount_pays_nothing_and_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let receipt = shop.pay(&order, 1000).await;
    shop.nudge(&order, &receipt).await.refused(400, "wrong-amount");
    assert_eq!(
        (shop.status(&order).await, shop.booking_status(&booking).await),
        ("REQUESTED".into(), "PENDING".into())
    );
    shop.assert_refunds(&[(1000, "WRONG_AMOUNT", "PENDING")]).await;

    shop.run_jobs().await;
    shop.assert_refunds(&[(1000, "WRONG_AMOUNT", "SUCCEEDED")]).await;
    assert_eq!(shop.given_back(&receipt).await, 1000);
    let _ = shop.nudge(&order, &receipt).await.expect(200);

    let right = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &right).await.expect(200);
    assert_eq!((shop.status(&order).await, shop.booking_status(&booking).await), ("PAID".into(), "CONFIRMED".into()));
    assert_eq!(shop.given_back(&right).await, 0);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_second_receipt_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let (first, second) = (shop.pay(&order, PRICE).await, shop.pay(&order, PRICE).await);
    for receipt in [&first, &second, &first, &second] {
        let _ = shop.nudge(&order, receipt).await.expect(200);
    }
    shop.assert_refunds(&[(PRICE, "SURPLUS", "PENDING")]).await;
    shop.run_jobs().await;
    assert_eq!((shop.given_back(&first).await, shop.given_back(&second).await), (0, PRICE));
    let _ = shop.nudge(&order, &second).await.expect(200);
    assert_eq!(shop.status(&order).await, "PAID");
    let own: String = shop.value("select bootpay_receipt_id from payments where order_id = ?", &order).await;
    assert_eq!(own, first.as_str());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_cancelled_stays_so_whatever_is_paid_after(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    for (receipt, status) in [("r-1", 1), ("r-1", 20), ("r-2", 1)] {
        let _ = service.signed(&message(&order, receipt, status, PRICE)).await.expect(200);
    }
    assert_eq!(service.status(&order).await, "CANCELLED");
    assert_eq!(service.booking_state(&booking).await, ("CANCELLED".into(), Some("REVERSED".into())));
    assert_eq!(service.seats(schedule).await, (9, 0));
    service.assert_refunds(&[(PRICE, "SURPLUS", "PENDING")]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn partial_cancels_add_up(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let _ = service.signed(&message(&order, "r-1", 1, PRICE)).await.expect(200);
    let partial = |cancelled: Value| {
        let mut partial = message(&order, "r-1", 20, PRICE);
        partial["webhook_type"] = "PAYMENT_PARTIAL_CANCELLED".into();
        partial["cancelled_price"] = cancelled;
        partial
    };
    let cancelled = "select cast(cancelled as signed) from charges where order_id = ?";
    for (says, total, expected) in [
        (Value::Null, 0, "PAID"),
        (json!(0), 0, "PAID"),
        (json!(20_000), 20_000, "PARTIALLY_REFUNDED"),
        (json!("120000"), 120_000, "PARTIALLY_REFUNDED"),
        (json!(20_000), 120_000, "PARTIALLY_REFUNDED"),
    ] {
        let _ = service.signed(&partial(says)).await.expect(200);
        assert_eq!(
            (service.value::<i64, _>(cancelled, &order).await, service.status(&order).await),
            (total, expected.into())
        );
        assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
    }
    let _ = service.signed(&partial(json!(PRICE))).await.expect(200);
    assert_eq!(
        (service.status(&order).await, service.booking_status(&booking).await),
        ("CANCELLED".into(), "CANCELLED".into())
    );
    service.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn how_much_is_cancelled_the_provider_knows(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    assert!(shop.provider.cancel_in_console(&receipt, Some(70_000)));
    let mut partial = message(&order, receipt.as_str(), 20, PRICE);
    partial["webhook_type"] = "PAYMENT_PARTIAL_CANCELLED".into();
    let _ = shop.signed(&partial).await.expect(200);
    assert_eq!(shop.status(&order).await, "PARTIALLY_REFUNDED");
    assert!(shop.provider.cancel_in_console(&receipt, None));
    let _ = shop.signed(&partial).await.expect(200);
    assert_eq!(shop.status(&order).await, "CANCELLED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn money_for_a_cancelled_booking_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let cause = common::events::Cause::user(buyer.id, None);
    let once = common::idempotency::Once::unkeyed();
    service.orders.cancel_own(&cause, buyer.id, &booking.booking_number, &once).await.unwrap();
    let _ = service.signed(&message(&order, "r-1", 1, PRICE)).await.expect(200);
    assert_eq!(service.booking_state(&booking).await, ("CANCELLED".into(), Some("OWNER".into())));
    assert_eq!(service.refunds().await.len(), 1);
    assert_eq!(service.seats(schedule).await, (9, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn two_payments_of_one_booking_confirm_it_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let (first, second) = (buyer.begin_for(&booking).await, buyer.begin_for(&booking).await);
    let _ = service.signed(&message(&second, "r-2", 1, PRICE)).await.expect(200);
    let _ = service.signed(&message(&first, "r-1", 1, PRICE)).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
    service.assert_refunds(&[(PRICE, "SURPLUS", "PENDING")]).await;
    // The surplus comes back, and the booking stays.
    let _ = service.signed(&message(&first, "r-1", 20, PRICE)).await.expect(200);
    assert_eq!(
        (service.status(&first).await, service.booking_status(&booking).await),
        ("CANCELLED".into(), "CONFIRMED".into())
    );
    assert_eq!(service.status(&second).await, "PAID");
}
