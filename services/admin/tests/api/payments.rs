//! `GET /api/admin/payments`, `GET /api/admin/refunds` and `GET /api/admin/provider-events`

use common::events::Cause;
use common::idempotency::Once;
use common::money::Money;
use orders::charges::{Facts, Outcome};
use orders::payments::{Applied, Delivery, Requested};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::desk::Sold;
use testkit::{Client, World, seed};

use crate::support::Service;

const PAYMENTS: &str = "/api/admin/payments";
const REFUNDS: &str = "/api/admin/refunds";
pub(crate) const EVENTS: &str = "/api/admin/provider-events";

pub(crate) const PRICE: i64 = 320_000;

/// What `path` lists under `key`.
pub(crate) async fn listed(admin: &Client, path: &str, key: &str) -> Vec<Value> {
    admin.get(path).await.expect(200)[key].as_array().unwrap().clone()
}

/// The payments that `query` finds, in its order.
async fn payments(admin: &Client, query: &str) -> Vec<i64> {
    let found = listed(admin, &format!("{PAYMENTS}?{query}"), "payments").await;
    found.iter().map(|payment| payment["payment_id"].as_i64().unwrap()).collect()
}

/// The refunds that `query` finds, in its order, by what they are of.
async fn refunds(admin: &Client, query: &str) -> Vec<(i64, String)> {
    let found = listed(admin, &format!("{REFUNDS}?{query}"), "refunds").await;
    found.iter().map(|r| (r["payment_id"].as_i64().unwrap(), r["state"].as_str().unwrap().to_owned())).collect()
}

/// Lets the provider tell that a payment was made, by webhook; answers what came of it and the message's id.
pub(crate) async fn hear(service: &Service, order: &str, receipt: &str, won: i64) -> (Applied, String) {
    let facts = Facts {
        receipt_id: receipt.to_owned(),
        order_id: order.to_owned(),
        amount: Money::won(won),
        cancelled: Money::ZERO,
        outcome: Outcome::Paid,
        was_charged: Some(true),
        raw_status: 1,
    };
    let delivery = Delivery { key: format!("{order}/{receipt}/{won}"), facts, payload: json!({ "buyer": "승객" }) };
    let applied = service.orders.receive(&Cause::provider(None), &delivery).await.unwrap();
    let id = sqlx::query_scalar("select event_id from provider_events where event_key = ?")
        .bind(&delivery.key)
        .fetch_one(&service.world.db)
        .await
        .map(|id: uuid::Uuid| id.to_string());
    (applied, id.unwrap())
}

/// A schedule in so many days.
async fn on_day(service: &Service, days: i64) -> i64 {
    seed::schedule(service.world.day(days)).insert(&service.world.db).await
}

