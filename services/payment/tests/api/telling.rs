//! What the service tells about itself: how long what waits has waited; and that its log names nobody.

use bootpay::simulator::{Outage, Trouble};
use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::Once;
use orders::Backlog;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::Log;

use crate::support::{BOOTPAY_SIGNATURE, KEY, PRICE, Shop, WEBHOOK, message, order_of, sign};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_waits_is_measured_by_its_age(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let backlog = Backlog::new(&shop.world.metrics).unwrap();
    let measured = async || {
        shop.orders.look_at_backlog(&backlog).await.unwrap();
        [
            "cloudjet_refunds_open{state=\"PENDING\"}",
            "cloudjet_refunds_open{state=\"SENT\"}",
            "cloudjet_refunds_open{state=\"NEEDS_OPERATOR\"}",
            "cloudjet_refund_oldest_open_age_seconds",
            "cloudjet_provider_event_oldest_unapplied_age_seconds",
        ]
        .map(|series| shop.world.counted(series))
    };
    assert_eq!(format!("{:?}", measured().await), "[0.0, 0.0, 0.0, 0.0, 0.0]");

    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    let cause = Cause::user(buyer.id, None);
    shop.orders.cancel_own(&cause, buyer.id, &booking.booking_number, &Once::unkeyed()).await.unwrap();
    shop.signed(&message("nobody-s", "r-1", -1, PRICE)).await.refused(404, "order-not-found");
    shop.world.pass(TimeDelta::minutes(1));
    let [pending, sent, lost, refund, event] = measured().await;
    assert_eq!(format!("{:?}", [pending, sent, lost]), "[1.0, 0.0, 0.0]");
    assert!((60.0..3600.0).contains(&refund) && (60.0..3600.0).contains(&event), "{refund}, {event}");

    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    let _ = shop.orders.drive_refunds_once(10).await.unwrap();
    assert_eq!(format!("{:?}", &measured().await[..3]), "[0.0, 1.0, 0.0]");
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::minutes(2));
    shop.run_jobs().await;
    let [pending, sent, lost, refund, _] = measured().await;
    assert_eq!(format!("{:?}", [pending, sent, lost, refund]), "[0.0, 0.0, 0.0, 0.0]");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_log_says_what_was_paid_and_not_by_whom(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let (booking, token) = (shop.booking(&buyer, schedule, 1).await, shop.world.token(buyer.id));
    let log = Log::kept();

    let wanted = json!({ "bookingId": booking.booking_number, "amount": PRICE, "orderName": "김하늘 님의 여행" });
    let order = order_of(&buyer.init(&wanted).await.expect(200));
    let receipt = shop.pay(&order, PRICE).await;
    let mut told = message(&order, receipt.as_str(), 1, PRICE);
    told["user"] = json!({ "username": "김하늘", "phone": "010-1234-5678", "email": "kim@example.com" });
    told["card_data"] = json!({ "card_no": "5409********1234" });
    let forged = sign("something else");
    shop.client.with(BOOTPAY_SIGNATURE, &forged).post(WEBHOOK, &told).await.refused(401, "not-authentic");
    let _ = shop.signed(&told).await.expect(200);
    let _ = buyer.attach(&order, &booking).await.expect(200);
    let cause = Cause::user(buyer.id, None);
    shop.orders.cancel_own(&cause, buyer.id, &booking.booking_number, &Once::unkeyed()).await.unwrap();
    shop.run_jobs().await;
    assert_eq!(shop.given_back(&receipt).await, PRICE);

    let signature = sign(&told.to_string());
    let persons = ["김하늘", "승객", "PASSENGER", "010-1234", "example.com", "5409*"];
    log.assert_tells_nothing_of(&persons);
    log.assert_tells_nothing_of(&[&token, &forged, &signature, KEY]);
    let heard = log.line("POST /api/payments/webhook").unwrap();
    assert_eq!(heard["status"], 401);
    assert!(log.text().contains("insert into charges"), "the statements are looked through, too");
}
