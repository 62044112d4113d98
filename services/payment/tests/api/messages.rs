//! What messages of the provider mean, as far as a signature lets them speak for themselves.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{BOOTPAY_SIGNATURE, PRICE, Service, WEBHOOK, message, order_of, sign};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn every_status_means_what_the_contract_says(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    let mut n = 0;
    for (statuses, expected) in [
        (vec![json!(1), json!("1"), json!(1.0), json!("PAID"), json!("paid"), json!("Complete")], "PAID"),
        (vec![json!("SUCCESS"), json!("DONE"), json!(" done ")], "PAID"),
        // A cancel that failed, or is under way: the money is still taken.
        (vec![json!(-20), json!("-30")], "PAID"),
        (vec![json!(20), json!("20"), json!("CANCELLED"), json!("cancelled")], "CANCELLED"),
        (
            vec![json!(-1), json!("-1"), json!(-2), json!(-3), json!(-11), json!(-99), json!("FAILED"), json!("Error")],
            "FAILED",
        ),
        (
            vec![json!(0), json!(2), json!(3), json!(5), json!("5"), json!(11), json!(12), json!(999), json!("READY")],
            "REQUESTED",
        ),
    ] {
        for status in statuses {
            n += 1;
            let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
            let body = service.signed(&message(&order, &format!("r-{n}"), status.clone(), PRICE)).await.expect(200);
            assert_eq!(body, json!({ "success": true }));
            assert_eq!(service.status(&order).await, expected, "{status}");
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_called_a_cancel_says_by_its_amounts_how_much_went_back(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    for (n, (kind, cancelled, expected)) in [
        (Value::Null, Value::Null, "CANCELLED"),
        (Value::Null, json!(PRICE), "CANCELLED"),
        (Value::Null, json!("20000.0"), "PARTIALLY_REFUNDED"),
        (json!("PAYMENT_CANCELLED"), Value::Null, "CANCELLED"),
        (json!("PAYMENT_CANCELLED"), json!(PRICE.to_string()), "CANCELLED"),
        (json!("PAYMENT_PARTIAL_CANCELLED"), json!(20_000.0), "PARTIALLY_REFUNDED"),
        (json!("payment_partial_cancelled"), json!(PRICE), "CANCELLED"),
        // It doesn't say how much: only the receipt could.
        (json!("PAYMENT_PARTIAL_CANCELLED"), Value::Null, "REQUESTED"),
    ]
    .into_iter()
    .enumerate()
    {
        let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
        let mut said = message(&order, &format!("r-{n}"), 20, PRICE);
        (said["webhook_type"], said["cancelled_price"]) = (kind, cancelled);
        let _ = service.signed(&said).await.expect(200);
        assert_eq!(service.status(&order).await, expected, "{said}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_virtual_account_pays_in_two_messages(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let mut said = message(&order, "r-1", 5, PRICE);
    said["webhook_type"] = "PAYMENT_VIRTUAL_ACCOUNT_ISSUED".into();
    let _ = service.signed(&said).await.expect(200);
    assert_eq!(
        (service.status(&order).await, service.booking_status(&booking).await),
        ("REQUESTED".into(), "PENDING".into())
    );
    let _ = service.signed(&message(&order, "r-1", 1, PRICE)).await.expect(200);
    // The account's notice again, late, takes nothing back.
    let _ = service.signed(&said).await.expect(200);
    assert_eq!(
        (service.status(&order).await, service.booking_status(&booking).await),
        ("PAID".into(), "CONFIRMED".into())
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn fields_come_in_two_spellings_and_numbers_as_texts(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    for (n, mut fields) in [
        json!({ "receipt_id": "r-0", "status": 1, "price": PRICE }),
        json!({ "receiptId": "r-1", "status_en": "PAID", "amount": PRICE.to_string() }),
        json!({ "receipt_id": "", "receiptId": "r-2", "status": 1, "status_en": "FAILED", "price": "320000.0", "amount": 5 }),
        json!({ "receipt_id": "r-3", "status": null, "status_en": "SUCCESS", "price": 320_000.0, "cancelled_price": 0 }),
        json!({ "receipt_id": "r-4", "status": "", "status_en": "done", "price": PRICE, "webhook_type": "PAYMENT_COMPLETED", "items": [{ "a": [1] }] }),
        json!({ "receipt_id": "r-5", "status": {}, "status_en": "done", "price": PRICE, "receiptId": null }),
    ]
    .into_iter()
    .enumerate()
    {
        let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
        fields[if n % 2 == 0 { "order_id" } else { "orderId" }] = order.as_str().into();
        let _ = service.signed(&fields).await.expect(200);
        assert_eq!(service.status(&order).await, "PAID", "{fields}");
        let receipt: String = service.value("select bootpay_receipt_id from payments where order_id = ?", &order).await;
        assert_eq!(receipt, format!("r-{n}"));
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn forms_are_read_like_json(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let form = format!(
        "order_id={order}&receipt_id=r%2D1&status=1&price={PRICE}&order_name=%EC%A0%9C+%EC%A3%BC&private_key=x"
    );
    assert_eq!(service.signed_form(&form).await.expect(200), json!({ "success": true }));
    assert_eq!(service.status(&order).await, "PAID");

    let (valid, payload): (bool, String) =
        sqlx::query_as("select json_valid(payload), cast(payload as char) from provider_events where order_id = ?")
            .bind(&order)
            .fetch_one(&service.world.db)
            .await
            .unwrap();
    let kept: Value = serde_json::from_str(&payload).unwrap();
    assert!(valid);
    let expected =
        json!({ "order_id": order, "receipt_id": "r-1", "status": "1", "price": "320000", "order_name": "제 주" });
    assert_eq!(kept, expected, "as it came, but for the key");
    service.signed_form("").await.refused_field("order_id");
    service.signed_form("order_id=&status=1").await.refused_field("order_id");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_a_paid_message_lacks_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let order = order_of(&service.buyer().await.init(&json!({ "amount": PRICE })).await.expect(200));
    let whole = message(&order, "r-1", 1, PRICE);
    for (field, value, named) in [
        ("order_id", Value::Null, "order_id"),
        ("order_id", json!("  "), "order_id"),
        ("receipt_id", Value::Null, "receipt_id"),
        ("receipt_id", json!("no receipt"), "receipt_id"),
        ("receipt_id", json!("x".repeat(65)), "receipt_id"),
        ("status", Value::Null, "status"),
        ("price", Value::Null, "price"),
        ("price", json!("many"), "price"),
        ("price", json!(-1), "price"),
        ("price", json!(1.5), "price"),
        ("price", json!(3_000_000_000_i64), "price"),
        ("cancelled_price", json!("all"), "cancelled_price"),
        ("cancelled_price", json!(PRICE + 1), "cancelled_price"),
    ] {
        let mut lacking = whole.clone();
        lacking[field] = value;
        service.signed(&lacking).await.refused_field(named);
    }
    assert_eq!(service.status(&order).await, "REQUESTED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_decline_needs_no_receipt_and_no_price(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    let begin = async || order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
    let (first, second, third) = (begin().await, begin().await, begin().await);
    for order in [&first, &second] {
        let _ = service.signed(&json!({ "order_id": order, "status": "FAILED" })).await.expect(200);
        assert_eq!(service.status(order).await, "FAILED");
    }
    // The same receipt may succeed later: then the amount it tells counts.
    let _ = service.signed(&json!({ "order_id": third, "receipt_id": "r-1", "status": -1 })).await.expect(200);
    for (order, receipt) in [(&first, "r-2"), (&third, "r-1")] {
        let _ = service.signed(&message(order, receipt, 1, PRICE)).await.expect(200);
        assert_eq!(service.status(order).await, "PAID");
    }
    service.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_body_that_is_no_message_is_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let send = async |content_type: Option<&str>, body: Vec<u8>| {
        let signature = bootpay::signature::sign(&"private-key".into(), &body).unwrap();
        let client = service.client.with(BOOTPAY_SIGNATURE, &signature);
        client.send(Method::POST, WEBHOOK, content_type, Body::from(body)).await
    };
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let deeper = format!("{}1{}", "[".repeat(4000), "]".repeat(4000));
    for malformed in [
        "",
        "null",
        "[]",
        "5",
        "\"x\"",
        "{",
        "{} {}",
        "\u{feff}{}",
        "order_id=x",
        "{\"a\":1e999}",
        &format!("{{\"a\":{deep}}}"),
        &deeper,
    ] {
        send(Some("application/json"), malformed.into()).await.refused(400, "malformed-message");
    }
    send(Some("application/json"), b"{\"order_id\":\"\xff\"}".to_vec()).await.refused(400, "malformed-message");
    send(Some("application/json; charset=utf-8"), b"{}".to_vec()).await.refused_field("order_id");
    for content_type in [None, Some("text/plain"), Some("multipart/form-data; boundary=x"), Some("application/xml")] {
        send(content_type, b"{}".to_vec()).await.refused(415, "unsupported-media-type");
    }
    let unsigned = service.client.send(Method::POST, WEBHOOK, Some("application/json"), Body::from("[]")).await;
    unsigned.refused(400, "malformed-message");
    service.unsigned(&json!({ "receipt_id": "r-1" })).await.refused_field("order_id");
    let large = json!({ "order_id": "x", "unknown": "x".repeat(11 << 20) });
    service.unsigned(&large).await.refused(413, "body-too-large");
    let large = json!({ "order_id": "x", "status": 0, "unknown": "x".repeat(128 << 10) });
    let _ = service.signed(&large).await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn texts_of_any_length_and_script_are_survived(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let long = "주문".repeat(100);
    for (order, kind) in [(long.as_str(), "x".repeat(300)), ("✈️", "종류".repeat(90)), ("a/b'c\"d\\", String::new())]
    {
        let mut paid = message(order, "r-1", 1, PRICE);
        paid["webhook_type"] = kind.into();
        paid["receipt_id"] = format!("r-{}", order.len()).into();
        service.signed(&paid).await.refused(404, "order-not-found");
    }
    let kept: i64 =
        sqlx::query_scalar("select count(*) from provider_events").fetch_one(&service.world.db).await.unwrap();
    assert_eq!(kept, 3);
    let body = "order_id=%ff%fe&status=1&receipt_id=r-9&price=1";
    assert_eq!(service.signed_form(body).await.status, 404);
    assert_eq!(sign("a").len(), 44);
}
