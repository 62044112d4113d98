//! `POST /api/admin/schedules/{schedule_id}/cancel`: the airline doesn't fly.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use bootpay::ReceiptId;
use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::{Once, Told};
use orders::bookings::BookError;
use orders::payments::{InitError, Requested, Target};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::desk::wanted;
use testkit::seed;
use tokio::sync::Barrier;

use crate::support::Service;

const PRICE: i64 = 320_000;

fn path(schedule: i64) -> String {
    format!("/api/admin/schedules/{schedule}/cancel")
}

fn grounded() -> (String, Option<String>) {
    ("CANCELLED".to_owned(), Some("AIRLINE".to_owned()))
}

fn confirmed() -> (String, Option<String>) {
    ("CONFIRMED".to_owned(), None)
}

impl Service {
    async fn buyer(&self) -> i64 {
        seed::user(&self.world.db).await
    }

    /// How many bookings of a schedule are live, as they are stored.
    async fn live(&self, schedule: i64) -> i64 {
        self.value(
            "select count(*) from bookings where schedule_id = ? and status in ('PENDING', 'CONFIRMED')",
            schedule,
        )
        .await
    }

    /// A schedule's status, and whether the airline has cancelled it.
    async fn standing(&self, schedule: i64) -> (String, bool) {
        sqlx::query_as("select status, cancelled_at is not null from flight_schedules where schedule_id = ?")
            .bind(schedule)
            .fetch_one(&self.world.db)
            .await
            .unwrap()
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn every_booking_is_cancelled_and_everything_paid_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let other = seed::schedule(service.world.day(4)).insert(&service.world.db).await;
    let mut sold = Vec::new();
    for seat in ["1A", "1B", "1C"] {
        sold.push(service.sell(service.buyer().await, schedule, seat).await);
    }
    let unpaid = service.desk.book(service.buyer().await, schedule, &["2A", "2B"]).await;
    let flies = service.sell(service.buyer().await, other, "1A").await;
    let by_owner = service.buyer().await;
    let gone = service.desk.book(by_owner, schedule, &["3A"]).await;
    service
        .orders
        .cancel_own(&Cause::user(by_owner, None), by_owner, &gone.booking_number, &Once::unkeyed())
        .await
        .unwrap();

    let answer = admin.post(&path(schedule), &json!({"reason": " 태풍 "})).await.expect(200);
    let message = "운항과 모든 예약이 취소되었습니다.";
    let expected =
        json!({"message": message, "success": true, "schedule_id": schedule, "cancelled": 4, "remaining": 0});
    assert_eq!(answer, expected);
    assert_eq!(service.standing(schedule).await, ("CANCELLED".to_owned(), true));
    assert_eq!(service.seats(schedule).await, (180, 0));
    for booking in sold.iter().map(|sold| &sold.booking).chain([&unpaid]) {
        assert_eq!(service.booking(booking.booking_id).await, grounded());
    }
    assert_eq!(service.booking(gone.booking_id).await.1.as_deref(), Some("OWNER"), "history stays");
    assert_eq!(service.booking(flies.booking.booking_id).await, confirmed());
    service.run_jobs().await;
    assert_eq!(service.refunds().await, vec![(PRICE, "AIRLINE".to_owned(), "SUCCEEDED".to_owned()); 3]);
    for sold in &sold {
        assert_eq!(service.given_back(&sold.receipt).await, PRICE);
    }
    let detail: String = service
        .value("select detail from events where subject = 'SCHEDULE' and actor = 'ADMIN' and subject_id = ?", schedule)
        .await;
    let detail: Value = serde_json::from_str(&detail).unwrap();
    let new = json!({"status": "CANCELLED", "reason": "AIRLINE", "note": "태풍"});
    assert_eq!(detail, json!({"old": {"status": "ACTIVE"}, "new": new}));

    // The same again changes nothing.
    assert_eq!(admin.post(&path(schedule), &json!({"reason": "again"})).await.expect(200), expected);
    assert_eq!(service.desk.history("SCHEDULE", schedule).await, ["cancelled"]);
    assert_eq!(service.desk.history("BOOKING", unpaid.booking_id).await, ["booked", "cancelled"]);
    assert_eq!(service.refunds().await.len(), 3);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nothing_is_sold_of_it_any_more(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    // The day is counted from today, which may be another one when time has passed.
    let key = catalogue::search_key("ICN", "NRT", service.world.day(3));
    let late = service.buyer().await;
    let expired = service.desk.book(late, schedule, &["6D"]).await;
    let payment = service.begin_for(late, expired.booking_id, PRICE).await;
    service.world.pass(TimeDelta::minutes(121));
    service.run_jobs().await;
    assert_eq!(service.booking(expired.booking_id).await.1.as_deref(), Some("EXPIRED"));
    let (_, ticket) = service.world.cache.read::<Value>(&key).await;
    service.world.cache.fill(ticket, &json!(["a flight"]), Duration::from_mins(5)).await;
    assert!(service.world.cache.read::<Value>(&key).await.0.is_some());

    // No body at all, of no type at all.
    let answer = admin.send(Method::POST, &path(schedule), None, Body::empty()).await.expect(200);
    assert_eq!((&answer["cancelled"], &answer["remaining"]), (&json!(0), &json!(0)));
    assert_eq!(service.world.cache.read::<Value>(&key).await.0, None, "searches show it no more");
    let buyer = service.buyer().await;
    let booked =
        service.orders.book(&Cause::user(buyer, None), &wanted(buyer, schedule, &["1A"]), &Once::unkeyed()).await;
    assert!(matches!(booked, Err(BookError::NotOnSale)), "{booked:?}");
    let begun = service.init(buyer, Target::Schedule(schedule), PRICE).await;
    assert!(matches!(begun, Err(InitError::NotOnSale)), "{begun:?}");
    // Late money revives nothing.
    service.hear_paid(&payment, PRICE).await;
    assert_eq!(service.booking(expired.booking_id).await.1.as_deref(), Some("EXPIRED"));
    assert_eq!(service.refunds().await, [(PRICE, "TOO_LATE".to_owned(), "PENDING".to_owned())]);
    assert_eq!(service.seats(schedule).await, (180, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn payments_that_wait_for_a_booking_are_given_up(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let [paid, begun, declined] = [service.buyer().await, service.buyer().await, service.buyer().await];
    let [paid, begun, declined] = [
        service.begin(paid, schedule, PRICE).await,
        service.begin(begun, schedule, 2 * PRICE).await,
        service.begin(declined, schedule, PRICE).await,
    ];
    let receipt = service.pay(&paid, PRICE).await;
    service.hear_of(&receipt).await;
    let no = service.decline(&declined, PRICE).await;
    service.hear_of(&no).await;
    assert_eq!(service.seats(schedule).await, (177, 3));

    let _ = admin.post(&path(schedule), &json!({})).await.expect(200);
    assert_eq!(service.seats(schedule).await, (180, 0));
    assert_eq!(service.refunds().await, [(PRICE, "AIRLINE".to_owned(), "PENDING".to_owned())]);
    assert_eq!(service.desk.history("PAYMENT", begun.payment_id).await, ["requested", "closed"]);
    // Who pays after all gets it back at once, and nobody waits for a booking.
    let late = service.pay(&begun, 2 * PRICE).await;
    service.hear_of(&late).await;
    let again = service.pay(&declined, PRICE).await;
    service.hear_of(&again).await;
    service.run_jobs().await;
    for (receipt, won) in [(&receipt, PRICE), (&late, 2 * PRICE), (&again, PRICE)] {
        assert_eq!(service.given_back(receipt).await, won);
    }
    assert_eq!(service.payment(&begun).await, ("CANCELLED".to_owned(), None));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_cannot_be_cancelled_is_told(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    admin.post(&path(99_999_999), &json!({})).await.refused(404, "schedule-not-found");
    for id in ["x", "1.5", "%27", "99999999999999999999"] {
        admin.post(&format!("/api/admin/schedules/{id}/cancel"), &json!({})).await.refused(404, "not-found");
    }
    let schedule = service.schedule(180).await;
    for reason in [json!(""), json!("  "), json!("<b>"), json!("가".repeat(201)), json!(1), json!(["x"])] {
        admin.post(&path(schedule), &json!({"reason": reason})).await.refused_field("reason");
    }
    let send =
        async |kind, body: &'static str| admin.send(Method::POST, &path(schedule), Some(kind), body.into()).await;
    send("application/json", "[]").await.refused(400, "malformed-json");
    send("application/json", "{").await.refused(400, "malformed-json");
    send("text/plain", "a storm").await.refused(415, "unsupported-media-type");
    assert_eq!(service.standing(schedule).await, ("ACTIVE".to_owned(), false));
    let _ = send("text/plain", " ").await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_has_left_is_not_cancelled_but_what_was_cancelled_before_stays_so(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let before = seed::schedule(service.world.day(2)).insert(&service.world.db).await;
    let _ = service.admin().await.post(&path(before), &json!({})).await.expect(200);
    let leaves = catalogue::departure(service.world.day(3), "06:30:00".parse().unwrap(), "Asia/Seoul");
    service.world.pass(leaves - service.world.now());
    let admin = service.admin().await;
    admin.post(&path(schedule), &json!({})).await.refused(409, "flight-departed");
    assert_eq!(service.standing(schedule).await, ("ACTIVE".to_owned(), false));
    let _ = admin.post(&path(before), &json!({})).await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_status_changed_by_hand_only_stops_sales(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let sold = service.sell(service.buyer().await, schedule, "1A").await;
    service.by_hand("update flight_schedules set status = 'CANCELLED' where schedule_id = ?", schedule).await;
    assert!(!service.orders.ground_once(100).await.unwrap());
    assert_eq!(service.booking(sold.booking.booking_id).await, confirmed());
    let buyer = service.buyer().await;
    let booked =
        service.orders.book(&Cause::user(buyer, None), &wanted(buyer, schedule, &["1B"]), &Once::unkeyed()).await;
    assert!(matches!(booked, Err(BookError::NotOnSale)), "{booked:?}");
    // Until the airline says so.
    assert_eq!(admin.post(&path(schedule), &json!({})).await.expect(200)["cancelled"], 1);
    assert_eq!(service.booking(sold.booking.booking_id).await, grounded());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_a_crash_breaks_off_the_job_finishes(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let schedule = service.schedule(180).await;
    let mut sold = Vec::new();
    for seat in ["1A", "1B", "1C", "1D", "1E"] {
        sold.push(service.sell(service.buyer().await, schedule, seat).await);
    }
    let unpaid = service.begin(service.buyer().await, schedule, PRICE).await;
    // The first step alone, as when the process dies after it.
    let admin = seed::admin(&service.world.db).await;
    let (cause, once) = (Cause::admin(admin, None), Once::unkeyed());
    let begun = service.orders.ground(&cause, schedule, None, Duration::ZERO, &once).await.unwrap();
    let begun = begun.into_done().unwrap();
    assert_eq!((begun.cancelled, begun.remaining), (0, 5));
    assert_eq!(service.standing(schedule).await, ("CANCELLED".to_owned(), true));
    while service.orders.ground_once(1).await.unwrap() {}
    assert_eq!((service.live(schedule).await, service.seats(schedule).await), (0, (180, 0)));
    service.run_jobs().await;
    for sold in &sold {
        assert_eq!(service.booking(sold.booking.booking_id).await, grounded());
        assert_eq!(service.given_back(&sold.receipt).await, PRICE);
    }
    assert_eq!(service.desk.history("PAYMENT", unpaid.payment_id).await, ["requested", "closed"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_request_that_is_dropped_anywhere_leaves_nothing_half_done(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    for dropped_at in 0..5_i64 {
        let flight = format!("CJ9{dropped_at}");
        let schedule = seed::schedule(service.world.day(3)).flight(&flight).insert(&service.world.db).await;
        let mut sold = Vec::new();
        for seat in ["1A", "1B", "1C", "1D"] {
            sold.push(service.sell(service.buyer().await, schedule, seat).await);
        }
        let so_far = async || -> i64 {
            let cancelled = service
                .value("select count(*) from bookings where schedule_id = ? and cancel_reason = 'AIRLINE'", schedule);
            cancelled.await
        };
        let gone_so_far = async || while !service.standing(schedule).await.1 || so_far().await < dropped_at {};
        let (path, why) = (path(schedule), json!({}));
        tokio::select! {
            biased;
            () = gone_so_far() => {}
            answer = admin.post(&path, &why) => assert_eq!(answer.status, 200),
        }
        service.run_jobs().await;
        assert_eq!((service.live(schedule).await, service.seats(schedule).await), (0, (180, 0)), "at {dropped_at}");
        for sold in &sold {
            assert_eq!(service.booking(sold.booking.booking_id).await, grounded(), "at {dropped_at}");
            assert_eq!(service.given_back(&sold.receipt).await, PRICE, "at {dropped_at}");
            assert_eq!(service.desk.history("BOOKING", sold.booking.booking_id).await, ["booked", "cancelled"]);
        }
        assert_eq!(service.desk.history("SCHEDULE", schedule).await, ["cancelled"], "at {dropped_at}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn money_for_a_pending_booking_that_comes_in_between_goes_back(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.buyer().await;
    let made = service.desk.book(buyer, schedule, &["6D"]).await;
    let payment = service.begin_for(buyer, made.booking_id, PRICE).await;
    let cause = Cause::admin(seed::admin(&service.world.db).await, None);
    service.orders.ground(&cause, schedule, None, Duration::ZERO, &Once::unkeyed()).await.unwrap();
    service.hear_paid(&payment, PRICE).await;
    assert_eq!(service.booking(made.booking_id).await.0, "PENDING", "it confirms nothing any more");
    assert_eq!(service.refunds().await, [(PRICE, "TOO_LATE".to_owned(), "PENDING".to_owned())]);
    service.run_jobs().await;
    assert_eq!((service.booking(made.booking_id).await, service.refunds().await.len()), (grounded(), 1));
    assert_eq!(service.seats(schedule).await, (180, 0));
}

/// Buys in one of four ways, as far as it goes; answers what was charged for it.
async fn buy(service: &Service, schedule: i64, n: usize) -> Option<(Requested, ReceiptId)> {
    let buyer = service.buyer().await;
    let cause = Cause::user(buyer, None);
    let seat = format!("{}{}", 1 + n / 6, char::from(b'A' + u8::try_from(n % 6).unwrap()));
    let new = wanted(buyer, schedule, &[&seat]);
    if n.is_multiple_of(4) {
        // Books first.
        let booked = service.orders.book(&cause, &new, &Once::unkeyed()).await.ok()?.into_done()?;
        let (orders::bookings::Booked::New(booking) | orders::bookings::Booked::Already(booking)) = booked;
        let reference = orders::bookings::BookingRef::Id(booking.booking_id);
        let payment = service.init(buyer, Target::Booking(reference), PRICE).await.ok()?;
        let receipt = service.pay(&payment, PRICE).await;
        service.hear_of(&receipt).await;
        return Some((payment, receipt));
    }
    let payment = service.init(buyer, Target::Schedule(schedule), PRICE).await.ok()?;
    let receipt = service.pay(&payment, PRICE).await;
    if n % 4 == 1 {
        service.hear_of(&receipt).await;
    }
    let booked = service.orders.book(&cause, &new, &Once::unkeyed()).await;
    if let Some(orders::bookings::Booked::New(booking)) = booked.ok().and_then(Told::into_done) {
        // Whatever comes of it.
        let _ = service.attach(buyer, &payment, booking.booking_id).await;
    }
    if n % 4 == 2 {
        service.hear_of(&receipt).await;
    }
    Some((payment, receipt))
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn among_forty_buyers_nobody_keeps_a_booking_or_loses_money(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Arc::new(Service::selling(database).await);
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let barrier = Arc::new(Barrier::new(21));
    let mut buyers = Vec::new();
    for n in 0..40_usize {
        let (service, barrier) = (Arc::clone(&service), Arc::clone(&barrier));
        buyers.push(tokio::spawn(async move {
            // Half of them have begun before the airline cancels, the others come while it does.
            if n.is_multiple_of(2) {
                barrier.wait().await;
            }
            buy(&service, schedule, n).await
        }));
    }
    barrier.wait().await;
    let (path, why) = (path(schedule), json!({}));
    for answer in futures_util::future::join_all([admin.post(&path, &why), admin.post(&path, &why)]).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let mut charged = 0;
    let mut receipts = Vec::new();
    for buyer in buyers {
        if let Some((payment, receipt)) = buyer.await.unwrap() {
            charged += PRICE;
            receipts.push((payment, receipt));
        }
    }
    // Those who paid and told nobody: we find out.
    service.world.pass(TimeDelta::minutes(31));
    service.run_jobs().await;
    assert_eq!((service.live(schedule).await, service.seats(schedule).await), (0, (180, 0)));
    let mut back = 0;
    for (payment, receipt) in &receipts {
        let state = service.payment(payment).await;
        assert_eq!((service.given_back(receipt).await, state.0.as_str()), (PRICE, "CANCELLED"), "{payment:?}");
        back += PRICE;
    }
    assert_eq!(back, charged);
    assert!(service.orders.ground_once(1).await.is_ok_and(|worked| !worked));
    assert_eq!(service.desk.history("SCHEDULE", schedule).await, ["cancelled"]);
}
