//! `GET /api/admin/outbox` and `POST /api/admin/outbox/{id}/retry`

use common::events::{Cause, Subject, record};
use news::{Metrics, Relay, Secrets};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, Subscriber};

use crate::support::Service;

const PATH: &str = "/api/admin/outbox";

/// Lets bookings be confirmed.
async fn confirm(service: &Service, bookings: std::ops::RangeInclusive<i64>) {
    let mut connection = service.world.db.acquire().await.unwrap();
    for id in bookings {
        let new = json!({ "status": "CONFIRMED" });
        record(&mut connection, &Cause::system(), Subject::Booking, id, "confirmed", &(), &new).await.unwrap();
    }
}

async fn relay(service: &Service, subscriber: &Subscriber) {
    let secrets = Secrets::parse(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
    let to = news::Subscriber::new(&subscriber.url, secrets).unwrap();
    let world = &service.world;
    let metrics = Metrics::new(&common::metrics::Registry::default()).unwrap();
    let relay = Relay::new(world.db.clone(), to, world.clock.clone(), world.chance.clone(), metrics);
    while relay.relay_once(10).await.unwrap() {}
}

async fn listed(admin: &Client, query: &str) -> Vec<Value> {
    admin.get(&format!("{PATH}{query}")).await.expect(200)["news"].as_array().unwrap().clone()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_given_up_is_listed_and_sent_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (admin, subscriber) = (service.admin().await, Subscriber::listen().await);
    confirm(&service, 17..=17).await;
    let waiting = listed(&admin, "?state=waiting").await;
    assert_eq!(listed(&admin, "").await, Vec::<Value>::new());
    let retry = format!("{PATH}/{}/retry", waiting[0]["id"].as_str().unwrap());
    admin.post(&retry, &json!({})).await.refused(409, "news-not-parked");

    subscriber.answer_with(410);
    relay(&service, &subscriber).await;
    let parked = listed(&admin, "").await;
    assert_eq!(parked, listed(&admin, "?state=PARKED").await);
    assert_eq!(parked, listed(&admin, "?state=parked").await);
    assert_eq!(
        parked,
        [json!({
            "id": waiting[0]["id"], "type": "booking.confirmed", "data": {"booking_id": 17},
            "happened_at": waiting[0]["happened_at"], "state": "PARKED", "attempts": 1, "due_at": parked[0]["due_at"],
            "last_error": "status 410", "delivered_at": null,
        })]
    );
    subscriber.answer_with(200);
    let answer = admin.in_english().post(&retry, &json!({})).await.expect(202);
    assert_eq!(answer, json!({ "message": "The news is being sent again.", "success": true }));
    relay(&service, &subscriber).await;
    assert_eq!(subscriber.topics(), ["booking.confirmed", "booking.confirmed"]);
    let delivered = &listed(&admin, "?state=delivered").await[0];
    assert_eq!((&delivered["id"], &delivered["last_error"]), (&waiting[0]["id"], &Value::Null));
    assert!(delivered["delivered_at"].is_string());
    admin.post(&retry, &json!({})).await.refused(409, "news-not-parked");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_long_list_is_told_in_parts(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    confirm(&service, 1..=60).await;
    assert_eq!(listed(&admin, "?state=WAITING").await.len(), 50);
    let mut told = listed(&admin, "?state=WAITING&limit=40").await;
    told.extend(listed(&admin, "?state=WAITING&limit=40&offset=40").await);
    let mut bookings: Vec<_> = told.iter().map(|news| news["data"]["booking_id"].as_i64().unwrap()).collect();
    bookings.sort_unstable();
    assert_eq!(bookings, (1..=60).collect::<Vec<_>>());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_makes_no_sense_is_told(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    for state in ["", "lost", "%27", "PARKED%00"] {
        admin.get(&format!("{PATH}?state={state}")).await.refused_field("state");
    }
    admin.get(&format!("{PATH}?limit=0")).await.refused_field("limit");
    for id in ["1", "x", "%27"] {
        admin.post(&format!("{PATH}/{id}/retry"), &json!({})).await.refused(404, "not-found");
    }
    let unknown = format!("{PATH}/019aa5f0-6f3c-7c1e-9d43-5b1d0e7c2a11/retry");
    admin.post(&unknown, &json!({})).await.refused(404, "news-not-found");
}
