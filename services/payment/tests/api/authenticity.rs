//! Who is believed at `POST /api/payments/webhook`.

use axum::body::Body;
use axum::http::Method;
use bootpay::simulator::{Format, Mode, Operation, Outage, Payment, Trouble};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::support::{BOOTPAY_SIGNATURE, PRICE, SHORT, Service, Shop, WEBHOOK, X_BOOTPAY_SIGNATURE, message, sign};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_right_signature_makes_the_message_count(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    for header in [BOOTPAY_SIGNATURE, X_BOOTPAY_SIGNATURE] {
        let order = buyer.begin(schedule, 1).await;
        let paid = message(&order, header.as_str(), 1, PRICE);
        let signed = service.client.with(header, &sign(&paid.to_string()));
        assert_eq!(signed.post(WEBHOOK, &paid).await.expect(200), json!({ "success": true }));
        assert_eq!(service.status(&order).await, "PAID");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_wrong_signature_is_refused_and_nothing_changes(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    // The provider would confirm it, but a signature that is there must be right.
    let receipt = shop.pay(&order, PRICE).await;
    let paid = message(&order, receipt.as_str(), 1, PRICE);
    let right = sign(&paid.to_string());
    let forged = bootpay::signature::sign(&"another-key".into(), paid.to_string().as_bytes()).unwrap();
    let of_another = sign(&message(&order, receipt.as_str(), 1, PRICE + 1).to_string());
    for wrong in [forged.as_str(), &of_another, &right[1..], "", "nonsense", "AAAA", "\u{e9}"] {
        shop.client.with(BOOTPAY_SIGNATURE, wrong).post(WEBHOOK, &paid).await.refused(401, "not-authentic");
    }
    // The better place decides, whatever stands in the other.
    let both = shop.client.with(BOOTPAY_SIGNATURE, &forged).with(X_BOOTPAY_SIGNATURE, &right);
    both.post(WEBHOOK, &paid).await.refused(401, "not-authentic");
    // One more space is another body.
    let signed = shop.client.with(BOOTPAY_SIGNATURE, &right);
    let tampered = signed.send(Method::POST, WEBHOOK, Some("application/json"), Body::from(format!("{paid} "))).await;
    tampered.refused(401, "not-authentic");

    assert_eq!(shop.status(&order).await, "REQUESTED");
    assert_eq!(events_kept(&shop).await, 0);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_empty_key_verifies_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::configured(World::new(database), None, Some("browser-id"), "");
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let paid = json!({"order_id": order, "receipt_id": "r-1", "status": 1, "price": PRICE});
    for claimed in [sign(&paid.to_string()), of_the_empty_key(&paid), String::new()] {
        service.client.with(BOOTPAY_SIGNATURE, &claimed).post(WEBHOOK, &paid).await.refused(401, "not-authentic");
    }
    service.unsigned(&paid).await.refused(401, "not-authentic");
    assert_eq!(service.status(&order).await, "REQUESTED");
}

/// The HMAC-SHA256 of a body under the empty key, made by hand because our own code refuses to.
fn of_the_empty_key(body: &Value) -> String {
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};
    let inner = Sha256::digest([&[0x36_u8; 64], body.to_string().as_bytes()].concat());
    let outer = Sha256::digest([&[0x5c_u8; 64], inner.as_slice()].concat());
    base64::engine::general_purpose::STANDARD.encode(outer)
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_signature_only_the_providers_word_counts(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let (paid, declined, other) =
        (buyer.begin(schedule, 1).await, buyer.begin(schedule, 1).await, buyer.begin(schedule, 1).await);
    let (receipt, refusal) = (shop.pay(&paid, PRICE).await, shop.decline(&declined, PRICE).await);

    let _ = shop.unsigned(&message(&declined, refusal.as_str(), "PAID", PRICE)).await.expect(200);
    assert_eq!(shop.status(&declined).await, "FAILED");
    // Somebody else's receipt pays nothing here, and what is said of its order, amount and status is not heard.
    let _ = shop.unsigned(&message(&other, receipt.as_str(), "FAILED", 1)).await.expect(200);
    assert_eq!((shop.status(&other).await, shop.status(&paid).await), ("REQUESTED".into(), "PAID".into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_signature_and_without_the_providers_word_nothing_is_believed(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::patient(database, SHORT).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let receipt = shop.pay(&order, PRICE).await;

    for unheard in [
        json!({ "order_id": order, "status": 1, "price": PRICE }),
        json!({ "order_id": order, "receipt_id": "", "status": 1, "price": PRICE }),
        json!({ "order_id": order, "receipt_id": "made up", "status": 1, "price": PRICE }),
        message(&order, "624c1c5c1fc19202e4746ce5", 1, PRICE),
        message(&order, "../../v2/receipt", 1, PRICE),
    ] {
        shop.unsigned(&unheard).await.refused(401, "not-authentic");
    }
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    shop.nudge(&order, &receipt).await.refused(401, "not-authentic");
    shop.provider.set_outage(Outage { only: Some(vec![Operation::Receipt]), ..Outage::new(Trouble::Hang) });
    shop.nudge(&order, &receipt).await.refused(503, "unavailable");
    let alone = Service::with(shop.world.clone(), None);
    alone.unsigned(&message(&order, receipt.as_str(), 1, PRICE)).await.refused(401, "not-authentic");
    let gone = bootpay::Client::new(bootpay::Config::new("http://127.0.0.1:1/v2", "rest-id", "k".into())).unwrap();
    let astray = Service::with(shop.world.clone(), Some(gone));
    astray.unsigned(&message(&order, receipt.as_str(), 1, PRICE)).await.refused(401, "not-authentic");
    assert_eq!((shop.status(&order).await, events_kept(&shop).await), ("REQUESTED".into(), 0));

    shop.provider.set_outage(Outage::default());
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    assert_eq!(shop.status(&order).await, "PAID");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_provider_knows_better_than_a_signed_message(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let (order, named) = (buyer.begin(schedule, 1).await, buyer.begin(schedule, 1).await);
    let receipt = shop.decline(&order, PRICE).await;
    let _ = shop.signed(&message(&named, receipt.as_str(), "PAID", 5)).await.expect(200);
    assert_eq!((shop.status(&order).await, shop.status(&named).await), ("FAILED".into(), "REQUESTED".into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_signed_message_counts_while_the_provider_cannot_tell(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::patient(database, SHORT).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    for (trouble, receipt) in [(Trouble::Refuse, "r-1"), (Trouble::Hang, "r-2"), (Trouble::None, "unknown-to-it")] {
        shop.provider.set_outage(Outage::new(trouble));
        let order = buyer.begin(schedule, 1).await;
        let _ = shop.signed(&message(&order, receipt, 1, PRICE)).await.expect(200);
        assert_eq!(shop.status(&order).await, "PAID", "{trouble:?}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_providers_own_webhooks_arrive_in_every_form(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    shop.listen().await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    for webhook in [Mode::Signed, Mode::Unsigned] {
        for webhook_format in [Format::Json, Format::Form] {
            let order = buyer.begin(schedule, 1).await;
            let payment = Payment { webhook, webhook_format, ..Payment::new(&order, PRICE) };
            let paid = shop.provider.pay(payment).await.unwrap();
            assert!(paid.webhook.delivered, "{webhook:?} {webhook_format:?}: {:?}", paid.webhook);
            assert_eq!(shop.status(&order).await, "PAID");
        }
    }
}

async fn events_kept(service: &Service) -> i64 {
    sqlx::query_scalar("select count(*) from provider_events").fetch_one(&service.world.db).await.unwrap()
}
