//! Whatever comes in, an answer goes out.

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::garbage::{Sample, assert_survived};

use crate::support::{BOOTPAY_SIGNATURE, PRICE, Service, Shop, WEBHOOK, message, sign};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whatever_comes_in_an_answer_goes_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database.clone());
    let (buyer, schedule) = (service.buyer().await, service.schedule(180).await);
    let order = buyer.begin(schedule, 1).await;
    let booking = service.booking(&buyer, schedule, 1).await;
    let sample = |path: &str, body: Value| Sample { method: Method::POST, path: path.to_owned(), body: Some(body) };
    let of_clients = [
        sample(
            "/api/payments/init",
            json!({
                "amount": PRICE, "scheduleId": schedule.to_string(), "orderName": "CJ101", "orderId": "order-1",
                "method": "card", "provider": "nicepay", "bookingId": null,
            }),
        ),
        sample("/api/payments/attach-booking", json!({ "orderId": order, "bookingId": booking.booking_number })),
        Sample { method: Method::GET, path: "/api/payments?status=PAID&booking=1&limit=9".to_owned(), body: None },
        Sample { method: Method::GET, path: format!("/api/payments/{order}"), body: None },
    ];
    assert_survived(&service.world.db, &of_clients, 150, async |request| request.by(&buyer).await).await;

    let confirm =
        [sample("/api/payments/confirm", json!({ "orderId": order, "receiptId": "624c1c5c1fc19202e4746ce5" }))];
    let shop = Shop::open(database).await;
    let buyer = shop.again(&buyer);
    assert_survived(&service.world.db, &confirm, 100, async |request| request.by(&buyer).await).await;

    let mut said = message(&order, "r-1", 1, PRICE);
    said["cancelled_price"] = 0.into();
    said["webhook_type"] = "PAYMENT_COMPLETED".into();
    let webhook = [sample(WEBHOOK, said)];
    assert_survived(&service.world.db, &webhook, 100, async |request| request.by(&service.client).await).await;
    // From somebody who has the key: everything is read.
    let signed = async |request: testkit::garbage::Request| {
        let signature = sign(&String::from_utf8_lossy(&request.body));
        request.by(&service.client.with(BOOTPAY_SIGNATURE, &signature)).await
    };
    assert_survived(&service.world.db, &webhook, 300, signed).await;
}
