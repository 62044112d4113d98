//! A provider that doesn't answer: what it did is found out, never done again blindly.

use std::time::Duration;

use bootpay::simulator::{Mode, Operation, Outage, Payment, Trouble};
use chrono::TimeDelta;
use common::events::Cause;
use common::idempotency::Once;
use orders::Backlog;
use orders::bookings::{BookError, BookingStatus};
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use super::{Agreed, asked_to_confirm, calls, outage, statuses};
use crate::support::{PRICE, SHORT, Shop, wanted};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_call_that_was_not_heard_is_made_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::patient(database, SHORT).await;
    for mode in [Trouble::Refuse, Trouble::Hang] {
        let agreed = Agreed::of(&shop).await;
        shop.provider.set_outage(outage(mode, &[Operation::Confirm]));
        let answer = agreed.confirm().await;
        assert_eq!(answer.headers["retry-after"], "2", "{mode:?}");
        let body = answer.expect(202);
        assert_eq!((&body["booking"]["status"], &body["payment"]["status"]), (&json!("PENDING"), &json!("REQUESTED")));
        assert_eq!((&body["booking"]["payment_due_at"], &body["success"]), (&json!(null), &json!(true)));

        shop.provider.set_outage(Outage::default());
        shop.world.pass(TimeDelta::seconds(2));
        shop.run_jobs().await;
        assert_eq!(agreed.state(&shop).await, ("CONFIRMED".into(), "PAID".into(), (8, 1)), "{mode:?}");
        let _ = agreed.confirm_again(&shop).await.expect(200);
    }
    assert_eq!(statuses(&shop), [1, 1]);
    shop.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_call_whose_answer_got_lost_is_looked_up(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::patient(database, SHORT).await;
    let agreed = Agreed::of(&shop).await;
    shop.provider.set_outage(outage(Trouble::LoseAnswer, &[Operation::Confirm]));
    let _ = agreed.confirm().await.expect(200);
    assert_eq!(shop.provider.calls().count(Operation::Confirm), 1);
    agreed.assert_paid_once(&shop).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_call_that_can_not_even_be_looked_up_is_looked_up_later(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    shop.provider.set_outage(outage(Trouble::LoseAnswer, &[Operation::Confirm]));
    let loses_it = async {
        asked_to_confirm(&shop, 1).await;
        shop.provider.set_outage(Outage::new(Trouble::Refuse));
    };
    let (answer, ()) = tokio::join!(agreed.confirm(), loses_it);
    assert_eq!(answer.expect(202)["booking"]["status"], "PENDING");
    assert_eq!(statuses(&shop), [1], "it happened, and nobody knows");

    // The same call goes on at once, and as long as nobody tells it, neither do we.
    let _ = agreed.confirm().await.expect(202);
    shop.world.pass(TimeDelta::seconds(30));
    shop.run_jobs().await;
    assert_eq!(calls(&shop).await, [("CONFIRM".into(), "STARTED".into())]);
    shop.provider.set_outage(Outage::default());
    let _ = agreed.confirm().await.expect(200);
    assert_eq!(shop.provider.calls().count(Operation::Confirm), 1);
    agreed.assert_paid_once(&shop).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_hold_that_would_lapse_lasts_until_the_answer(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    let _ = agreed.confirm().await.expect(202);
    shop.world.pass(TimeDelta::hours(5));
    shop.run_jobs().await;
    assert!(!shop.orders.expire_bookings_once(10).await.unwrap());
    assert!(!shop.orders.sweep_seats_once(10).await.unwrap());
    assert_eq!(agreed.state(&shop).await, ("PENDING".into(), "REQUESTED".into(), (8, 1)));
    assert_eq!(agreed.reads(&shop).await, BookingStatus::Pending);
    let other = shop.buyer().await;
    let taken = shop.book(&wanted(&other, agreed.schedule, 1, &["1A"])).await;
    assert!(matches!(taken, Err(BookError::SeatTaken(_))), "{taken:?}");
    // Its owner, pressing twice, is shown the same booking.
    let same = shop.book(&wanted(&agreed.buyer, agreed.schedule, 1, &["1A"])).await.unwrap();
    assert_eq!(same.booking_id, agreed.booking.booking_id);

    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::minutes(1));
    shop.run_jobs().await;
    agreed.assert_paid_once(&shop).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_owner_may_cancel_meanwhile_and_is_not_charged(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    let _ = agreed.confirm().await.expect(202);
    cancel(&shop, &agreed).await;
    assert_eq!(agreed.state(&shop).await, ("CANCELLED".into(), "REQUESTED".into(), (9, 0)), "at once");

    shop.provider.set_outage(Outage::default());
    agreed.confirm().await.refused(409, "booking-not-payable");
    shop.run_jobs().await;
    assert_eq!(statuses(&shop), [20]);
    assert_eq!(
        calls(&shop).await,
        [("CONFIRM".into(), "ABANDONED".into()), ("VOID".into(), "DONE".into())],
        "it was let go, and never confirmed"
    );
    shop.assert_refunds(&[]).await;
    assert_eq!(shop.booking_state(&agreed.booking).await, ("CANCELLED".into(), Some("OWNER".into())));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_owner_may_cancel_meanwhile_and_is_paid_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    shop.provider.set_outage(outage(Trouble::LoseAnswer, &[Operation::Confirm]));
    let cancels = async {
        asked_to_confirm(&shop, 1).await;
        cancel(&shop, &agreed).await;
        shop.provider.set_outage(Outage::default());
    };
    let (answer, ()) = tokio::join!(agreed.confirm(), cancels);
    answer.refused(409, "booking-not-payable");
    shop.run_jobs().await;
    assert_eq!(agreed.state(&shop).await, ("CANCELLED".into(), "CANCELLED".into(), (9, 0)));
    assert_eq!((statuses(&shop), shop.given_back(&agreed.receipt).await), (vec![20], PRICE));
    assert_eq!(calls(&shop).await, [("CONFIRM".into(), "DONE".into())]);
    shop.assert_refunds(&[(PRICE, "SURPLUS", "SUCCEEDED")]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_airline_may_cancel_meanwhile(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    let _ = agreed.confirm().await.expect(202);
    let cause = Cause::admin(agreed.buyer.id, None);
    let grounded = shop
        .orders
        .ground(&cause, agreed.schedule, None, Duration::from_secs(5), &Once::unkeyed())
        .await
        .unwrap()
        .into_done()
        .unwrap();
    assert_eq!((grounded.cancelled, grounded.remaining), (1, 0));
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::seconds(2));
    shop.run_jobs().await;
    assert_eq!(shop.booking_state(&agreed.booking).await, ("CANCELLED".into(), Some("AIRLINE".into())));
    assert_eq!(statuses(&shop), [20]);
    shop.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn letting_go_is_tried_until_the_provider_is_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::patient(database, SHORT).await;
    let agreed = Agreed::of(&shop).await;
    shop.world.pass(TimeDelta::minutes(16));
    shop.provider.set_outage(outage(Trouble::LoseAnswer, &[Operation::Cancel]));
    shop.run_jobs().await;
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    for _ in 0..8 {
        shop.world.pass(TimeDelta::minutes(1));
        shop.run_jobs().await;
        assert_eq!(calls(&shop).await, [("VOID".into(), "STARTED".into())]);
    }
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::minutes(1));
    shop.run_jobs().await;
    assert_eq!(calls(&shop).await, [("VOID".into(), "DONE".into())]);
    assert_eq!((statuses(&shop), shop.provider.calls().count(Operation::Cancel)), (vec![20], 1));
    assert_eq!(shop.status(&agreed.order).await, "CANCELLED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_receipt_that_hangs_holds_up_no_other(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::patient(database, Duration::from_mins(1)).await;
    let mut stuck = Agreed::of(&shop).await;
    let hangs = Payment {
        webhook: Mode::None,
        script: "separate confirm-hang".to_owned(),
        ..Payment::new(&stuck.order, PRICE)
    };
    stuck.receipt = shop.provider.pay(hangs).await.unwrap().receipt_id;
    let others = [Agreed::of(&shop).await, Agreed::of(&shop).await];
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    for agreed in [&stuck].into_iter().chain(&others) {
        let _ = agreed.confirm().await.expect(202);
    }
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::seconds(2));

    let orders = shop.orders.clone();
    let round = tokio::spawn(async move { orders.resume_calls_once(10).await });
    for agreed in &others {
        while shop.status(&agreed.order).await != "PAID" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let is_asked = "select leased_until is not null from provider_calls where receipt_id = ?";
    assert!(shop.value::<bool, _>(is_asked, stuck.receipt.as_str()).await, "its turn, which was first, isn't over");
    assert!(!round.is_finished());
    round.abort();

    shop.world.pass(TimeDelta::seconds(31));
    shop.run_jobs().await;
    assert_eq!(stuck.state(&shop).await, ("CONFIRMED".into(), "PAID".into(), (8, 1)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_open_is_counted_and_measured(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let backlog = Backlog::new(&shop.world.metrics).unwrap();
    let measured = async || {
        shop.orders.look_at_backlog(&backlog).await.unwrap();
        let open = shop.world.counted("cloudjet_provider_calls_open{kind=\"CONFIRM\"}");
        (open, shop.world.counted("cloudjet_provider_call_oldest_open_age_seconds"))
    };
    let counted =
        |state| shop.world.counted(&format!("cloudjet_provider_calls_total{{kind=\"CONFIRM\",state=\"{state}\"}}"));
    assert_eq!(format!("{:?}", measured().await), "(0.0, 0.0)");

    let agreed = Agreed::of(&shop).await;
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    let _ = agreed.confirm().await.expect(202);
    shop.world.pass(TimeDelta::minutes(2));
    let (open, age) = measured().await;
    assert!((open - 1.0).abs() < 0.1 && (120.0..3600.0).contains(&age), "{open}, {age}");
    shop.provider.set_outage(Outage::default());
    shop.run_jobs().await;
    assert_eq!(format!("{:?}", measured().await), "(0.0, 0.0)");
    assert_eq!(format!("{:?}", ["STARTED", "DONE", "REFUSED"].map(counted)), "[1.0, 1.0, 0.0]");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_being_let_go_is_counted_and_is_no_approval_that_waits(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let backlog = Backlog::new(&shop.world.metrics).unwrap();
    let _agreed = Agreed::of(&shop).await;
    shop.world.pass(TimeDelta::minutes(16));
    assert!(shop.orders.ask_about_payments_once(10).await.unwrap());
    assert_eq!(calls(&shop).await, [("VOID".into(), "STARTED".into())]);
    shop.world.pass(TimeDelta::minutes(2));
    shop.orders.look_at_backlog(&backlog).await.unwrap();
    let measured = ["cloudjet_provider_calls_open{kind=\"VOID\"}", "cloudjet_provider_call_oldest_open_age_seconds"];
    assert_eq!(measured.map(|series| shop.world.counted(series).to_string()), ["1", "0"]);
}

async fn cancel(shop: &Shop, agreed: &Agreed) {
    let cause = Cause::user(agreed.buyer.id, None);
    shop.orders.cancel_own(&cause, agreed.buyer.id, &agreed.booking.booking_number, &Once::unkeyed()).await.unwrap();
}
