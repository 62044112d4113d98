//! `GET /api/bookings/{booking_number}/cancellation`

use bootpay::simulator::Operation;
use chrono::{DateTime, TimeDelta, Utc};
use common::events::Cause;
use common::idempotency::Once;
use common::money::Money;
use orders::refunds::NewRefund;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::desk::Sold;
use testkit::seed;

use crate::support::{Shop, Traveller, id, minutes, number, request};

const PRICE: i64 = 320_000;

fn path(number: &str) -> String {
    format!("/api/bookings/{number}/cancellation")
}

/// The terms of sale from now on: so many hours before departure, so many percent, less a fee.
async fn terms(shop: &Shop, version: i64, tiers: &[(i64, i64, i64)]) {
    let db = &shop.world.db;
    let rule = "insert into refund_rules (version, valid_from) values (?, now(6))";
    sqlx::query(rule).bind(version).execute(db).await.unwrap();
    for (hours, percent, fee) in tiers {
        let tier = "insert into refund_tiers (version, hours, percent, fee) values (?, ?, ?, ?)";
        sqlx::query(tier).bind(version).bind(hours).bind(percent).bind(fee).execute(db).await.unwrap();
    }
}

/// When the flights of these tests leave.
fn leaves(shop: &Shop) -> DateTime<Utc> {
    catalogue::departure(shop.world.day(3), "06:30:00".parse().unwrap(), "Asia/Seoul")
}

/// Waits until so long before `leaves`.
fn wait_until(shop: &Shop, before: TimeDelta, leaves: DateTime<Utc>) {
    shop.world.pass(leaves - before - shop.world.now());
}

/// What `buyer` is told of a booking, in a session that begins now.
async fn quote(shop: &Shop, buyer: &Traveller, number: &str) -> Value {
    shop.signed_in(buyer.id).get(&path(number)).await.expect(200)
}

/// Cancels for the owner, and answers what that says it pays.
async fn cancel(shop: &Shop, buyer: &Traveller, number: &str) -> i64 {
    let path = format!("/api/bookings/{number}/cancel");
    let told = shop.signed_in(buyer.id).post(&path, &Value::Null).await.expect(200);
    let amount = told["refund_amount"].as_i64().unwrap();
    assert_eq!(told["refund_state"], if amount > 0 { json!("PENDING") } else { json!(null) });
    amount
}

