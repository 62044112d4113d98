//! News of what is bought and given back, from the request that causes it to the subscriber.

use std::time::Duration;

use axum::http::HeaderName;
use common::chance::Chance;
use common::events::Cause;
use common::idempotency::Once;
use common::jobs::{self, Shift};
use common::service::Running;
use news::{Metrics, Outbox, Relay, Secrets};
use payment_service::{NewsPauses, with_news};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::Subscriber;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{BOOTPAY_SIGNATURE, PRICE, Service, Shop, WEBHOOK, message, sign};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn relay(service: &Service, subscriber: &Subscriber, metrics: Metrics) -> Relay {
    let secrets = Secrets::parse(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
    let subscriber = news::Subscriber::new(&subscriber.url, secrets).unwrap();
    Relay::new(service.world.db.clone(), subscriber, service.world.clock.clone(), Chance::seeded(1), metrics)
}

/// Sends all there is to send.
async fn deliver(service: &Service, subscriber: &Subscriber) {
    let metrics = Metrics::new(&common::metrics::Registry::default()).unwrap();
    let relay = relay(service, subscriber, metrics);
    while relay.relay_once(16).await.unwrap() {}
}

/// What the subscriber heard of one subject, in order.
fn of(subscriber: &Subscriber, id: &str) -> Vec<Value> {
    let news = subscriber.heard().iter().map(testkit::subscriber::Heard::news).collect::<Vec<_>>();
    news.into_iter().filter(|news| !news["data"][id].is_null()).collect()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_outside_hears_of_a_sale_from_its_money_to_its_refund(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let (shop, subscriber) = (Shop::open(database).await, Subscriber::listen().await);
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    deliver(&shop, &subscriber).await;
    assert_eq!(subscriber.topics(), Vec::<String>::new(), "that somebody thinks of buying is no news");

    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    deliver(&shop, &subscriber).await;
    let cause = Cause::user(buyer.id, None);
    shop.orders.cancel_own(&cause, buyer.id, &booking.booking_number, &Once::unkeyed()).await.unwrap();
    shop.run_jobs().await;
    deliver(&shop, &subscriber).await;

    let topics = |news: &[Value]| news.iter().map(|n| n["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let of_booking: Vec<_> =
        of(&subscriber, "booking_id").into_iter().filter(|n| n["data"]["refund_id"].is_null()).collect();
    assert_eq!(topics(&of_booking), ["booking.confirmed", "booking.cancelled"]);
    assert_eq!(of_booking[1]["data"], json!({ "booking_id": booking.booking_id, "reason": "OWNER" }));
    let of_payment: Vec<_> =
        of(&subscriber, "payment_id").into_iter().filter(|n| n["data"]["refund_id"].is_null()).collect();
    assert_eq!(topics(&of_payment), ["payment.paid", "payment.cancelled"]);
    let of_refund = of(&subscriber, "refund_id");
    assert_eq!(
        (topics(&of_refund), &of_refund[0]["data"]["amount"]),
        (vec!["refund.succeeded".to_owned()], &json!(PRICE))
    );
    let told: String = subscriber.heard().into_iter().map(|heard| heard.body).collect();
    for personal in ["승객", "PASSENGER", "@", "010-1234", "1990-02-03"] {
        assert!(!told.contains(personal), "{personal} in {told}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn news_carries_the_trace_of_the_request_that_caused_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let (shop, subscriber) = (Shop::open(database).await, Subscriber::listen().await);
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let receipt = shop.pay(&order, PRICE).await;
    let paid = message(&order, receipt.as_str(), 1, PRICE);
    let traced = shop
        .client
        .with(BOOTPAY_SIGNATURE, &sign(&paid.to_string()))
        .with(HeaderName::from_static("traceparent"), &format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .with(HeaderName::from_static("tracestate"), "vendor=1");
    let _ = traced.post(WEBHOOK, &paid).await.expect(200);
    deliver(&shop, &subscriber).await;
    let heard = subscriber.heard();
    assert_eq!(heard.len(), 2, "the payment, and the booking");
    for heard in heard {
        assert_eq!(heard.header("traceparent").split('-').nth(1), Some(TRACE));
        assert_eq!(heard.header("tracestate"), "vendor=1");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_jobs_send_and_measure_by_themselves(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let (shop, subscriber) = (Shop::open(database).await, Subscriber::listen().await);
    let metrics = Metrics::new(&shop.world.metrics).unwrap();
    let often = Duration::from_millis(20);
    let pauses = NewsPauses { relay: often, forget: often, look: often };
    let outbox = Outbox { db: shop.world.db.clone() };
    let relay = relay(&shop, &subscriber, metrics.clone());
    let running = with_news(Running::default(), &outbox, Some(relay), metrics, pauses);
    let stop = CancellationToken::new();
    let shift = Shift { stop: stop.clone(), metrics: jobs::Metrics::new(&shop.world.metrics).unwrap() };
    let jobs: Vec<_> = running.jobs.into_iter().map(|start| tokio::spawn(start(shift.clone()))).collect();

    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    let told = async {
        while subscriber.topics() != ["payment.paid"] {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_mins(2), told).await.unwrap();
    stop.cancel();
    for job in jobs {
        timeout(Duration::from_secs(20), job).await.unwrap().unwrap();
    }
    for job in ["send news", "forget news", "look at the outbox"] {
        let rounds = shop.world.counted(&format!("cloudjet_job_duration_seconds_count{{job=\"{job}\"}}"));
        assert!(rounds >= 1.0, "{job}");
    }
}
