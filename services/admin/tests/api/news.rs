//! News: of every topic, what `docs/news.md` says of it, no more and no less.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::Once;
use common::outbox::Topic;
use orders::bookings::Choice;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, seed};

use crate::payments::{PRICE, hear};
use crate::support::Service;

/// What is promised of each topic, besides the id of its subject.
fn promised() -> BTreeMap<String, BTreeSet<String>> {
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = include_str!("../../../../docs/news.md").lines().filter_map(|line| {
        let [_, topic, _, facts, _] = line.split('|').collect::<Vec<_>>().try_into().ok()?;
        let topic = quoted(topic).pop().filter(|topic| topic.contains('.'))?;
        // Words in capitals are values.
        let facts = quoted(facts).into_iter().filter(|word| word.bytes().any(|b| b.is_ascii_lowercase()));
        Some((topic, facts.collect()))
    });
    rows.collect()
}

/// What was told of each topic.
async fn told(service: &Service) -> BTreeMap<String, Vec<Value>> {
    let rows: Vec<(String, String)> = sqlx::query_as("select topic, cast(data as char) from outbox order by position")
        .fetch_all(&service.world.db)
        .await
        .unwrap();
    let mut told = BTreeMap::<_, Vec<_>>::new();
    for (topic, data) in rows {
        told.entry(topic).or_default().push(serde_json::from_str(&data).unwrap());
    }
    told
}

/// Gives a part of a payment back.
async fn refund(admin: &Client, payment_id: i64, won: i64) {
    let client = admin.keyed(&uuid::Uuid::now_v7().to_string());
    let part = json!({ "amount": won, "reason": "기내식 미제공" });
    let _ = client.post(&format!("/api/admin/payments/{payment_id}/refunds"), &part).await.expect(201);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn every_topic_tells_what_is_promised_of_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let (admin_id, db) = (seed::admin(&service.world.db).await, service.world.db.clone());
    let admin = || service.signed_in(admin_id);
    let schedule = service.schedule(180).await;
    let mut sold = Vec::new();
    for seat in ["1A", "1B", "1C"] {
        sold.push(service.sell(seed::user(&db).await, schedule, seat).await);
    }
    let [flies, cancels, stuck] = sold.try_into().unwrap();

    // A passenger moves over.
    let booking = &flies.booking;
    let passenger_id =
        service.value("select passenger_id from passengers where booking_id = ?", booking.booking_id).await;
    let user_id = service.value("select user_id from bookings where booking_id = ?", booking.booking_id).await;
    let (cause, choices) = (Cause::user(user_id, None), [Choice { passenger_id, seat: "2A".parse().ok() }]);
    let once = Once::unkeyed();
    service.orders.choose_seats(&cause, user_id, &booking.booking_number, &choices, &once).await.unwrap();
    // A part goes back, and then the rest, with the booking.
    refund(&admin(), cancels.payment.payment_id, 50_000).await;
    service.run_jobs().await;
    let cancel = format!("/api/admin/bookings/{}/cancel", cancels.booking.booking_number);
    let _ = admin().put(&cancel, &json!({})).await.expect(200);
    service.run_jobs().await;
    // An operator ends what the provider won't.
    refund(&admin(), stuck.payment.payment_id, 1).await;
    service.by_hand("update refunds set state = 'NEEDS_OPERATOR' where payment_id = ?", stuck.payment.payment_id).await;
    let refund_id: uuid::Uuid =
        service.value("select refund_id from refunds where payment_id = ?", stuck.payment.payment_id).await;
    let settle = format!("/api/admin/refunds/{refund_id}/settle");
    let _ = admin().post(&settle, &json!({ "note": "계좌 이체 완료" })).await.expect(200);
    // Money for nobody's order, on a receipt that the provider doesn't know.
    hear(&service, "nobodys", "r-1", PRICE).await;
    service.world.pass(TimeDelta::minutes(61));
    assert!(service.orders.tidy_inbox_once(10).await.unwrap());
    for _ in 0..6 {
        service.run_jobs().await;
        service.world.pass(TimeDelta::minutes(16));
    }
    // One flight is cancelled, the other one flown.
    let grounded = seed::schedule(service.world.day(20)).insert(&db).await;
    service.sell(seed::user(&db).await, grounded, "1A").await;
    let ground = format!("/api/admin/schedules/{grounded}/cancel");
    let _ = admin().post(&ground, &json!({ "reason": "태풍으로 인한 결항" })).await.expect(200);
    service.run_jobs().await;
    service.world.pass(TimeDelta::days(6));
    assert!(service.orders.complete_departed_once(10).await.unwrap());

    let (promised, told) = (promised(), told(&service).await);
    let topics: BTreeSet<_> = Topic::ALL.iter().map(|topic| topic.as_str()).collect();
    assert_eq!(promised.keys().map(String::as_str).collect::<BTreeSet<_>>(), topics);
    assert_eq!(told.keys().map(String::as_str).collect::<BTreeSet<_>>(), topics);
    for (topic, news) in &told {
        let (subject, _) = topic.split_once('.').unwrap();
        let mut facts = promised[topic].clone();
        facts.insert(format!("{subject}_id"));
        for data in news {
            assert_eq!(&data.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>(), &facts, "{topic}");
            let absent: Vec<_> = facts.iter().filter(|fact| data[*fact].is_null()).collect();
            let is_nobodys = topic == "refund.needs_operator";
            assert_eq!(absent, if is_nobodys { vec!["booking_id", "payment_id"] } else { vec![] }, "{topic}: {data}");
        }
    }
    assert_eq!(
        told["booking.completed"],
        [json!({ "booking_id": flies.booking.booking_id }), json!({ "booking_id": stuck.booking.booking_id })]
    );
    let settled = json!({
        "refund_id": refund_id, "amount": 1, "payment_id": stuck.payment.payment_id,
        "booking_id": stuck.booking.booking_id,
    });
    assert!(told["refund.succeeded"].contains(&settled), "{told:?}");
}
