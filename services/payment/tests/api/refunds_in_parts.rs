//! Several refunds of one receipt, while the provider loses answers and somebody uses its console.

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Json, Router};
use bootpay::ReceiptId;
use bootpay::simulator::{Operation, Outage, Trouble};
use chrono::TimeDelta;
use common::chance::Chance;
use common::events::Cause;
use common::idempotency::Once;
use common::money::Money;
use orders::Orders;
use orders::refunds::{NewRefund, RefundError};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;
use tokio::net::TcpListener;

use crate::support::{Buyer, KEY, PRICE, SHORT, Service, Shop, message};

/// A booking that is paid at the provider and confirmed here.
struct Sold {
    buyer: Buyer,
    booking: orders::bookings::Receipt,
    order: String,
    payment_id: i64,
    receipt: ReceiptId,
}

async fn sell(shop: &Shop) -> Sold {
    sell_of(shop, shop.schedule(9).await).await
}

async fn sell_of(shop: &Shop, schedule: i64) -> Sold {
    let buyer = shop.buyer().await;
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    let payment_id = payment_of(shop, &order).await;
    Sold { buyer, booking, order, payment_id, receipt }
}

async fn payment_of(service: &Service, order: &str) -> i64 {
    service.value("select payment_id from payments where order_id = ?", order).await
}

async fn try_part(service: &Service, payment_id: i64, won: i64) -> Result<(), RefundError> {
    let part = NewRefund { payment_id, amount: Money::won(won), note: "meal".to_owned() };
    service.orders.refund_part(&Cause::admin(1, None), &part, &Once::unkeyed()).await.map(drop)
}

async fn give_back(service: &Service, payment_id: i64, won: i64) {
    try_part(service, payment_id, won).await.unwrap();
}

async fn cancel(service: &Service, sold: &Sold) {
    let (cause, number) = (Cause::user(sold.buyer.id, None), &sold.booking.booking_number);
    service.orders.cancel_own(&cause, sold.buyer.id, number, &Once::unkeyed()).await.unwrap();
}

/// Refuses every call to the provider; what was asked for waits.
fn shut(shop: &Shop) {
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
}

/// The provider is back, and what waits is done.
async fn reopen(shop: &Shop) {
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::minutes(16));
    shop.run_jobs().await;
}

/// What became of the money: given back at the provider, and the payment's status.
async fn outcome(shop: &Shop, sold: &Sold) -> (i64, String) {
    (shop.given_back(&sold.receipt).await, shop.status(&sold.order).await)
}