/// Three buyers: one who paid and flies, one who paid and cancelled, and one who never paid.
async fn three(service: &Service) -> (i64, [Sold; 2], Requested) {
    let schedule = service.schedule(180).await;
    let buyer = seed::user(&service.world.db).await;
    let sold = service.sell(buyer, schedule, "1A").await;
    let cancelled = service.sell(seed::user(&service.world.db).await, schedule, "1B").await;
    service.orders.cancel_any(&Cause::system(), &cancelled.booking.booking_number, &Once::unkeyed()).await.unwrap();
    let open = service.begin(buyer, schedule, 2 * PRICE).await;
    (buyer, [sold, cancelled], open)
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_filter_leaves_the_payments_that_fit_all_of_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let (buyer, [sold, cancelled], open) = three(&service).await;
    let (a, b, c) = (sold.payment.payment_id, cancelled.payment.payment_id, open.payment_id);
    let surplus = service.pay(&sold.payment, PRICE).await;
    service.hear_of(&surplus).await;
    service.by_hand("update payments set created_at = '2026-01-31 15:00:00' where payment_id = ?", a).await;
    for (query, expected) in [
        (String::new(), vec![c, b, a]),
        ("limit=1&offset=1".to_owned(), vec![b]),
        ("status=PAID".to_owned(), vec![b, a]),
        ("status=REQUESTED".to_owned(), vec![c]),
        ("status=FAILED".to_owned(), vec![]),
        (format!("user_id={buyer}"), vec![c, a]),
        (format!("user_id={buyer}&status=PAID"), vec![a]),
        (format!("booking={}", sold.booking.booking_number.to_lowercase()), vec![a]),
        (format!("booking={}", cancelled.booking.booking_id), vec![b]),
        (format!("booking={}&status=REQUESTED", cancelled.booking.booking_id), vec![]),
        ("booking=CJNOTHING0".to_owned(), vec![]),
        (format!("order_id={}", open.order_id), vec![c]),
        ("order_id=nothing".to_owned(), vec![]),
        (format!("receipt_id={}", sold.receipt), vec![a]),
        (format!("receipt_id={surplus}"), vec![a]),
        ("receipt_id=nothing".to_owned(), vec![]),
        // Seoul's first of February.
        ("from=2026-02-01&to=2026-02-01".to_owned(), vec![a]),
        ("to=2026-01-31".to_owned(), vec![]),
        ("from=2026-02-02".to_owned(), vec![c, b]),
        ("from=1971-01-01&to=2037-12-31".to_owned(), vec![c, b, a]),
    ] {
        assert_eq!(payments(&admin, &query).await, expected, "{query}");
    }
    let found = listed(&admin, &format!("{PAYMENTS}?user_id={buyer}&status=PAID"), "payments").await;
    assert_eq!(found[0]["user_id"], buyer);
    assert!(found[0]["user_email"].as_str().unwrap().contains('@') && found[0]["customer_name"].is_string());
    assert_eq!(
        (&found[0]["booking_number"], &found[0]["refunds"][0]["reason"]),
        (&json!(sold.booking.booking_number), &json!("SURPLUS"))
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refunds_are_found_and_those_that_need_somebody_come_first(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let (_, [sold, cancelled], _) = three(&service).await;
    service.run_jobs().await;
    let stuck = service.sell(seed::user(&service.world.db).await, on_day(&service, 5).await, "1A").await;
    let later = service.sell(seed::user(&service.world.db).await, on_day(&service, 6).await, "1A").await;
    for sold in [&stuck, &later] {
        service.orders.cancel_any(&Cause::system(), &sold.booking.booking_number, &Once::unkeyed()).await.unwrap();
    }
    service
        .by_hand(
            "update refunds set state = 'NEEDS_OPERATOR', last_error = 'no account' where payment_id = ?",
            stuck.payment.payment_id,
        )
        .await;
    let word = |sold: &Sold, state: &str| (sold.payment.payment_id, state.to_owned());
    let (done, waits, open) = (word(&cancelled, "SUCCEEDED"), word(&stuck, "NEEDS_OPERATOR"), word(&later, "PENDING"));
    for (query, expected) in [
        (String::new(), vec![&open, &waits, &done]),
        ("needs_operator_first=true".to_owned(), vec![&waits, &open, &done]),
        ("needs_operator_first=true&limit=1".to_owned(), vec![&waits]),
        ("state=NEEDS_OPERATOR".to_owned(), vec![&waits]),
        ("state=needs_operator".to_owned(), vec![&waits]),
        ("state=SENT".to_owned(), vec![]),
        ("reason=ADMIN&limit=2&offset=1".to_owned(), vec![&waits, &done]),
        (format!("payment_id={}", later.payment.payment_id), vec![&open]),
        (format!("booking={}", stuck.booking.booking_number), vec![&waits]),
        (format!("order_id={}", cancelled.payment.order_id), vec![&done]),
        (format!("order_id={}", sold.payment.order_id), vec![]),
        (format!("receipt_id={}", later.receipt), vec![&open]),
        (format!("from={}", service.world.day(-1)), vec![&open, &waits, &done]),
        (format!("to={}", service.world.day(-2)), vec![]),
    ] {
        assert_eq!(refunds(&admin, &query).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let refund = &listed(&admin.in_english(), &format!("{REFUNDS}?state=NEEDS_OPERATOR"), "refunds").await[0];
    assert_eq!(
        refund,
        &json!({
            "refund_id": refund["refund_id"], "user_id": refund["user_id"], "payment_id": stuck.payment.payment_id,
            "order_id": stuck.payment.order_id, "booking_id": stuck.booking.booking_id,
            "booking_number": stuck.booking.booking_number, "receipt_id": stuck.receipt, "amount": PRICE,
            "reason": "ADMIN", "reason_text": "The airline's desk cancelled the booking", "state": "NEEDS_OPERATOR",
            "note": null, "attempts": 0, "next_attempt_at": null, "last_error": "no account",
            "created_at": refund["created_at"], "settled_at": null, "settled_by": null, "settled_note": null,
            "paid_outside": 0,
        })
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payments_file_has_everything(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let buyer = seed::user(&service.world.db).await;
    let payment = service.begin(buyer, service.schedule(180).await, PRICE).await;
    hear(&service, &payment.order_id, "r-1", PRICE).await;
    hear(&service, &payment.order_id, "r-2", PRICE).await;
    for name in [payment.payment_id.to_string(), payment.order_id.clone()] {
        let file = admin.get(&format!("{PAYMENTS}/{name}")).await.expect(200);
        assert_eq!((&file["payment"]["user_id"], &file["payment"]["status"]), (&json!(buyer), &json!("PAID")));
        let words = |list: &str, key: &str| -> Vec<String> {
            file[list].as_array().unwrap().iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(words("charges", "receipt_id"), ["r-1", "r-2"]);
        assert_eq!(words("refunds", "receipt_id"), ["r-2"]);
        assert_eq!(words("provider_events", "receipt_id"), ["r-2", "r-1"]);
        assert_eq!(words("events", "action"), ["queued", "changed", "requested"]);
        assert!(!file.to_string().contains("buyer\":\"승객"), "what else a message says is not told: {file}");
    }
    for nothing in ["0", "nothing", "99999999999999999999"] {
        admin.get(&format!("{PAYMENTS}/{nothing}")).await.refused(404, "payment-not-found");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_provider_told_is_found_whatever_became_of_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let payment = service.begin(seed::user(&service.world.db).await, service.schedule(180).await, PRICE).await;
    let (applied, known) = hear(&service, &payment.order_id, "r-1", PRICE).await;
    let (waits, unknown) = hear(&service, "nobodys", "r-2", 5).await;
    assert_eq!((applied, waits), (Applied::Done, Applied::UnknownOrder));
    for (query, expected) in [
        (String::new(), vec![&unknown, &known]),
        ("limit=1&offset=1".to_owned(), vec![&known]),
        ("applied=true".to_owned(), vec![&known]),
        ("applied=false".to_owned(), vec![&unknown]),
        (format!("order_id={}", payment.order_id), vec![&known]),
        ("receipt_id=r-2".to_owned(), vec![&unknown]),
        ("receipt_id=r-2&applied=true".to_owned(), vec![]),
        (format!("from={}", service.world.day(-1)), vec![&unknown, &known]),
        (format!("to={}", service.world.day(-2)), vec![]),
    ] {
        let found = listed(&admin, &format!("{EVENTS}?{query}"), "events").await;
        let found: Vec<_> = found.iter().map(|event| event["event_id"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{query}");
    }
    let event = &listed(&admin, &format!("{EVENTS}?applied=false"), "events").await[0];
    assert_eq!(
        event,
        &json!({
            "event_id": unknown, "received_at": event["received_at"], "applied_at": null, "order_id": "nobodys",
            "receipt_id": "r-2", "outcome": "PAID", "provider_status": 1, "amount": 5, "cancelled_amount": 0,
        })
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_parameter_that_makes_no_sense_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    for (path, field, values) in [
        (PAYMENTS, "status", &["", "payed", "PAID%00"][..]),
        (PAYMENTS, "user_id", &["", "0", "kim"]),
        (PAYMENTS, "booking", &["", "CJ%20"]),
        (PAYMENTS, "from", &["", "2026-13-01", "today", "1970-12-31"]),
        (PAYMENTS, "to", &["", "2026-02-30"]),
        (PAYMENTS, "limit", &["0", "101"]),
        (REFUNDS, "state", &["", "PAID", "NOTHING"]),
        (REFUNDS, "payment_id", &["", "-1"]),
        (REFUNDS, "booking", &["%27"]),
        (REFUNDS, "needs_operator_first", &["", "yes"]),
        (REFUNDS, "to", &["2026", "9999-12-31"]),
        (EVENTS, "applied", &["", "no"]),
        (EVENTS, "offset", &["-1"]),
    ] {
        for value in values {
            admin.get(&format!("{path}?{field}={value}")).await.refused_field(field);
        }
    }
    let refused = admin.in_english().get(&format!("{REFUNDS}?state=PAID")).await;
    assert_eq!(refused.body["errors"][0]["message"], "Must be one of PENDING, SENT, SUCCEEDED, NEEDS_OPERATOR.");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_long_list_costs_as_many_queries_as_a_short_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    // One connection, so that what the server counted for it is what we asked.
    let service = Service::with(World::with_connections(database, 1), None);
    let admin = service.admin().await;
    let asked = async || -> u64 {
        let (_, count): (String, String) =
            sqlx::query_as("show session status like 'Questions'").fetch_one(&service.world.db).await.unwrap();
        count.parse().unwrap()
    };
    let schedule = service.schedule(180).await;
    let mut costs = Vec::new();
    for n in 1..=3_usize {
        let payment = service.begin(seed::user(&service.world.db).await, schedule, PRICE).await;
        for receipt in ["a", "b"] {
            hear(&service, &payment.order_id, &format!("{n}-{receipt}"), PRICE).await;
        }
        let before = asked().await;
        assert_eq!(payments(&admin, "").await.len(), n);
        assert_eq!(refunds(&admin, "").await.len(), n);
        costs.push(asked().await - before);
    }
    assert_eq!([costs[0]; 3], costs[..], "{costs:?}");
}
