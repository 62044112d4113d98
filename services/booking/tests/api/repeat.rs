//! `Idempotency-Key`: asked again under one name, booking and cancelling happen once and are answered alike.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method};
use chrono::TimeDelta;
use common::{db, idempotency};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{MySql, MySqlPool, Transaction};
use testkit::{Redis, World, seed};

use crate::support::{Service, Shop, id, number, request};

const BOOKINGS: &str = "/api/bookings";
const PRICE: i64 = 320_000;

/// How many keys are remembered.
async fn keys(db: &MySqlPool) -> i64 {
    sqlx::query_scalar("select count(*) from idempotency_keys").fetch_one(db).await.unwrap()
}

/// Locks a schedule, so that whoever books it waits within its transaction.
async fn hold_up(service: &Service, schedule: i64) -> Transaction<'static, MySql> {
    let mut tx = service.world.db.begin().await.unwrap();
    sqlx::query("select 1 from flight_schedules where schedule_id = ? for update")
        .bind(schedule)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    tx
}

/// Returns once somebody is at work under a key.
async fn somebody_is_at_work(db: &MySqlPool) {
    for _ in 0..12_000 {
        let looked = sqlx::query("select 1 from idempotency_keys for update nowait").fetch_optional(db).await;
        if looked.is_err_and(|error| db::is_locked(&error)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nobody is");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn asked_again_it_is_answered_alike_whatever_has_become_of_the_booking(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    let booking = buyer.keyed("c0ffee");
    let first = booking.post(BOOKINGS, &request(schedule, 2, PRICE, &["1A", "1B"])).await;
    assert_eq!(first.status, 201);
    booking.post(BOOKINGS, &request(schedule, 2, PRICE, &["1A", "1B"])).await.repeats(&first);

    let cancel = format!("/api/bookings/{}/cancel", number(&first.body));
    let cancelling = buyer.keyed("c0ffee");
    let cancelled = cancelling.post(&cancel, &Value::Null).await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.body["success"]), (200, &json!(true)), "on another route");
    cancelling.post(&cancel, &Value::Null).await.repeats(&cancelled);
    buyer.post(&cancel, &Value::Null).await.refused(404, "booking-not-cancellable");

    // The same request, spelled by another hand, for a client that reads English now.
    let mut same = request(schedule, 2, PRICE, &[]);
    same.as_object_mut().unwrap().remove("seats");
    let spelled = format!("{{ \"seats\": [\"1\\u0041\", \"1B\"], {}", &same.to_string()[1..]);
    let (method, content_type) = (Method::POST, Some("application/json"));
    booking.in_english().send(method, BOOKINGS, content_type, Body::from(spelled)).await.repeats(&first);
    assert_eq!((service.bookings(schedule).await, service.seats(schedule).await), (1, (180, 0)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn of_eight_equal_calls_at_once_one_books_and_all_are_told(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    // Of the last seat: whoever comes second is told of the booking, and not that it is sold out.
    let (buyer, schedule) = (service.traveller().await, service.schedule(1).await);
    let calls = (0..8).map(|_| {
        let (buyer, request) = (buyer.keyed("eight"), request(schedule, 1, PRICE, &[]));
        tokio::spawn(async move {
            loop {
                let answer = buyer.post(BOOKINGS, &request).await;
                // A slow machine may take longer than they wait for each other.
                if answer.body["code"] != "idempotency-key-in-flight" {
                    return answer;
                }
            }
        })
    });
    let mut answers = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        answers.push(call.await.unwrap());
    }
    let (first, repeated): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| !answer.headers.contains_key("idempotent-replayed"));
    assert_eq!((first.len(), first[0].status.as_u16()), (1, 201), "{first:?}");
    for answer in repeated {
        answer.repeats(&first[0]);
    }
    assert_eq!((service.bookings(schedule).await, service.seats(schedule).await), (1, (0, 1)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn first_calls_under_many_keys_are_not_in_each_others_way(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(40).await;
    let mut calls = Vec::new();
    for n in 0..10 {
        let buyer = service.traveller().await;
        // Neighbours in the index, of one account and of several.
        calls.extend((0..4).map(|m| {
            let (buyer, request) = (buyer.keyed(&format!("key-{m}-{n}")), request(schedule, 1, PRICE, &[]));
            tokio::spawn(async move { buyer.post(BOOKINGS, &request).await })
        }));
    }
    for call in calls {
        let answer = call.await.unwrap();
        assert!(answer.status == 201 && !answer.headers.contains_key("idempotent-replayed"), "{}", answer.body);
    }
    assert_eq!((service.seats(schedule).await, keys(&service.world.db).await), ((0, 40), 40));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_key_names_one_request_of_one_account(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let (kim, lee) = (service.traveller().await, service.traveller().await);
    let first = kim.keyed("one").post(BOOKINGS, &request(schedule, 1, PRICE, &["1A"])).await;
    assert_eq!(first.status, 201);

    let other = kim.keyed("one").post(BOOKINGS, &request(schedule, 1, PRICE, &["1B"])).await;
    assert_eq!(other.body["message"], "이 Idempotency-Key는 이미 다른 요청에 사용되었습니다. 새 키로 요청해 주세요.");
    other.refused(422, "idempotency-key-reused");
    let told = kim.keyed("one").in_english().post(BOOKINGS, &json!({})).await;
    told.refused(400, "invalid-field");
    let told = kim.keyed("one").in_english().post(BOOKINGS, &request(schedule, 2, PRICE, &[])).await;
    assert_eq!(told.body["message"], "This Idempotency-Key was used for another request. Please make a new one.");
    assert_eq!(service.bookings(schedule).await, 1);

    let others = lee.keyed("one").post(BOOKINGS, &request(schedule, 1, PRICE, &["1B"])).await;
    assert_eq!((others.status.as_u16(), others.headers.contains_key("idempotent-replayed")), (201, false));
    let cancelled = lee.keyed("one").post(&format!("/api/bookings/{}/cancel", number(&first.body)), &json!({})).await;
    cancelled.refused(404, "booking-not-found");
    // Another path of the same route is another request.
    let path = format!("/api/bookings/{}/cancel", number(&others.body));
    let _ = lee.keyed("two").post(&path, &Value::Null).await.expect(200);
    lee.keyed("two").post("/api/bookings/CJ00000000/cancel", &Value::Null).await.refused(422, "idempotency-key-reused");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_refused_leaves_its_key_free(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(2).await;
    let (kim, lee) = (service.traveller().await, service.traveller().await);
    let first = lee.books(201, &request(schedule, 1, PRICE, &["1A"])).await;
    let kims = kim.keyed("again");
    kims.post(BOOKINGS, &json!({ "scheduleId": schedule })).await.refused_field("passengers");
    kims.post(BOOKINGS, &request(schedule, 1, PRICE, &["1A"])).await.refused(409, "seat-taken");
    kims.post(BOOKINGS, &request(schedule, 1, PRICE, &["26A"])).await.refused(400, "invalid-field");
    assert_eq!(keys(&service.world.db).await, 0);

    assert_eq!(lee.cancel(number(&first)).await, 200);
    let made = kims.post(BOOKINGS, &request(schedule, 1, PRICE, &["1A"])).await;
    assert_eq!((made.status.as_u16(), made.headers.contains_key("idempotent-replayed")), (201, false));
    kims.post(BOOKINGS, &request(schedule, 1, PRICE, &["1A"])).await.repeats(&made);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_that_was_made_without_a_key_is_told_under_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.traveller().await, shop.schedule(180).await);
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    let told = buyer.keyed("same seat").post(BOOKINGS, &json!({})).await;
    told.refused_field("Idempotency-Key");
    let told = buyer.keyed("same-seat").post(BOOKINGS, &request(schedule, 1, PRICE, &["6D"])).await;
    assert_eq!((told.status.as_u16(), id(&told.body)), (200, id(&made)));
    // Its seat is free again. Whoever asks for it under another name gets it, and under this one the old answer.
    assert_eq!(buyer.cancel(number(&made)).await, 200);
    buyer.keyed("same-seat").post(BOOKINGS, &request(schedule, 1, PRICE, &["6D"])).await.repeats(&told);
    assert_eq!(shop.bookings(schedule).await, 1);
    let anew = buyer.keyed("another").post(BOOKINGS, &request(schedule, 1, PRICE, &["6D"])).await.expect(201);
    assert_ne!(id(&anew), id(&made));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_visible_ascii_of_some_length_is_a_key(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    let header = HeaderName::from_static("idempotency-key");
    let (long, longest) = ("k".repeat(256), "k".repeat(255));
    let bad = [b"".as_slice(), long.as_bytes(), b"a b", b"a\tb", "키".as_bytes(), b"caf\xe9"];
    for key in bad {
        let client = buyer.with_bytes(header.clone(), HeaderValue::from_bytes(key).unwrap());
        for answer in [
            client.post(BOOKINGS, &request(schedule, 1, PRICE, &[])).await,
            client.post("/api/bookings/CJ00000000/cancel", &Value::Null).await,
        ] {
            answer.refused_field("Idempotency-Key");
        }
    }
    buyer.keyed("one").keyed("two").post(BOOKINGS, &json!({})).await.refused_field("Idempotency-Key");
    // Nobody but the signed-in learns anything of keys, and who doesn't write isn't asked for one.
    service.client.keyed(&long).post(BOOKINGS, &json!({})).await.refused(401, "unauthorized");
    let _ = buyer.keyed(&long).get(BOOKINGS).await.expect(200);
    assert_eq!(service.bookings(schedule).await, 0);
    for key in [longest.as_str(), "!", "~\"quoted\"", "8e03978e-40d5-43e8-bc93-6894a57f9324"] {
        let _ = buyer.keyed(key).post(BOOKINGS, &request(schedule, 1, PRICE, &[])).await.expect(201);
    }
    // Keys are compared to the letter.
    for key in ["Case", "case", "CASE"] {
        let answer = buyer.keyed(key).post(BOOKINGS, &request(schedule, 1, PRICE, &[])).await;
        assert!(answer.status == 201 && !answer.headers.contains_key("idempotent-replayed"), "{}", answer.body);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_emptied_cache_changes_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let redis = Redis::start().await;
    let mut world = World::new(database);
    world.cache = redis.cache();
    let service = Service::with(world, None);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    let first = buyer.keyed("kept").post(BOOKINGS, &request(schedule, 1, PRICE, &[])).await;
    redis.tell(&["flushall"]).await;
    buyer.keyed("kept").post(BOOKINGS, &request(schedule, 1, PRICE, &[])).await.repeats(&first);
    assert_eq!(service.bookings(schedule).await, 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_equal_call_waits_a_little_and_is_then_asked_to_come_again(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    let held_up = hold_up(&service, schedule).await;
    let (client, wanted) = (buyer.keyed("slow"), request(schedule, 1, PRICE, &[]));
    let first = tokio::spawn({
        let (client, wanted) = (client.clone(), wanted.clone());
        async move { client.post(BOOKINGS, &wanted).await }
    });
    somebody_is_at_work(&service.world.db).await;
    let early = client.post(BOOKINGS, &wanted).await;
    assert!(early.headers.contains_key("retry-after"));
    early.refused(409, "idempotency-key-in-flight");
    let early = client.in_english().post(BOOKINGS, &wanted).await;
    assert_eq!(early.body["message"], "The same request is still being worked on. Please try again shortly.");
    // Another name of the same account has nothing to wait for but the flight.
    let other = buyer.keyed("other").post(BOOKINGS, &json!({ "scheduleId": schedule })).await;
    other.refused_field("passengers");
    held_up.rollback().await.unwrap();
    let first = first.await.unwrap();
    assert_eq!(first.status, 201);
    client.post(BOOKINGS, &wanted).await.repeats(&first);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_hangs_up_and_asks_again_is_told(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    let held_up = hold_up(&service, schedule).await;
    let (client, wanted) = (buyer.keyed("impatient"), request(schedule, 1, PRICE, &[]));
    let first = tokio::spawn({
        let (client, wanted) = (client.clone(), wanted.clone());
        async move { client.post(BOOKINGS, &wanted).await }
    });
    somebody_is_at_work(&service.world.db).await;
    first.abort();
    held_up.rollback().await.unwrap();
    let told = client.post(BOOKINGS, &wanted).await;
    assert_eq!(told.status, 201, "{}", told.body);
    assert_eq!(told.headers["idempotent-replayed"], "true");
    assert_eq!(service.bookings(schedule).await, 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_breaks_off_leaves_neither_a_booking_nor_a_key(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    let held_up = hold_up(&service, schedule).await;
    let (client, wanted) = (buyer.keyed("crash"), request(schedule, 1, PRICE, &[]));
    let broken_off = tokio::spawn({
        let (client, wanted) = (client.clone(), wanted.clone());
        async move { client.post(BOOKINGS, &wanted).await }
    });
    somebody_is_at_work(&service.world.db).await;
    // The server drops the connection, as it does when the process at its other end is gone.
    let connection: i64 = loop {
        let waiting = "select cast(id as signed) from information_schema.processlist where db = database()
                       and info like '%flight_schedules%for update%' and id <> connection_id()";
        if let Some(id) = sqlx::query_scalar(waiting).fetch_optional(&service.world.db).await.unwrap() {
            break id;
        }
    };
    sqlx::query(sqlx::AssertSqlSafe(format!("kill {connection}"))).execute(&service.world.db).await.unwrap();
    broken_off.await.unwrap().refused(503, "unavailable");
    held_up.rollback().await.unwrap();
    assert_eq!((service.bookings(schedule).await, keys(&service.world.db).await), (0, 0));
    let made = client.post(BOOKINGS, &wanted).await;
    assert_eq!((made.status.as_u16(), made.headers.contains_key("idempotent-replayed")), (201, false));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn after_a_day_a_key_is_forgotten(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.traveller().await;
    let schedule = seed::schedule(service.world.day(9)).insert(&service.world.db).await;
    let wanted = request(schedule, 1, PRICE, &[]);
    for key in ["a", "b", "c"] {
        let _ = buyer.keyed(key).post(BOOKINGS, &wanted).await.expect(201);
    }
    service.world.pass(TimeDelta::hours(24) - TimeDelta::minutes(1));
    assert!(!idempotency::forget_once(&service.world.db, 2).await.unwrap());
    let first = service.signed_in(buyer.id).keyed("a").post(BOOKINGS, &wanted).await;
    assert_eq!(first.headers["idempotent-replayed"], "true");

    // It doesn't count any more, whether it was purged or not; and names whatever it names now.
    service.world.pass(TimeDelta::minutes(2));
    let anew = service.signed_in(buyer.id).keyed("a").post(BOOKINGS, &request(schedule, 2, PRICE, &[])).await;
    assert_eq!((anew.status.as_u16(), anew.headers.contains_key("idempotent-replayed")), (201, false));
    service.signed_in(buyer.id).keyed("a").post(BOOKINGS, &request(schedule, 2, PRICE, &[])).await.repeats(&anew);
    assert!(idempotency::forget_once(&service.world.db, 1).await.unwrap());
    assert_eq!(keys(&service.world.db).await, 2, "in batches");
    assert!(idempotency::forget_once(&service.world.db, 100).await.unwrap());
    assert!(!idempotency::forget_once(&service.world.db, 100).await.unwrap());
    assert_eq!((keys(&service.world.db).await, service.bookings(schedule).await), (1, 4));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_key_nobody_looks_for_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    sqlx::query("drop table idempotency_keys").execute(&service.world.db).await.unwrap();
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["1A"])).await;
    buyer.books(200, &request(schedule, 1, PRICE, &["1A"])).await;
    assert_eq!(buyer.cancel(number(&made)).await, 200);
}
