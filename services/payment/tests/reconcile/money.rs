//! The money report.

use bootpay::ReceiptId;
use chrono::TimeDelta;
use common::events::Cause;
use orders::bookings::Receipt;
use orders::charges::Facts;
use orders::payments::Target;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::desk::Sold;

use crate::support::{Books, PRICE};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn agrees_with_the_providers_ledger_to_the_won(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    books.world.pass_to_noon();
    let schedule = books.published(9).await;
    let other = books.by_an_operator(9).await;
    let buyer = books.buyer().await;
    let kept = books.sell(buyer, schedule, "1A").await;
    let cancelled = books.sell(buyer, schedule, "1B").await;
    let reversed = books.sell(buyer, other, "1C").await;
    let unbooked = books.begin(buyer, schedule, PRICE).await;
    let twice = books.pay(&kept.payment, PRICE).await;
    let wrong = books.pay(&unbooked, PRICE + 1).await;
    let right = books.pay(&unbooked, PRICE).await;
    for receipt in [&twice, &wrong, &right] {
        books.hear_of(receipt).await;
    }
    let attach_later = books.init(buyer, Target::Open, 5_000).await.unwrap();
    let open = books.pay(&attach_later, 5_000).await;
    books.hear_of(&open).await;
    books.run_jobs().await;

    let today = books.world.day(0);
    books.world.pass(TimeDelta::days(1));
    books.cancel(&cancelled.booking).await;
    assert!(books.provider().cancel_in_console(&reversed.receipt, Some(20_000)));
    books.run_jobs().await;
    assert_eq!(books.reconcile().await, [("receipt-differs", true)]);
    assert!(books.provider().cancel_in_console(&reversed.receipt, None));
    assert_eq!(books.reconcile().await, [("receipt-differs", true)]);

    let ledger = books.provider().receipts();
    let sum = |field: &str| ledger.iter().map(|receipt| receipt[field].as_i64().unwrap()).sum::<i64>();
    let money = books.orders.money(today, books.world.day(0)).await.unwrap();
    assert_eq!((money.charged.as_won(), money.refunded.as_won()), (sum("price"), sum("cancelled_price")));
    assert_eq!(money.net, PRICE, "one flies");

    let line = |day, flight: Option<&str>| {
        let line = money.lines.iter().find(|line| line.day == day && line.flight_id.as_deref() == flight).unwrap();
        (line.charged.as_won(), line.refunded.as_won(), line.net)
    };
    let tomorrow = books.world.day(0);
    assert_eq!(line(today, Some("CJ101")), (3 * PRICE, PRICE, 2 * PRICE), "one of them a second time");
    assert_eq!(line(today, Some("CJ202")), (PRICE, 0, PRICE));
    assert_eq!(line(tomorrow, Some("CJ101")), (0, PRICE, -PRICE));
    assert_eq!(line(tomorrow, Some("CJ202")), (0, PRICE, -PRICE));
    assert_eq!(line(today, None), (2 * PRICE + 1 + 5_000, PRICE + 1, PRICE + 5_000));
    assert_eq!(line(tomorrow, None), (0, PRICE + 5_000, -PRICE - 5_000), "nobody booked");
    assert_eq!(money.lines.len(), 6);
    let text = money.to_string();
    assert!(text.contains("CJ202") && text.contains("no booking") && text.contains("in all"), "{text}");
    assert_eq!(books.orders.money(tomorrow, tomorrow).await.unwrap().lines.len(), 3);
}

/// A booking whose owner has agreed to pay, and a receipt that waits for our approval.
struct Agreed {
    schedule: i64,
    owner: i64,
    booking: Receipt,
    receipt: ReceiptId,
}

impl Agreed {
    async fn of(books: &Books) -> Self {
        let (schedule, owner) = (books.published(9).await, books.buyer().await);
        let booking = books.book(owner, schedule, &["1A"]).await;
        let payment = books.begin_for(owner, booking.booking_id, PRICE).await;
        Self { schedule, owner, booking, receipt: books.agree(&payment, PRICE).await }
    }

    /// Lets the provider charge it all the same.
    async fn is_charged(&self, books: &Books) {
        let provider = books.orders.provider.as_ref().unwrap();
        assert!(provider.confirm(&self.receipt).await.unwrap().status.is_paid());
    }
}

