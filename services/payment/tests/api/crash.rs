//! `kill -9` between any two steps: all money pays for one booking, or is back.

use bootpay::simulator::{Mode, Operation, Outage, Outcome, Payment, Trouble};
use common::events::Cause;
use common::idempotency::Once;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::crash::{Buyer, Crash, Program, until};
use testkit::desk::Desk;

use crate::support::{PRICE, WEBHOOK, order_of};

const PROGRAM: &str = env!("CARGO_BIN_EXE_payment-service");

/// A pending booking of 1A.
async fn booked(desk: &Desk, buyer: &Buyer) -> i64 {
    desk.book(buyer.id, buyer.schedule, &["1A"]).await.booking_id
}

/// Lets the provider tell of a receipt.
async fn tell(program: &Program, buyer: &Buyer, (order, receipt): &(String, String)) {
    let message = json!({ "order_id": order, "receipt_id": receipt });
    let _ = program.post(buyer, WEBHOOK, &message).await.expect(200);
}

/// Leaves a refund to be paid: of a booking that was paid and is cancelled. Answers the provider's receipt.
async fn cancelled(desk: &Desk, buyer: &Buyer) -> String {
    let sold = desk.sell(buyer.id, buyer.schedule, "1A").await;
    let cause = Cause::user(buyer.id, None);
    desk.orders.cancel_own(&cause, buyer.id, &sold.booking.booking_number, &Once::unkeyed()).await.unwrap();
    sold.receipt.as_str().to_owned()
}

/// Whether a refund of that receipt is done with.
async fn paid_back(desk: &Desk, receipt: &str) -> bool {
    let done = sqlx::query_scalar("select count(*) > 0 from refunds where receipt_id = ? and state = 'SUCCEEDED'");
    done.bind(receipt).fetch_one(&desk.world.db).await.unwrap()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_begins_a_payment(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    crash
        .sweep(booked, async |program, buyer, booking| {
            let request = json!({ "bookingId": booking, "amount": PRICE });
            let begun = program.post(buyer, "/api/payments/init", &request).await.expect(200);
            let payment = Payment { webhook: Mode::None, ..Payment::new(order_of(&begun), PRICE) };
            crash.desk.provider().pay(payment).await.unwrap();
        })
        .await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_is_told_of_a_payment(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    let pay = async |desk: &Desk, buyer: &Buyer| {
        let payment = desk.begin_for(buyer.id, booked(desk, buyer).await, PRICE).await;
        let receipt = desk.pay(&payment, PRICE).await;
        (payment.order_id, receipt.as_str().to_owned())
    };
    crash.sweep(pay, tell).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_is_told_of_a_second_payment(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    let pay_twice = async |desk: &Desk, buyer: &Buyer| {
        let sold = desk.sell(buyer.id, buyer.schedule, "1A").await;
        let surplus = desk.pay(&sold.payment, PRICE).await;
        (sold.payment.order_id, surplus.as_str().to_owned())
    };
    crash.sweep(pay_twice, tell).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_asks_about_a_payment(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    let pay_untold = async |desk: &Desk, buyer: &Buyer| {
        let booking = booked(desk, buyer).await;
        let payment = desk.begin_for(buyer.id, booking, PRICE).await;
        desk.pay(&payment, PRICE).await;
        let long_ago = "update payments set created_at = created_at - interval 1 hour where payment_id = ?";
        desk.by_hand(long_ago, payment.payment_id).await;
        booking
    };
    crash.sweep_job(pay_untold, async |desk, booking| desk.booking(*booking).await.0 == "CONFIRMED").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_gives_up_a_payment_that_nobody_booked_for(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    let pay_only = async |desk: &Desk, buyer: &Buyer| {
        let payment = desk.begin(buyer.id, buyer.schedule, PRICE).await;
        let receipt = desk.pay(&payment, PRICE).await;
        desk.hear_of(&receipt).await;
        let long_ago = "update payments set paid_at = paid_at - interval 1 hour where payment_id = ?";
        desk.by_hand(long_ago, payment.payment_id).await;
        payment.payment_id
    };
    let is_closed = "select closed_at is not null from payments where payment_id = ?";
    crash.sweep_job(pay_only, async |desk, payment| desk.value(is_closed, *payment).await).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_pays_a_refund(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    crash.sweep_job(cancelled, async |desk, receipt| paid_back(desk, receipt).await).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_the_provider_has_the_call(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    let provider = crash.desk.provider();
    for trouble in [Trouble::Hang, Trouble::LoseAnswer] {
        cancelled(&crash.desk, &crash.buyer().await).await;
        let calls = provider.calls().count(Operation::Cancel);
        provider.set_outage(Outage { only: Some(vec![Operation::Cancel]), ..Outage::new(trouble) });
        let program = crash.start().await;
        until(async || provider.calls().count(Operation::Cancel) > calls).await;
        program.kill().await;
        provider.set_outage(Outage::default());
        crash.settle().await;
        crash.assert_right().await;
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_it_approves_a_payment(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let crash = Crash::of(PROGRAM, database).await;
    let agree = async |desk: &Desk, buyer: &Buyer| {
        let begun = desk.begin_for(buyer.id, booked(desk, buyer).await, PRICE).await;
        let pay = Payment { outcome: Outcome::Separate, webhook: Mode::None, ..Payment::new(&begun.order_id, PRICE) };
        json!({ "orderId": begun.order_id, "receiptId": desk.provider().pay(pay).await.unwrap().receipt_id })
    };
    crash
        .sweep(agree, async |program, buyer, request| {
            // What was killed has the call for half a minute: it is over for a client that asks again after that.
            let over =
                "update provider_calls set leased_until = now(6), next_attempt_at = now(6) where leased_until > now(6)";
            sqlx::query(over).execute(&crash.desk.world.db).await.unwrap();
            let _ = program.post(buyer, "/api/payments/confirm", request).await.expect(200);
        })
        .await;
}