fn cancels(shop: &Shop) -> u64 {
    shop.provider.calls().count(Operation::Cancel)
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn parts_of_a_receipt_go_back_one_after_the_other(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let sold = sell(&shop).await;
    shut(&shop);
    for won in [100_000, 50_000] {
        give_back(&shop, sold.payment_id, won).await;
    }
    cancel(&shop, &sold).await;
    shop.run_jobs().await;
    let waiting = [(100_000, "BY_HAND", "SENT"), (50_000, "BY_HAND", "PENDING"), (170_000, "OWNER", "PENDING")];
    shop.assert_refunds(&waiting).await;
    reopen(&shop).await;
    let paid = [(100_000, "BY_HAND", "SUCCEEDED"), (50_000, "BY_HAND", "SUCCEEDED"), (170_000, "OWNER", "SUCCEEDED")];
    shop.assert_refunds(&paid).await;
    assert_eq!((outcome(&shop, &sold).await, cancels(&shop)), ((PRICE, "CANCELLED".into()), 3));
    assert_eq!(shop.booking_state(&sold.booking).await, ("CANCELLED".into(), Some("OWNER".into())));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_part_whose_answer_is_lost_goes_back_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::patient(database, SHORT).await;
    let sold = sell(&shop).await;
    give_back(&shop, sold.payment_id, 100_000).await;
    shop.provider.set_outage(Outage::new(Trouble::LoseAnswer));
    shop.run_jobs().await;
    shop.assert_refunds(&[(100_000, "BY_HAND", "SENT")]).await;
    assert_eq!(shop.given_back(&sold.receipt).await, 100_000, "it happened, and nobody knows");
    // Somebody tells of it; it is not taken for a cancel in the console, so the owner loses nothing of the rest.
    let _ = shop.nudge(&sold.order, &sold.receipt).await.expect(200);
    cancel(&shop, &sold).await;
    reopen(&shop).await;
    shop.assert_refunds(&[(100_000, "BY_HAND", "SUCCEEDED"), (220_000, "OWNER", "SUCCEEDED")]).await;
    assert_eq!((outcome(&shop, &sold).await, cancels(&shop)), ((PRICE, "CANCELLED".into()), 2));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_console_gave_back_meanwhile_is_this_refunds(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(9).await;
    for (in_console, then_asked_for) in [(30_000, 1), (100_000, 0), (150_000, 0), (PRICE, 0)] {
        let sold = sell_of(&shop, schedule).await;
        shut(&shop);
        give_back(&shop, sold.payment_id, 100_000).await;
        shop.run_jobs().await;
        assert!(shop.provider.cancel_in_console(&sold.receipt, Some(in_console)));
        let before = cancels(&shop);
        reopen(&shop).await;
        assert_eq!(
            (shop.given_back(&sold.receipt).await, cancels(&shop) - before),
            (in_console.max(100_000), then_asked_for)
        );
        let all = in_console == PRICE;
        assert_eq!(shop.status(&sold.order).await, if all { "CANCELLED" } else { "PARTIALLY_REFUNDED" });
        assert_eq!(shop.booking_status(&sold.booking).await, if all { "CANCELLED" } else { "CONFIRMED" });
        if !all {
            cancel(&shop, &sold).await;
            shop.run_jobs().await;
            assert_eq!(outcome(&shop, &sold).await, (PRICE, "CANCELLED".into()));
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_console_gave_back_before_is_not(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let sold = sell(&shop).await;
    assert!(shop.provider.cancel_in_console(&sold.receipt, Some(20_000)), "without a word to us");
    give_back(&shop, sold.payment_id, 100_000).await;
    shop.run_jobs().await;
    assert_eq!(outcome(&shop, &sold).await, (120_000, "PARTIALLY_REFUNDED".into()));
    let too_much = try_part(&shop, sold.payment_id, 200_001).await.unwrap_err();
    assert!(matches!(too_much, RefundError::MoreThanLeft(left) if left == Money::won(200_000)), "{too_much}");
    cancel(&shop, &sold).await;
    shop.run_jobs().await;
    shop.assert_refunds(&[(100_000, "BY_HAND", "SUCCEEDED"), (200_000, "OWNER", "SUCCEEDED")]).await;
    assert_eq!(outcome(&shop, &sold).await, (PRICE, "CANCELLED".into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn all_of_it_cancelled_in_the_console_ends_the_booking_and_every_refund(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let sold = sell(&shop).await;
    shut(&shop);
    give_back(&shop, sold.payment_id, 100_000).await;
    give_back(&shop, sold.payment_id, 50_000).await;
    assert!(shop.provider.cancel_in_console(&sold.receipt, None));
    reopen(&shop).await;
    shop.assert_refunds(&[(100_000, "BY_HAND", "SUCCEEDED"), (50_000, "BY_HAND", "SUCCEEDED")]).await;
    assert_eq!((outcome(&shop, &sold).await, cancels(&shop)), ((PRICE, "CANCELLED".into()), 0));
    assert_eq!(shop.booking_state(&sold.booking).await, ("CANCELLED".into(), Some("REVERSED".into())));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_refusals_wear_a_refund_out_and_their_code_is_kept(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    // On file as paid, on a receipt that the provider knows as declined: it can't pay that back.
    let receipt = shop.decline(&order, PRICE).await;
    let _ = shop.signed(&message(&order, "0123456789abcdef01234567", 1, PRICE)).await.expect(200);
    let moved = sqlx::query("update charges set receipt_id = ? where order_id = ?").bind(receipt.as_str()).bind(&order);
    assert_eq!(moved.execute(&shop.world.db).await.unwrap().rows_affected(), 1);
    shop.orders.cancel_any(&Cause::admin(1, None), &booking.booking_number, &Once::unkeyed()).await.unwrap();
    shut(&shop);
    for _ in 0..8 {
        shop.run_jobs().await;
        shop.world.pass(TimeDelta::minutes(16));
    }
    shop.assert_refunds(&[(PRICE, "ADMIN", "SENT")]).await;
    shop.provider.set_outage(Outage::default());
    for tried in 1..=5 {
        shop.assert_refunds(&[(PRICE, "ADMIN", "SENT")]).await;
        shop.run_jobs().await;
        assert_eq!(cancels(&shop), tried);
        shop.world.pass(TimeDelta::minutes(16));
    }
    shop.assert_refunds(&[(PRICE, "ADMIN", "NEEDS_OPERATOR")]).await;
    let said: String = shop.value("select last_error from refunds where booking_id = ?", booking.booking_id).await;
    assert!(said.contains("RC_CANCEL_SERVER_ERROR"), "{said}");
    shop.run_jobs().await;
    assert_eq!(cancels(&shop), 5, "it is left alone");
}

/// A provider that knows one receipt: paid through a virtual account. It can't cancel.
async fn bank(receipt: Value) -> bootpay::Client {
    let token = json!({ "access_token": "token", "expire_in": 1800 });
    let router = Router::new()
        .route("/v2/request/token", post(async move || Json(token)))
        .route("/v2/receipt/{receipt_id}", get(async move || Json(receipt)));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    bootpay::Client::new(bootpay::Config::new(format!("http://{address}/v2"), "rest-id", KEY.into())).unwrap()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn money_from_a_virtual_account_needs_an_operator_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let selling = Service::with(World::with_connections(database, 32), None);
    let (buyer, schedule) = (selling.buyer().await, selling.schedule(9).await);
    let booking = selling.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let _ = selling.signed(&message(&order, "r-1", 1, PRICE)).await.expect(200);
    selling
        .orders
        .cancel_own(&Cause::user(buyer.id, None), buyer.id, &booking.booking_number, &Once::unkeyed())
        .await
        .unwrap();

    let mut receipt = message(&order, "r-1", 1, PRICE);
    receipt["method"] = json!("가상계좌");
    let service = Service::with(selling.world.clone(), Some(bank(receipt).await));
    assert!(service.orders.drive_refunds_once(10).await.unwrap());
    service.assert_refunds(&[(PRICE, "OWNER", "NEEDS_OPERATOR")]).await;
    let said: String = service.value("select last_error from refunds where booking_id = ?", booking.booking_id).await;
    assert!(said.contains("virtual account"), "{said}");
    assert!(!service.orders.drive_refunds_once(10).await.unwrap());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whatever_happens_in_between_nobody_is_paid_too_much_or_too_little(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    // Only where an answer is lost in any case is it not waited for. It has its token by then.
    let hasty = shop.client_of_provider(Duration::from_millis(300));
    let has_token = async { while hasty.order("nothing").await.is_err() {} };
    tokio::time::timeout(Duration::from_mins(1), has_token).await.expect("a token");
    let hasty = Orders { provider: Some(hasty), ..shop.orders.clone() };
    let chance = Chance::seeded(20_261_201);
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
    let below = |n: f64| (chance.fraction() * n) as i64;
    let schedule = shop.schedule(9).await;
    for round in 0..8 {
        let sold = sell_of(&shop, schedule).await;
        let (mut asked, mut in_console) = (0, 0);
        for _ in 0..10 {
            let won = 1_000 * (1 + below(60.0));
            match below(6.0) {
                0 | 1 => {
                    if try_part(&shop, sold.payment_id, won).await.is_ok() {
                        asked += won;
                    }
                }
                2 => {
                    if shop.provider.cancel_in_console(&sold.receipt, Some(won)) {
                        in_console += won;
                    }
                }
                3 => {
                    shop.provider.set_outage(Outage::new(Trouble::LoseAnswer));
                    hasty.drive_refunds_once(10).await.unwrap();
                    shop.provider.set_outage(Outage::default());
                }
                4 => {
                    shop.nudge(&sold.order, &sold.receipt).await;
                }
                _ => shop.run_jobs().await,
            }
            shop.world.pass(TimeDelta::minutes(1));
        }
        reopen(&shop).await;
        let back = shop.given_back(&sold.receipt).await;
        // What the console gave back may have been for the parts, or beside them.
        let sound = asked.max(in_console)..=PRICE.min(asked + in_console);
        assert!(sound.contains(&back), "round {round}: {asked} asked for, {in_console} in the console, {back} given");
        if shop.booking_status(&sold.booking).await == "CONFIRMED" {
            shop.orders
                .cancel_any(&Cause::admin(1, None), &sold.booking.booking_number, &Once::unkeyed())
                .await
                .unwrap();
        }
        reopen(&shop).await;
        assert_eq!(outcome(&shop, &sold).await, (PRICE, "CANCELLED".into()), "round {round}");
        let open = "select count(*) from refunds where state <> 'SUCCEEDED' and payment_id = ?";
        assert_eq!(shop.value::<i64, _>(open, sold.payment_id).await, 0, "round {round}");
    }
}
