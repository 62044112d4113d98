//! `POST /api/admin/payments/{payment_id}/refunds`, `…/refunds/{refund_id}/retry`, `…/refunds/{refund_id}/settle`

use std::collections::BTreeMap;
use std::sync::Arc;

use bootpay::simulator::{Operation, Outage, Trouble};
use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::Once;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::desk::Sold;
use testkit::{Client, seed};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::Service;

const PRICE: i64 = 320_000;

fn path(sold: &Sold) -> String {
    format!("/api/admin/payments/{}/refunds", sold.payment.payment_id)
}

fn part(won: i64) -> Value {
    json!({ "amount": won, "reason": "기내식 미제공" })
}

async fn sell(service: &Service, schedule: i64, seat: &str) -> Sold {
    service.sell(seed::user(&service.world.db).await, schedule, seat).await
}

/// A client whose next call is none that was made before.
fn once(admin: &Client) -> Client {
    admin.keyed(&Uuid::now_v7().to_string())
}

async fn cancel(admin: &Client, sold: &Sold) -> u16 {
    let path = format!("/api/admin/bookings/{}/cancel", sold.booking.booking_number);
    admin.put(&path, &json!({})).await.status.as_u16()
}

fn refund(won: i64, reason: &str, state: &str) -> (i64, String, String) {
    (won, reason.to_owned(), state.to_owned())
}

/// A booking that is paid on a receipt the provider doesn't know (any more), and cancelled: its refund needs an
/// operator. Answers the refund's id, and the payment's.
async fn stuck(service: &Service, admin: &Client, schedule: i64) -> (String, i64) {
    let buyer = seed::user(&service.world.db).await;
    let made = service.desk.book(buyer, schedule, &["6D"]).await;
    let payment = service.begin_for(buyer, made.booking_id, PRICE).await;
    service.hear_paid(&payment, PRICE).await;
    let _ = admin.put(&format!("/api/admin/bookings/{}/cancel", made.booking_number), &json!({})).await.expect(200);
    wear_out(service).await;
    (refund_of(service, payment.payment_id).await, payment.payment_id)
}

/// Lets refunds be tried for an hour.
async fn wear_out(service: &Service) {
    for _ in 0..6 {
        service.run_jobs().await;
        service.world.pass(TimeDelta::minutes(16));
    }
}

async fn refund_of(service: &Service, payment_id: i64) -> String {
    let id: String = service.value("select lower(hex(refund_id)) from refunds where payment_id = ?", payment_id).await;
    uuid::Uuid::parse_str(&id).unwrap().to_string()
}

async fn again(admin: &Client, refund: &str) -> Value {
    admin.post(&format!("/api/admin/refunds/{refund}/retry"), &Value::Null).await.expect(200)["refund"].clone()
}