/// Nobody approved it in time: it is to be let go, and the provider has yet to be told.
async fn time_runs_out(books: &Books) {
    books.minutes(31);
    assert!(books.orders.ask_about_payments_once(10).await.unwrap());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_let_go_and_never_charged_did_not_move(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let let_go = Agreed::of(&books).await;
    time_runs_out(&books).await;
    books.run_jobs().await;
    assert_eq!(books.given_back(&let_go.receipt).await, PRICE, "as the provider puts it");
    books.assert_moved(0, 0).await;
    let report = books.orders.money(books.world.day(0), books.world.day(0)).await.unwrap();
    assert_eq!(report.lines, [], "a day on which nothing moved");
    books.all_is_well().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_message_that_it_was_let_go_is_no_money_either(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let let_go = Agreed::of(&books).await;
    time_runs_out(&books).await;
    assert!(books.provider().cancel_in_console(&let_go.receipt, None));
    books.hear_of(&let_go.receipt).await;
    books.assert_moved(0, 0).await;
    books.all_is_well().await;
    books.assert_moved(0, 0).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_console_let_go_before_we_did_is_no_money_either(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let let_go = Agreed::of(&books).await;
    assert!(books.provider().cancel_in_console(&let_go.receipt, None));
    books.hear_of(&let_go.receipt).await;
    books.assert_moved(0, 0).await;
    books.minutes(31);
    books.all_is_well().await;
    books.assert_moved(0, 0).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_to_be_let_go_and_is_charged_and_then_cancelled_moved_both_ways(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database).await;
    let charged = Agreed::of(&books).await;
    time_runs_out(&books).await;
    charged.is_charged(&books).await;
    assert!(books.provider().cancel_in_console(&charged.receipt, None));
    books.hear_of(&charged.receipt).await;
    books.all_is_well().await;
    books.assert_moved(PRICE, PRICE).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_once_called_paid_is_money_for_good(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    let by_a_release_before = "update charges set was_charged = null where receipt_id = ?";
    books.meddle(by_a_release_before, &sold.receipt).await;
    books.assert_moved(PRICE, 0).await;

    // The provider doesn't say any more when it was.
    assert!(books.provider().cancel_in_console(&sold.receipt, None));
    let mut facts = Facts::from(&books.receipt(&sold.receipt).await);
    assert_eq!(facts.was_charged.replace(false), Some(true));
    for _ in 0..2 {
        books.orders.apply(&Cause::provider(None), &facts).await.unwrap();
        books.assert_moved(PRICE, PRICE).await;
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn healing_a_payment_makes_no_money_of_what_was_never_charged(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database).await;
    let let_go = Agreed::of(&books).await;
    assert!(books.provider().cancel_in_console(&let_go.receipt, None));
    books.hear_of(&let_go.receipt).await;
    books.meddle("update payments set status = 'FAILED' where bootpay_receipt_id = ?", &let_go.receipt).await;
    books.heals(&["payment-status"]).await;
    books.assert_moved(0, 0).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_to_be_let_go_and_is_charged_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let charged = Agreed::of(&books).await;
    books.cancel_own(charged.owner, &charged.booking).await;
    time_runs_out(&books).await;
    charged.is_charged(&books).await;
    books.run_jobs().await;
    assert_eq!(books.going_back().await, ["320000 SURPLUS SUCCEEDED"]);
    books.assert_moved(PRICE, PRICE).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_to_be_let_go_and_pays_is_money_for_good(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let charged = Agreed::of(&books).await;
    time_runs_out(&books).await;
    charged.is_charged(&books).await;
    books.run_jobs().await;
    let (status, _) = books.booking(charged.booking.booking_id).await;
    assert_eq!((status.as_str(), books.seats(charged.schedule).await), ("CONFIRMED", (8, 1)));
    books.assert_moved(PRICE, 0).await;
    assert!(books.provider().cancel_in_console(&charged.receipt, None));
    books.heals(&["receipt-differs"]).await;
    books.assert_moved(PRICE, PRICE).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_reconciliation_finds_is_counted_as_if_it_had_been_told(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database).await;
    let (schedule, buyer) = (books.published(9).await, books.buyer().await);
    let booking = books.book(buyer, schedule, &["1A"]).await;
    let payment = books.begin_for(buyer, booking.booking_id, PRICE).await;
    books.pay(&payment, PRICE).await;
    books.minutes(7);
    books.heals(&["receipt-unheard"]).await;
    books.cancel(&booking).await;
    books.all_is_well().await;
    books.assert_moved(PRICE, PRICE).await;
    assert_eq!((books.counted("charged"), books.counted("refunded")), (PRICE, PRICE));
}

/// A booking that was paid in the system before this one, which kept no history.
async fn sold_before_us(books: &Books) -> Sold {
    let (_, sold) = books.sold().await;
    sqlx::query("delete from events").execute(&books.world.db).await.unwrap();
    sold
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn parts_of_what_was_paid_before_us_are_counted_neither_way(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let refunded = sold_before_us(&books).await;
    books.give_back(&refunded, 20_000).await;
    books.run_jobs().await;
    books.give_back(&refunded, 30_000).await;
    books.run_jobs().await;
    assert!(books.provider().cancel_in_console(&refunded.receipt, Some(70_000)));
    books.hear_of(&refunded.receipt).await;
    books.all_is_well().await;
    assert_eq!(books.given_back(&refunded.receipt).await, 120_000);
    assert_eq!((books.counted("refunded"), books.counted("cancelled_in_console")), (0, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_declined_before_us_and_is_paid_here_is_counted_both_ways(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database).await;
    let (schedule, buyer) = (books.published(9).await, books.buyer().await);
    let booking = books.book(buyer, schedule, &["1A"]).await;
    let payment = books.begin_for(buyer, booking.booking_id, PRICE).await;
    let declined = "update payments set status = 'FAILED', bootpay_receipt_id = 'declined' where payment_id = ?";
    books.meddle(declined, payment.payment_id).await;
    let receipt = books.pay(&payment, PRICE).await;
    books.hear_of(&receipt).await;
    assert!(books.provider().cancel_in_console(&receipt, Some(20_000)));
    books.hear_of(&receipt).await;
    books.cancel(&booking).await;
    books.run_jobs().await;
    books.assert_moved(PRICE, PRICE).await;
    assert_eq!((books.counted("refunded"), books.counted("cancelled_in_console")), (PRICE - 20_000, 20_000));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_console_cancels_is_counted_once_whoever_finds_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    let cancelled = |won| assert!(books.provider().cancel_in_console(&sold.receipt, won));
    let counted = || books.counted("cancelled_in_console");

    // A message, twice; then nobody tells, and a round finds it.
    cancelled(Some(20_000));
    for _ in 0..2 {
        books.hear_of(&sold.receipt).await;
        assert_eq!(counted(), 20_000);
    }
    cancelled(Some(5_000));
    books.heals(&["receipt-differs"]).await;
    assert_eq!(counted(), 25_000);

    // A refund, a half of which was cancelled while it waited; until it has ended, it may be all of its doing.
    books.give_back(&sold, 100_000).await;
    cancelled(Some(50_000));
    books.hear_of(&sold.receipt).await;
    assert_eq!(counted(), 25_000);
    books.run_jobs().await;
    assert_eq!((counted(), books.counted("refunded")), (75_000, 50_000));

    // More than a refund was waiting for.
    books.give_back(&sold, 10_000).await;
    cancelled(None);
    books.all_is_well().await;
    assert_eq!((counted(), books.counted("refunded")), (PRICE - 60_000, 60_000));
    books.assert_moved(PRICE, PRICE).await;

    let history = books.history("PAYMENT", sold.payment.payment_id).await;
    assert_eq!(history.iter().filter(|action| *action == "cancelled-in-console").count(), 4, "{history:?}");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_cancelled_before_it_ever_paid_is_counted_neither_way(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let twice = books.pay(&sold.payment, PRICE).await;
    let payment = books.begin(books.buyer().await, schedule, PRICE).await;
    let paid = books.pay(&payment, PRICE).await;
    for receipt in [&twice, &paid] {
        assert!(books.provider().cancel_in_console(receipt, None));
        books.hear_of(receipt).await;
    }
    assert_eq!((books.counted("charged"), books.counted("cancelled_in_console")), (PRICE, 0));
    books.assert_moved(3 * PRICE, 2 * PRICE).await;
    books.all_is_well().await;
}
