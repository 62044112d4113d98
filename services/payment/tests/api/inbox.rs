//! Authentic messages about orders that nobody knows (yet).

use chrono::TimeDelta;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{PRICE, Service, Shop, message, order_of, wanted};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn they_are_kept_and_applied_when_the_order_appears(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let early = message("my-order", "r-1", 1, PRICE);
    service.signed(&early).await.refused(404, "order-not-found");
    service.signed(&early).await.refused(404, "order-not-found");

    let order = order_of(
        &buyer.init(&json!({ "scheduleId": schedule, "amount": PRICE, "orderId": "my-order" })).await.expect(200),
    );
    assert_eq!(service.status(&order).await, "PAID");
    let _ = service.signed(&early).await.expect(200);
    let booking = service.book(&wanted(&buyer, schedule, 1, &["1A"])).await.unwrap();
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
    service.world.pass(TimeDelta::hours(2));
    service.run_jobs().await;
    service.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn their_amounts_count_then_as_they_would_have_before(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    service.signed(&message("my-order", "r-1", 1, 5)).await.refused(404, "order-not-found");
    let _ = buyer.init(&json!({ "amount": PRICE, "orderId": "my-order" })).await.expect(200);
    assert_eq!(service.status("my-order").await, "REQUESTED");
    service.assert_refunds(&[(5, "WRONG_AMOUNT", "PENDING")]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_came_in_between_is_applied_by_the_job(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    let _ = buyer.init(&json!({ "amount": PRICE, "orderId": "my-order" })).await.expect(200);
    service.signed(&message("another", "r-1", 1, PRICE)).await.refused(404, "order-not-found");
    sqlx::query("update provider_events set order_id = 'my-order'").execute(&service.world.db).await.unwrap();
    service.run_jobs().await;
    assert_eq!(service.status("my-order").await, "PAID");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn money_for_an_order_nobody_makes_goes_back_after_an_hour(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let tampered = "주문".repeat(40);
    let mut receipts = Vec::new();
    for order in ["CJ-ORD-nothing", tampered.as_str()] {
        let receipt = shop.pay(order, PRICE).await;
        shop.nudge(order, &receipt).await.refused(404, "order-not-found");
        receipts.push(receipt);
    }
    shop.world.pass(TimeDelta::minutes(59));
    shop.run_jobs().await;
    shop.assert_refunds(&[]).await;
    shop.world.pass(TimeDelta::minutes(2));
    shop.run_jobs().await;
    shop.run_jobs().await;
    shop.assert_refunds(&[(PRICE, "UNKNOWN_ORDER", "SUCCEEDED"); 2]).await;
    for receipt in &receipts {
        assert_eq!(shop.given_back(receipt).await, PRICE);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_went_back_as_nobodys_pays_no_order_that_appears_after(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    service.signed(&message("my-order", "r-1", 1, PRICE)).await.refused(404, "order-not-found");
    service.world.pass(TimeDelta::minutes(61));
    service.run_jobs().await;
    service.assert_refunds(&[(PRICE, "UNKNOWN_ORDER", "PENDING")]).await;

    let buyer = service.again(&buyer);
    let _ = buyer.init(&json!({ "amount": PRICE, "orderId": "my-order" })).await.expect(200);
    // Another message, and so not known, about the same money.
    let _ = service.signed(&message("my-order", "r-1", "DONE", PRICE)).await.expect(200);
    let mut typed = message("my-order", "r-1", 1, PRICE);
    typed["webhook_type"] = "PAYMENT_COMPLETED".into();
    let _ = service.signed(&typed).await.expect(200);
    assert_eq!(service.status("my-order").await, "REQUESTED");
    let _ = service.signed(&message("my-order", "r-2", 1, PRICE)).await.expect(200);
    assert_eq!(service.status("my-order").await, "PAID");
    service.assert_refunds(&[(PRICE, "UNKNOWN_ORDER", "PENDING")]).await;
}
