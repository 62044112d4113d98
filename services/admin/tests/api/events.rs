//! `GET /api/admin/events`

use chrono::{DateTime, Utc};
use common::events::{Cause, Subject, record};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, seed};

use crate::support::Service;

const PATH: &str = "/api/admin/events";

async fn events(admin: &Client, query: &str) -> Vec<Value> {
    let body = admin.get(&format!("{PATH}{query}")).await.expect(200);
    body["events"].as_array().unwrap().clone()
}

/// What is told, as `SUBJECT action`, in its order.
async fn told(admin: &Client, query: &str) -> Vec<String> {
    let word = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    events(admin, query).await.iter().map(|e| format!("{} {}", word(e, "subject"), word(e, "action"))).collect()
}

/// Lets something happen.
async fn happen(service: &Service, cause: &Cause, subject: Subject, id: impl ToString, action: &'static str) {
    record(&mut service.world.db.acquire().await.unwrap(), cause, subject, id, action, &(), &()).await.unwrap();
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_bookings_history_is_its_own_and_its_payments_and_its_refunds(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::selling(database).await;
    let admin_id = seed::admin(&service.world.db).await;
    let admin = service.signed_in(admin_id);
    let schedule = service.schedule(180).await;
    let [buyer, another] = [seed::user(&service.world.db).await, seed::user(&service.world.db).await];
    let sold = service.sell(buyer, schedule, "6D").await;
    service.sell(another, schedule, "6E").await;
    let path = format!("/api/admin/bookings/{}/cancel", sold.booking.booking_number);
    let answer = admin.put(&path, &json!({})).await;
    let request = answer.headers["x-request-id"].to_str().unwrap().to_owned();
    service.run_jobs().await;

    let expected = [
        "REFUND succeeded",
        "PAYMENT changed",
        "BOOKING cancelled",
        "REFUND queued",
        "BOOKING booked",
        "PAYMENT linked",
        "PAYMENT changed",
        "PAYMENT requested",
    ];
    let number = &sold.booking.booking_number;
    for name in [number.clone(), number.to_lowercase(), sold.booking.booking_id.to_string()] {
        assert_eq!(told(&admin, &format!("?booking={name}")).await, expected, "{name}");
    }
    let cancelled = &events(&admin, &format!("?booking={number}")).await[2];
    let happened: DateTime<Utc> = cancelled["happened_at"].as_str().unwrap().parse().unwrap();
    assert!((service.world.now() - happened).num_seconds().abs() <= 60, "{happened}");
    assert_eq!(
        cancelled,
        &json!({
            "event_id": cancelled["event_id"], "happened_at": cancelled["happened_at"], "actor": "ADMIN",
            "user_id": admin_id, "request_id": request, "subject": "BOOKING",
            "subject_id": sold.booking.booking_id.to_string(), "action": "cancelled",
            "detail": {"old": {"status": "CONFIRMED"}, "new": {"status": "CANCELLED", "reason": "ADMIN"}},
        })
    );
    // Together with who did it, only what fits both.
    let both = format!("?booking={number}&user={admin_id}");
    assert_eq!(told(&admin, &both).await, ["BOOKING cancelled", "REFUND queued"]);
    assert_eq!(told(&admin, &format!("?booking={number}&user={another}")).await, Vec::<String>::new());
    assert_eq!(told(&admin, "?booking=CJ00000000").await, Vec::<String>::new());
    assert_eq!(told(&admin, "?booking=999999").await, Vec::<String>::new());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flights_history_is_its_own_and_its_schedules_and_their_discounts(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let ours = service.schedule(180).await;
    let theirs = seed::schedule(service.world.day(3)).flight("CJ501").insert(&service.world.db).await;
    seed::discount(&service.world.db, ours, 10).await;
    seed::discount(&service.world.db, theirs, 10).await;
    let discounts: Vec<i64> = sqlx::query_scalar("select discount_id from flight_discounts order by discount_id")
        .fetch_all(&service.world.db)
        .await
        .unwrap();
    let cause = Cause::system();
    for (flight, schedule, discount) in [("CJ101", ours, discounts[0]), ("CJ501", theirs, discounts[1])] {
        happen(&service, &cause, Subject::Flight, flight, "created").await;
        happen(&service, &cause, Subject::Schedule, schedule, "published").await;
        happen(&service, &cause, Subject::Discount, discount, "offered").await;
    }
    for flight in ["CJ501", "cj501"] {
        let told = events(&admin, &format!("?flight={flight}")).await;
        let ids: Vec<_> = told.iter().map(|e| e["subject_id"].as_str().unwrap()).collect();
        assert_eq!(ids, [&discounts[1].to_string(), &theirs.to_string(), "CJ501"]);
    }
    assert_eq!(told(&admin, "?flight=CJ999").await, Vec::<String>::new());
    assert_eq!(told(&admin, "?flight=CJ101&user=1").await, Vec::<String>::new());
    assert_eq!(events(&admin, "").await.len(), 6);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_accounts_history_is_what_it_did_and_what_became_of_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let (kim, system) = (Cause::user(7, None), Cause::system());
    happen(&service, &system, Subject::User, 7, "promoted").await;
    happen(&service, &kim, Subject::Booking, 7, "booked").await;
    happen(&service, &system, Subject::Booking, 7, "expired").await;
    happen(&service, &Cause::user(77, None), Subject::User, 70, "promoted").await;
    assert_eq!(told(&admin, "?user=7").await, ["BOOKING booked", "USER promoted"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_long_history_is_told_page_by_page_and_each_event_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    for n in 0..230 {
        happen(&service, &Cause::user(7, None), Subject::Booking, n, "booked").await;
    }
    assert_eq!(events(&admin, "").await.len(), 50);
    for filter in ["", "&user=7"] {
        let mut told = Vec::new();
        let mut before = String::new();
        loop {
            let page = events(&admin, &format!("?limit=100{before}{filter}")).await;
            let Some(last) = page.last() else { break };
            before = format!("&before={}", last["event_id"].as_str().unwrap());
            told.extend(page.iter().map(|e| e["subject_id"].as_str().unwrap().parse::<u32>().unwrap()));
        }
        assert_eq!(told, (0..230).rev().collect::<Vec<_>>(), "newest first, none twice, none missing");
    }
    assert_eq!(events(&admin, "?limit=200").await.len(), 200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_parameter_that_makes_no_sense_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    for (field, values) in [
        ("booking", &["", "CJ%20", "%27", "CJ12345678901234567890", "%EA%B0%80"][..]),
        ("flight", &["", "CJ-101", "CJ101%00", "CJ123456789"]),
        ("user", &["", "0", "-1", "kim", "1.5"]),
        ("limit", &["", "0", "201", "-1", "all"]),
        ("before", &["", "1", "yesterday", "%27"]),
    ] {
        for value in values {
            admin.get(&format!("{PATH}?{field}={value}")).await.refused_field(field);
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nobodys_data_stands_in_it_but_ids(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let buyer = seed::user(&service.world.db).await;
    let sold = service.sell(buyer, schedule, "6D").await;
    let declined = service.begin(buyer, schedule, 320_000).await;
    let no = service.decline(&declined, 320_000).await;
    service.hear_of(&no).await;
    let _ =
        admin.put(&format!("/api/admin/bookings/{}/cancel", sold.booking.booking_number), &json!({})).await.expect(200);
    let _ = admin.post(&format!("/api/admin/schedules/{schedule}/cancel"), &json!({})).await.expect(200);
    service.run_jobs().await;
    let told = Value::from(events(&admin, "?limit=200").await).to_string();
    assert!(told.contains("AIRLINE") && told.contains("succeeded"), "{told}");
    for personal in ["승객", "PASSENGER", "@", "010-1234", "1990-02-03"] {
        assert!(!told.contains(personal), "{personal} in {told}");
    }
}