async fn give_back(shop: &Shop, sold: &Sold, won: i64) {
    let admin = seed::admin(&shop.world.db).await;
    let part = NewRefund { payment_id: sold.payment.payment_id, amount: Money::won(won), note: "meal".to_owned() };
    shop.orders.refund_part(&Cause::admin(admin, None), &part, &Once::unkeyed()).await.unwrap();
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn until_departure_all_of_it_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let payment = shop.begin(&buyer, schedule, 2 * PRICE).await;
    shop.pay(&payment, 2 * PRICE).await;
    let made = buyer.books(201, &request(schedule, 2, PRICE, &["6D", "6E"])).await;
    let line = |passenger: i64| json!({"kind": "passenger", "passenger": passenger, "price": PRICE, "fee": 0, "amount": PRICE});
    let told = quote(&shop, &buyer, &number(&made).to_lowercase()).await;
    let expires_at: DateTime<Utc> = told["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires_at, leaves(&shop));
    let expected = json!({
        "success": true, "booking_number": number(&made), "cancellable": true, "reason": null,
        "refund_amount": 2 * PRICE, "already_refunded": 0, "currency": "KRW", "refund_to": "card",
        "lines": [line(1), line(2)], "rule": {"version": 1, "description": "출발 전까지 전액 환불"},
        "seats_released": 2, "expires_at": told["expires_at"],
    });
    assert_eq!(told, expected);

    let events = shop.history("BOOKING", id(&made)).await;
    assert_eq!((events, shop.refunds().await, shop.seats(schedule).await), (vec!["booked".into()], vec![], (178, 2)));
    assert_eq!(cancel(&shop, &buyer, number(&made)).await, 2 * PRICE);
    assert_eq!(shop.refunds().await, [(2 * PRICE, "OWNER".to_owned(), "PENDING".to_owned())]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_paid_yet_pays_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let made = buyer.books(201, &request(schedule, 2, PRICE, &[])).await;
    let told = quote(&shop, &buyer, number(&made)).await;
    assert_eq!(
        (&told["cancellable"], &told["refund_amount"], &told["refund_to"]),
        (&json!(true), &json!(0), &json!(null))
    );
    assert_eq!((&told["seats_released"], told["lines"].as_array().unwrap().len()), (&json!(2), 2));
    let due: DateTime<Utc> = made["payment_due_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(told["expires_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), due);
    assert_eq!(cancel(&shop, &buyer, number(&made)).await, 0);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_its_owner_is_told(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let (buyer, other) = (shop.traveller().await, shop.traveller().await);
    let sold = shop.sell(&buyer, schedule, "6D").await;
    let path = path(&sold.booking.booking_number);
    other.get(&path).await.refused(404, "booking-not-found");
    shop.signed_in(seed::admin(&shop.world.db).await).get(&path).await.refused(404, "booking-not-found");
    shop.client.get(&path).await.refused(401, "unauthorized");
    for unknown in ["CJ00000000", "nothing", "1", "%27%20or%201%3D1", "%EA%B0%80", "%00"] {
        buyer.get(&self::path(unknown)).await.refused(404, "booking-not-found");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_cannot_be_cancelled_says_why(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let [cancelled, flown] = [shop.sell(&buyer, schedule, "6D").await, shop.sell(&buyer, schedule, "6E").await];
    let lapsed = buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    cancel(&shop, &buyer, &cancelled.booking.booking_number).await;
    let leaves = leaves(&shop);
    shop.world.pass(minutes(16));
    let assert_over = async |number: &str, code: &str| {
        let told = quote(&shop, &buyer, number).await;
        assert_eq!((&told["cancellable"], &told["reason"]), (&json!(false), &json!(code)), "{told}");
        assert_eq!((&told["refund_amount"], &told["seats_released"]), (&json!(0), &json!(0)), "{told}");
        assert_eq!((&told["refund_to"], &told["expires_at"]), (&json!(null), &json!(null)), "{told}");
    };
    assert_over(&cancelled.booking.booking_number, "booking-not-cancellable").await;
    assert_over(number(&lapsed), "booking-not-cancellable").await;
    wait_until(&shop, TimeDelta::seconds(1), leaves);
    assert_eq!(quote(&shop, &buyer, &flown.booking.booking_number).await["refund_amount"], PRICE);
    wait_until(&shop, TimeDelta::zero(), leaves);
    assert_over(&flown.booking.booking_number, "flight-departed").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_keeps_the_terms_it_was_sold_under(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let before = shop.sell(&buyer, schedule, "6D").await;
    terms(&shop, 2, &[(48, 100, 0), (24, 50, 10_000), (0, 10, 0)]).await;
    let [early, late, last] = [
        shop.sell(&buyer, schedule, "7D").await,
        shop.sell(&buyer, schedule, "7E").await,
        shop.sell(&buyer, schedule, "7F").await,
    ];
    let leaves = leaves(&shop);
    let [early_number, late_number, last_number] =
        [&early, &late, &last].map(|sold| sold.booking.booking_number.clone());

    wait_until(&shop, TimeDelta::hours(48), leaves);
    let told = quote(&shop, &buyer, &early_number).await;
    assert_eq!(told["refund_amount"], PRICE);
    assert_eq!(cancel(&shop, &buyer, &early_number).await, PRICE);

    wait_until(&shop, TimeDelta::hours(48) - TimeDelta::seconds(1), leaves);
    let told = shop.signed_in(buyer.id).in_english().get(&path(&late_number)).await.expect(200);
    assert_eq!(told["refund_amount"], 150_000);
    let line = json!({"kind": "passenger", "passenger": 1, "price": PRICE, "fee": 170_000, "amount": 150_000});
    assert_eq!(told["lines"], json!([line]));
    let description = "full refund until 48 hours before departure; 50% refund less 10000 won per passenger until 24 hours \
                       before departure; 10% refund until departure";
    assert_eq!(told["rule"], json!({"version": 2, "description": description}));
    let expires_at: DateTime<Utc> = told["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires_at, leaves - TimeDelta::hours(24));
    assert_eq!(cancel(&shop, &buyer, &late_number).await, 150_000);

    wait_until(&shop, TimeDelta::hours(1), leaves);
    assert_eq!(quote(&shop, &buyer, &last_number).await["refund_amount"], 32_000);
    assert_eq!(cancel(&shop, &buyer, &last_number).await, 32_000);
    let told = quote(&shop, &buyer, &before.booking.booking_number).await;
    assert_eq!((&told["refund_amount"], &told["rule"]["version"]), (&json!(PRICE), &json!(1)));
    assert_eq!(cancel(&shop, &buyer, &before.booking.booking_number).await, PRICE);

    shop.run_jobs().await;
    let mut back = Vec::new();
    for sold in [&early, &late, &last, &before] {
        let booking = shop.booking(sold.booking.booking_id).await.0;
        back.push((shop.given_back(&sold.receipt).await, shop.payment(&sold.payment).await.0, booking));
    }
    let kept = |won, status: &str| (won, status.to_owned(), "CANCELLED".to_owned());
    let (all, some) = ("CANCELLED", "PARTIALLY_REFUNDED");
    assert_eq!(back, [kept(PRICE, all), kept(150_000, some), kept(32_000, some), kept(PRICE, all)]);
    assert_eq!(shop.seats(schedule).await, (180, 0));
    let rules: Vec<i32> =
        sqlx::query_scalar("select rule from refunds order by refund_id").fetch_all(&shop.world.db).await.unwrap();
    assert_eq!(rules, [2, 2, 2, 1]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn terms_that_pay_nothing_cancel_and_keep_the_money(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    terms(&shop, 2, &[]).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let sold = shop.sell(&buyer, schedule, "6D").await;
    let told = quote(&shop, &buyer, &sold.booking.booking_number).await;
    assert_eq!((&told["cancellable"], &told["refund_amount"]), (&json!(true), &json!(0)));
    assert_eq!(told["rule"]["description"], "환불 불가");
    assert_eq!(cancel(&shop, &buyer, &sold.booking.booking_number).await, 0);
    for _ in 0..3 {
        shop.world.pass(minutes(31));
        shop.run_jobs().await;
    }
    assert_eq!((shop.refunds().await, shop.given_back(&sold.receipt).await), (vec![], 0));
    assert_eq!(shop.booking(sold.booking.booking_id).await, ("CANCELLED".to_owned(), Some("OWNER".to_owned())));
    assert_eq!((shop.payment(&sold.payment).await.0.as_str(), shop.seats(schedule).await), ("PAID", (180, 0)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_went_back_before_is_deducted(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    terms(&shop, 2, &[(0, 50, 0)]).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let [some, more] = [shop.sell(&buyer, schedule, "6D").await, shop.sell(&buyer, schedule, "6E").await];
    give_back(&shop, &some, 100_000).await;
    give_back(&shop, &more, 200_000).await;

    // On its way, or arrived: it is the same.
    for arrived in [false, true] {
        if arrived {
            shop.run_jobs().await;
            assert_eq!(shop.payment(&some.payment).await.0, "PARTIALLY_REFUNDED");
        }
        let told = quote(&shop, &buyer, &some.booking.booking_number).await;
        assert_eq!((&told["refund_amount"], &told["already_refunded"]), (&json!(60_000), &json!(100_000)));
        let deducted =
            json!({"kind": "already_refunded", "passenger": null, "price": null, "fee": null, "amount": -100_000});
        assert_eq!(told["lines"][1], deducted);
        let told = quote(&shop, &buyer, &more.booking.booking_number).await;
        assert_eq!((&told["refund_amount"], &told["lines"][1]["amount"]), (&json!(0), &json!(-160_000)));
    }
    assert_eq!(cancel(&shop, &buyer, &some.booking.booking_number).await, 60_000);
    assert_eq!(cancel(&shop, &buyer, &more.booking.booking_number).await, 0);
    shop.run_jobs().await;
    assert_eq!((shop.given_back(&some.receipt).await, shop.given_back(&more.receipt).await), (160_000, 200_000));
    assert_eq!(shop.provider.calls().count(Operation::Cancel), 3);
}
