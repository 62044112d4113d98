//! `Idempotency-Key`: asked again under one name, the desk's changes happen once and are answered alike.

use axum::body::Body;
use axum::http::Method;
use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::Once;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Answer, Client, seed};

use crate::support::{PUBLISH, Service, flight, on};

/// Asks under one name, for the first time and again. Answers the first answer.
async fn twice(admin: &Client, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let ask = async || {
        let (content_type, body) =
            (body.map(|_| "application/json"), body.map_or(Body::empty(), |b| b.to_string().into()));
        admin.keyed(key).send(method.clone(), path, content_type, body).await
    };
    let first = ask().await;
    assert!(first.status.is_success(), "{method} {path}: {}", first.body);
    ask().await.repeats(&first);
    first
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn every_change_of_the_desk_is_made_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let (admin, day) = (service.admin().await, service.world.day(3));

    // Under one key: each route has its own.
    let ask = async |method, path: &str, body: Option<&Value>| twice(&admin, "one-key", method, path, body).await;
    let created = ask(Method::POST, "/api/admin/flights", Some(&flight("CJ900"))).await;
    assert_eq!((created.status.as_u16(), &created.body["flight_id"]), (201, &json!("CJ900")));
    let published = ask(Method::POST, PUBLISH, Some(&on(day, &flight("CJ900")))).await;
    assert_eq!((published.status.as_u16(), &published.body["result"]["created_schedules"]), (201, &json!(1)));
    let (schedule, ..) = service.days("CJ900").await[0];
    let discount = json!({ "schedule_id": schedule, "discount_percentage": 25 });
    let discount = ask(Method::POST, "/api/admin/discounts", Some(&discount)).await;
    assert_eq!(discount.status, 201);
    let discount = discount.body["discount_id"].as_i64().unwrap();
    ask(Method::DELETE, &format!("/api/admin/discounts/{discount}"), None).await;
    let booking = service.desk.book(seed::user(&service.world.db).await, schedule, &["1A"]).await;
    ask(Method::PUT, &format!("/api/admin/bookings/{}/cancel", booking.booking_number), Some(&json!({}))).await;
    let grounded = ask(Method::POST, &format!("/api/admin/schedules/{schedule}/cancel"), None).await;
    assert_eq!(grounded.body["cancelled"], 0);
    ask(Method::DELETE, "/api/admin/flights/CJ900", None).await;

    assert_eq!(service.actions("FLIGHT", "CJ900").await, ["created", "deactivated"]);
    assert_eq!(service.actions("SCHEDULE", schedule).await, ["published", "cancelled"]);
    assert_eq!(service.actions("DISCOUNT", discount).await, ["created", "removed"]);

    // The same names for something else, and what was refused.
    let keyed = admin.keyed("one-key");
    keyed.post("/api/admin/flights", &flight("CJ901")).await.refused(422, "idempotency-key-reused");
    keyed.delete("/api/admin/flights/CJ901").await.refused(422, "idempotency-key-reused");
    admin.keyed("two").delete("/api/admin/flights/CJ900").await.refused(404, "flight-not-found");
    admin.keyed("").delete("/api/admin/flights/CJ900").await.refused_field("Idempotency-Key");
    let colleague = service.admin().await.keyed("one-key");
    colleague.post("/api/admin/flights", &flight("CJ900")).await.refused(409, "flight-exists");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn cancelling_a_schedule_is_told_as_it_was_told_first(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (admin, schedule) = (service.admin().await, service.schedule(180).await);
    for seat in ["1A", "1B"] {
        service.desk.book(seed::user(&service.world.db).await, schedule, &[seat]).await;
    }
    let (path, why) = (format!("/api/admin/schedules/{schedule}/cancel"), json!({ "reason": "태풍" }));
    let first = admin.keyed("storm").post(&path, &why).await;
    assert_eq!((first.status.as_u16(), &first.body["cancelled"]), (200, &json!(2)));
    admin.keyed("storm").in_english().post(&path, &why).await.repeats(&first);
    let other = seed::schedule(service.world.day(4)).insert(&service.world.db).await;
    let path = format!("/api/admin/schedules/{other}/cancel");
    admin.keyed("storm").post(&path, &why).await.refused(422, "idempotency-key-reused");
    assert!(service.actions("SCHEDULE", other).await.is_empty(), "nothing was begun");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cancelling_that_broke_off_is_gone_on_with_under_its_key(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (id, schedule) = (seed::admin(&service.world.db).await, service.schedule(180).await);
    let path = format!("/api/admin/schedules/{schedule}/cancel");
    let first = service.signed_in(id).keyed("storm").post(&path, &json!({})).await;
    assert_eq!(first.status, 200);
    // As if the process had died after the first step.
    service
        .by_hand(
            "update idempotency_keys set status = null, body = null, leased_until = now(6) + interval 30 second
             where idempotency_key = ?",
            "storm",
        )
        .await;
    let early = service.signed_in(id).keyed("storm").post(&path, &json!({})).await;
    assert!(early.headers.contains_key("retry-after"));
    early.refused(409, "idempotency-key-in-flight");
    let other = seed::schedule(service.world.day(4)).insert(&service.world.db).await;
    let others = format!("/api/admin/schedules/{other}/cancel");
    let reused = service.signed_in(id).keyed("storm").post(&others, &json!({})).await;
    reused.refused(422, "idempotency-key-reused");

    // Whoever had it is gone.
    service.world.pass(TimeDelta::seconds(31));
    let resumed = service.signed_in(id).keyed("storm").post(&path, &json!({})).await;
    assert_eq!((resumed.status.as_u16(), resumed.headers.contains_key("idempotent-replayed")), (200, false));
    service.signed_in(id).keyed("storm").post(&path, &json!({})).await.repeats(&resumed);
    assert_eq!(service.actions("SCHEDULE", schedule).await, ["cancelled"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_key_nobody_looks_for_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (id, schedule) = (seed::admin(&service.world.db).await, service.schedule(180).await);
    sqlx::query("drop table idempotency_keys").execute(&service.world.db).await.unwrap();
    let discount = json!({ "schedule_id": schedule, "discount_percentage": 25 });
    let admin = service.signed_in(id);
    let discount = admin.post("/api/admin/discounts", &discount).await.expect(201)["discount_id"].clone();
    let _ = admin.delete(&format!("/api/admin/discounts/{discount}")).await.expect(200);
    let _ = admin.post(&format!("/api/admin/schedules/{schedule}/cancel"), &json!({})).await.expect(200);
    let cause = Cause::admin(id, None);
    let flight = service.catalogue.deactivate_flight(&cause, "CJ101", &Once::unkeyed()).await.unwrap();
    assert!(flight.done().is_some());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_part_is_refunded_once_and_never_without_a_key(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let (admin, schedule) = (service.admin().await, service.schedule(9).await);
    let sold = service.sell(seed::user(&service.world.db).await, schedule, "1A").await;
    let path = format!("/api/admin/payments/{}/refunds", sold.payment.payment_id);
    let part = json!({ "amount": 50_000, "reason": "기내식 미제공" });

    admin.post(&path, &part).await.refused(400, "idempotency-key-required");
    let first = twice(&admin, "part-1", Method::POST, &path, Some(&part)).await;
    assert_eq!((first.status.as_u16(), &first.body["refund"]["amount"]), (201, &json!(50_000)));
    let other = json!({ "amount": 60_000, "reason": "기내식 미제공" });
    admin.keyed("part-1").post(&path, &other).await.refused(422, "idempotency-key-reused");
    twice(&admin, "part-2", Method::POST, &path, Some(&part)).await;
    let refunds: i64 = sqlx::query_scalar("select count(*) from refunds").fetch_one(&service.world.db).await.unwrap();
    assert_eq!(refunds, 2);
}