async fn settle(admin: &Client, refund: &str) -> Value {
    let path = format!("/api/admin/refunds/{refund}/settle");
    admin.post(&path, &json!({ "note": "계좌 이체 완료" })).await.expect(200)["refund"].clone()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_part_goes_back_and_the_booking_stays(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin_id = seed::admin(&service.world.db).await;
    let admin = service.signed_in(admin_id);
    let sold = sell(&service, service.schedule(180).await, "6D").await;
    let answer = once(&admin).post(&path(&sold), &part(50_000)).await.expect(201);
    let refund_id = answer["refund"]["refund_id"].as_str().unwrap().to_owned();
    assert_eq!((&answer["success"], &answer["message"]), (&json!(true), &json!("환불이 접수되었습니다.")));
    let expected = json!({
        "refund_id": refund_id, "payment_id": sold.payment.payment_id, "booking_id": sold.booking.booking_id,
        "amount": 50_000, "state": "PENDING", "reason": "BY_HAND", "note": "기내식 미제공", "attempts": 0,
        "last_error": null, "created_at": answer["refund"]["created_at"], "settled_at": null, "settled_by": null,
        "settled_note": null, "paid_outside": 0,
    });
    assert_eq!(answer["refund"], expected);
    assert_eq!(service.payment(&sold.payment).await.0, "PAID", "until it is back");

    service.run_jobs().await;
    assert_eq!(service.refunds().await, [refund(50_000, "BY_HAND", "SUCCEEDED")]);
    assert_eq!(service.given_back(&sold.receipt).await, 50_000);
    let paid = ("PARTIALLY_REFUNDED".to_owned(), Some(sold.booking.booking_id));
    assert_eq!(service.payment(&sold.payment).await, paid);
    assert_eq!(service.booking(sold.booking.booking_id).await, ("CONFIRMED".to_owned(), None));
    let history = service.history("REFUND", &refund_id).await;
    let steps: Vec<_> = history.iter().map(|(actor, action, _)| (actor.as_str(), action.as_str())).collect();
    assert_eq!(steps, [("ADMIN", "queued"), ("PROVIDER", "succeeded")]);
    assert_eq!(history[0].2["new"]["note"], "기내식 미제공");
    let by: i64 = service.number("select user_id from events where action = 'queued' and user_id = ?", admin_id).await;
    assert_eq!(by, admin_id);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn something_stays_paid_for_a_booking_until_it_is_cancelled(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let sold = sell(&service, service.schedule(180).await, "6D").await;
    once(&admin).post(&path(&sold), &part(PRICE)).await.refused(409, "cancel-booking-instead");
    let _ = once(&admin).post(&path(&sold), &part(200_000)).await.expect(201);
    once(&admin).post(&path(&sold), &part(120_001)).await.refused(409, "refund-exceeds-paid");
    once(&admin).post(&path(&sold), &part(120_000)).await.refused(409, "cancel-booking-instead");
    let _ = once(&admin).post(&path(&sold), &part(119_999)).await.expect(201);
    once(&admin).post(&path(&sold), &part(1)).await.refused(409, "cancel-booking-instead");
    assert_eq!(cancel(&admin, &sold).await, 200);
    service.run_jobs().await;
    let state = "SUCCEEDED";
    let parts = [refund(200_000, "BY_HAND", state), refund(119_999, "BY_HAND", state), refund(1, "ADMIN", state)];
    assert_eq!(service.refunds().await, parts);
    assert_eq!(service.given_back(&sold.receipt).await, PRICE);
    assert_eq!(service.payment(&sold.payment).await.0, "CANCELLED");
    once(&admin).post(&path(&sold), &part(1)).await.refused(409, "payment-not-refundable");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_makes_no_sense_is_refused_by_its_name(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let sold = sell(&service, schedule, "6D").await;
    for amount in [json!(0), json!(-1), json!(null), json!(1.5), json!("one"), json!(3_000_000_000_i64)] {
        once(&admin).post(&path(&sold), &json!({ "amount": amount, "reason": "x" })).await.refused_field("amount");
    }
    for reason in [json!(null), json!(" "), json!("<b>"), json!("x".repeat(201)), json!(1)] {
        once(&admin).post(&path(&sold), &json!({ "amount": 1000, "reason": reason })).await.refused_field("reason");
    }
    once(&admin).post("/api/admin/payments/999999/refunds", &part(1000)).await.refused(404, "payment-not-found");
    let unpaid = service.begin(seed::user(&service.world.db).await, schedule, PRICE).await;
    let path = format!("/api/admin/payments/{}/refunds", unpaid.payment_id);
    once(&admin).post(&path, &part(1000)).await.refused(409, "payment-not-refundable");
    assert_eq!(service.refunds().await, []);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_booked_goes_back_as_a_whole(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let payment = service.begin(seed::user(&service.world.db).await, schedule, PRICE).await;
    let receipt = service.pay(&payment, PRICE).await;
    service.hear_of(&receipt).await;
    assert_eq!(service.seats(schedule).await, (179, 1));
    let path = format!("/api/admin/payments/{}/refunds", payment.payment_id);
    once(&admin).post(&path, &part(1000)).await.refused(409, "payment-not-booked");
    let _ = once(&admin).post(&path, &part(PRICE)).await.expect(201);
    assert_eq!(service.seats(schedule).await, (180, 0));
    service.run_jobs().await;
    service.world.pass(TimeDelta::minutes(31));
    service.run_jobs().await;
    assert_eq!(service.refunds().await, [refund(PRICE, "BY_HAND", "SUCCEEDED")]);
    assert_eq!((service.given_back(&receipt).await, service.payment(&payment).await.0.as_str()), (PRICE, "CANCELLED"));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn terms_bind_owners_and_neither_administrators_nor_the_airline(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::selling(database).await;
    service.by_hand("insert into refund_rules (version, valid_from) values (?, now(6))", 2).await;
    service.by_hand("insert into refund_tiers (version, hours, percent) values (?, 0, 25)", 2).await;
    let admin = service.admin().await;
    let (first, second) =
        (service.schedule(180).await, seed::schedule(service.world.day(5)).insert(&service.world.db).await);
    let (by_admin, by_airline) = (sell(&service, first, "6D").await, sell(&service, second, "6D").await);
    let buyer = seed::user(&service.world.db).await;
    let by_owner = service.sell(buyer, first, "6E").await;
    assert_eq!(cancel(&admin, &by_admin).await, 200);
    let _ = admin.post(&format!("/api/admin/schedules/{second}/cancel"), &json!({})).await.expect(200);
    let number = &by_owner.booking.booking_number;
    service.orders.cancel_own(&Cause::user(buyer, None), buyer, number, &Once::unkeyed()).await.unwrap();
    service.run_jobs().await;
    let mut back = Vec::new();
    for sold in [&by_admin, &by_airline, &by_owner] {
        back.push(service.given_back(&sold.receipt).await);
    }
    assert_eq!(back, [PRICE, PRICE, 80_000]);

    // What the airline kept may be given back after all, all of it.
    once(&admin).post(&path(&by_owner), &part(240_001)).await.refused(409, "refund-exceeds-paid");
    let _ = once(&admin).post(&path(&by_owner), &part(240_000)).await.expect(201);
    service.run_jobs().await;
    assert_eq!(service.given_back(&by_owner.receipt).await, PRICE);
    assert_eq!(service.payment(&by_owner.payment).await.0, "CANCELLED");
    assert_eq!(service.booking(by_owner.booking.booking_id).await.1.as_deref(), Some("OWNER"));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn parallel_parts_and_cancels_never_give_back_more_than_was_paid(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Arc::new(Service::selling(database).await);
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    for round in 0..6 {
        let sold = sell(&service, schedule, "6D").await;
        let barrier = Arc::new(Barrier::new(10));
        let mut calls = JoinSet::new();
        for n in 0..10 {
            let (admin, sold, barrier) = (admin.clone(), sold.clone(), Arc::clone(&barrier));
            calls.spawn(async move {
                barrier.wait().await;
                match n {
                    0 => ("cancel", cancel(&admin, &sold).await),
                    _ => ("part", once(&admin).post(&path(&sold), &part(50_000)).await.status.as_u16()),
                }
            });
        }
        let mut counts = BTreeMap::new();
        for outcome in calls.join_all().await {
            *counts.entry(outcome).or_insert(0) += 1;
        }
        assert_eq!(counts[&("cancel", 200)], 1, "round {round}: {counts:?}");
        let parts = counts.get(&("part", 201)).copied().unwrap_or(0);
        assert_eq!(parts + counts.get(&("part", 409)).copied().unwrap_or(0), 9, "round {round}: {counts:?}");
        let promised: i64 = service
            .value("select cast(sum(amount) as signed) from refunds where payment_id = ?", sold.payment.payment_id)
            .await;
        assert_eq!(promised, PRICE, "round {round}: {parts} parts, and the rest");
        service.run_jobs().await;
        assert_eq!(service.given_back(&sold.receipt).await, PRICE, "round {round}");
        assert_eq!(service.payment(&sold.payment).await.0, "CANCELLED", "round {round}");
        assert_eq!(service.booking(sold.booking.booking_id).await.1.as_deref(), Some("ADMIN"), "round {round}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_part_waits_for_a_provider_that_is_away(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let sold = sell(&service, service.schedule(180).await, "6D").await;
    service.provider().set_outage(Outage::new(Trouble::Refuse));
    let _ = once(&admin).post(&path(&sold), &part(50_000)).await.expect(201);
    assert_eq!(cancel(&admin, &sold).await, 200);
    service.run_jobs().await;
    service.provider().set_outage(Outage::default());
    service.world.pass(TimeDelta::minutes(1));
    service.run_jobs().await;
    assert_eq!(service.given_back(&sold.receipt).await, PRICE);
    assert_eq!(service.provider().calls().count(Operation::Cancel), 2);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_operator_has_it_tried_anew_or_settles_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin_id = seed::admin(&service.world.db).await;
    let schedule = service.schedule(180).await;
    let (refund_id, payment_id) = stuck(&service, &service.signed_in(admin_id), schedule).await;
    assert_eq!(service.refunds().await, [refund(PRICE, "ADMIN", "NEEDS_OPERATOR")]);

    let tried = again(&service.signed_in(admin_id), &refund_id).await;
    assert_eq!((&tried["state"], &tried["attempts"]), (&json!("PENDING"), &json!(0)));
    let admin = service.signed_in(admin_id);
    admin.post(&format!("/api/admin/refunds/{refund_id}/retry"), &json!({})).await.refused(409, "refund-not-waiting");
    let note = json!({ "note": "계좌 이체 완료" });
    admin.post(&format!("/api/admin/refunds/{refund_id}/settle"), &note).await.refused(409, "refund-not-waiting");
    wear_out(&service).await;
    assert_eq!(service.refunds().await, [refund(PRICE, "ADMIN", "NEEDS_OPERATOR")]);

    let admin = service.signed_in(admin_id);
    admin.post(&format!("/api/admin/refunds/{refund_id}/settle"), &json!({ "note": " " })).await.refused_field("note");
    let settled = settle(&admin, &refund_id).await;
    assert_eq!((&settled["state"], &settled["settled_by"]), (&json!("SUCCEEDED"), &json!(admin_id)));
    assert_eq!((&settled["settled_note"], &settled["amount"]), (&json!("계좌 이체 완료"), &json!(PRICE)));
    assert!(settled["settled_at"].is_string(), "{settled}");
    let status: String = service.value("select status from payments where payment_id = ?", payment_id).await;
    assert_eq!(status, "CANCELLED");
    admin.post(&format!("/api/admin/refunds/{refund_id}/settle"), &note).await.refused(409, "refund-not-waiting");
    admin.post(&format!("/api/admin/refunds/{refund_id}/retry"), &json!({})).await.refused(409, "refund-not-waiting");
    let expected = ["queued", "needs-operator", "retried", "needs-operator", "settled"];
    assert_eq!(service.actions("REFUND", &refund_id).await, expected);
    assert_eq!(service.desk.history("PAYMENT", payment_id).await, ["requested", "changed", "changed"]);
    assert_eq!(service.provider().calls().count(Operation::Cancel), 0);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_unknown_refund_is_not_found(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let admin = Service::selling(database).await.admin().await;
    let note = json!({ "note": "x" });
    for what in ["retry", "settle"] {
        let unknown = format!("/api/admin/refunds/019aa4c0-0000-7000-8000-000000000001/{what}");
        admin.post(&unknown, &note).await.refused(404, "refund-not-found");
        admin.post(&format!("/api/admin/refunds/nothing/{what}"), &note).await.refused(404, "not-found");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_an_operator_paid_in_the_console_is_not_paid_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    for (seat, tried_anew) in [("6D", true), ("6E", false)] {
        let sold = sell(&service, schedule, seat).await;
        let _ = once(&admin).post(&path(&sold), &part(100_000)).await.expect(201);
        let given_up = "update refunds set state = 'NEEDS_OPERATOR' where payment_id = ?";
        service.by_hand(given_up, sold.payment.payment_id).await;
        let refund_id = refund_of(&service, sold.payment.payment_id).await;
        assert!(service.provider().cancel_in_console(&sold.receipt, Some(100_000)));
        if tried_anew {
            again(&admin, &refund_id).await;
            service.run_jobs().await;
        } else {
            settle(&admin, &refund_id).await;
        }
        assert_eq!(service.given_back(&sold.receipt).await, 100_000);
        assert_eq!(service.payment(&sold.payment).await.0, "PARTIALLY_REFUNDED");
        assert_eq!(cancel(&admin, &sold).await, 200);
        service.run_jobs().await;
        assert_eq!(service.given_back(&sold.receipt).await, PRICE, "{seat}");
        assert_eq!(service.payment(&sold.payment).await.0, "CANCELLED");
    }
    assert_eq!(service.provider().calls().count(Operation::Cancel), 2);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_paid_outside_is_not_paid_by_the_provider(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let sold = sell(&service, service.schedule(180).await, "6D").await;
    let _ = once(&admin).post(&path(&sold), &part(100_000)).await.expect(201);
    service.by_hand("update refunds set state = 'NEEDS_OPERATOR' where payment_id = ?", sold.payment.payment_id).await;
    let refund_id = refund_of(&service, sold.payment.payment_id).await;
    // The cancel needn't wait for the operator, and leaves him his part.
    assert_eq!(cancel(&admin, &sold).await, 200);
    service.run_jobs().await;
    assert_eq!(service.given_back(&sold.receipt).await, 220_000);
    assert_eq!(service.payment(&sold.payment).await.0, "PARTIALLY_REFUNDED");
    settle(&admin, &refund_id).await;
    assert_eq!(
        (service.given_back(&sold.receipt).await, service.payment(&sold.payment).await.0.as_str()),
        (220_000, "CANCELLED")
    );
    assert_eq!(service.booking(sold.booking.booking_id).await.1.as_deref(), Some("ADMIN"));
}
