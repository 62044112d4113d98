//! The provider's receipts against our charges.

use bootpay::simulator::{Operation, Outage, Trouble};
use orders::reconcile::{Scope, State};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Books, PRICE, THOROUGH};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cancel_in_the_console_cancels_the_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(1_000)));
    books.heals(&["receipt-differs"]).await;
    assert_eq!(books.payment(&sold.payment).await.0, "PARTIALLY_REFUNDED");
    assert_eq!(
        (books.booking(sold.booking.booking_id).await.0.as_str(), books.seats(schedule).await),
        ("CONFIRMED", (8, 1))
    );

    assert!(books.provider().cancel_in_console(&sold.receipt, None));
    books.heals(&["receipt-differs"]).await;
    assert_eq!(books.payment(&sold.payment).await.0, "CANCELLED");
    assert_eq!(books.booking(sold.booking.booking_id).await, ("CANCELLED".into(), Some("REVERSED".into())));
    assert_eq!((books.seats(schedule).await, books.going_back().await), ((9, 0), vec![]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_sums_of_both_books_are_told(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    let dry = Scope { heals: false, ..THOROUGH };
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(1_000)));
    let report = books.report(dry).await;
    let receipts = &report.receipts;
    assert_eq!(
        (receipts.compared, receipts.charged_here, receipts.charged_there),
        (1, receipts.charged_there, receipts.charged_here)
    );
    assert_eq!((receipts.returned_here.as_won(), receipts.returned_there.as_won()), (0, 1_000));
    assert_eq!((report.findings[0].state, report.is_settled()), (State::Healable, false));
    assert!(report.to_string().contains("healable  receipt-differs  charge"), "{report}");
    books.heals(&["receipt-differs"]).await;
    let report = books.report(dry).await;
    assert_eq!((report.receipts.returned_here, report.is_settled()), (report.receipts.returned_there, true));
    assert!(report.to_string().ends_with("Everything agrees.\n"), "{report}");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_refund_on_its_way_is_no_finding(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    books.cancel(&sold.booking).await;
    assert_eq!(books.reconcile().await, []);
    // It took effect there, and its answer isn't here yet.
    assert!(books.provider().cancel_in_console(&sold.receipt, None));
    assert_eq!(books.reconcile().await, []);
    books.all_is_well().await;
    assert_eq!(books.going_back().await, ["320000 ADMIN SUCCEEDED"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_provider_knows_otherwise_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    let (amount, back) = (
        "update charges c join payments p on p.payment_id = c.payment_id set c.amount = 5, p.amount = 5 where c.receipt_id = ?",
        "update charges c join payments p on p.payment_id = c.payment_id set c.amount = 320000, p.amount = 320000 where c.receipt_id = ?",
    );
    for (wrong, right) in [
        (amount, back),
        (
            "update charges set order_id = 'another' where receipt_id = ?",
            "update charges c join payments p on p.payment_id = c.payment_id set c.order_id = p.order_id where c.receipt_id = ?",
        ),
    ] {
        books.meddle(wrong, &sold.receipt).await;
        books.names("receipt-differs").await;
        books.meddle(right, &sold.receipt).await;
        assert_eq!(books.reconcile().await, [], "{right}");
    }
    let buyer = books.buyer().await;
    let payment = books.begin(buyer, books.published(9).await, PRICE).await;
    books.hear_paid(&payment, PRICE).await;
    let report = books.report(THOROUGH).await;
    assert_eq!(report.findings.len(), 1, "{report}");
    assert!(report.to_string().contains("the provider knows no such receipt"), "{report}");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_nobody_told_us_is_found_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let schedule = books.published(9).await;
    let buyer = books.buyer().await;
    let booking = books.book(buyer, schedule, &["1A"]).await;
    let payment = books.begin_for(buyer, booking.booking_id, PRICE).await;
    let declined = books.decline(&payment, PRICE).await;
    books.hear_of(&declined).await;
    books.pay(&payment, PRICE).await;
    books.minutes(7);
    books.heals(&["receipt-unheard"]).await;
    assert_eq!(
        (books.payment(&payment).await.0.as_str(), books.booking(booking.booking_id).await.0.as_str()),
        ("PAID", "CONFIRMED")
    );

    // A second tab has paid, too.
    let second = books.pay(&payment, PRICE).await;
    books.minutes(7);
    books.heals(&["receipt-unheard"]).await;
    assert_eq!(books.going_back().await, ["320000 SURPLUS PENDING"]);
    books.all_is_well().await;
    assert_eq!(books.given_back(&second).await, PRICE);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_message_on_its_way_is_no_finding(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let schedule = books.published(9).await;
    let buyer = books.buyer().await;
    let payment = books.begin(buyer, schedule, PRICE).await;
    books.pay(&payment, PRICE).await;
    books.minutes(2);
    assert_eq!(books.reconcile().await, []);
    assert_eq!(books.payment(&payment).await.0, "PAID");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn no_receipt_is_asked_for_twice_by_replicas_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let schedule = books.published(9).await;
    for seat in ["1A", "1B", "1C", "1D", "1E"] {
        let buyer = books.buyer().await;
        books.sell(buyer, schedule, seat).await;
    }
    books.minutes(5);
    let before = books.provider().calls();
    let replicas: Vec<_> = (0..3)
        .map(|_| {
            let books = books.clone();
            tokio::spawn(async move { books.report(Scope::ROUTINE).await })
        })
        .collect();
    let mut compared = 0;
    for replica in replicas {
        let report = replica.await.unwrap();
        assert_eq!(report.findings, []);
        compared += report.receipts.compared;
    }
    let asked = |operation| books.provider().calls().count(operation) - before.count(operation);
    assert_eq!((compared, asked(Operation::Receipt), asked(Operation::Order)), (5, 5, 5));
    assert_eq!(books.report(Scope::ROUTINE).await.receipts.compared, 0, "their turn comes later");
    books.minutes(10);
    assert_eq!(books.report(Scope::ROUTINE).await.receipts.compared, 5);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_provider_that_is_down_is_left_alone_and_said_to_be(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let schedule = books.published(9).await;
    for seat in ["1A", "1B", "1C", "1D", "1E"] {
        let buyer = books.buyer().await;
        books.sell(buyer, schedule, seat).await;
    }
    books.provider().set_outage(Outage::new(Trouble::Refuse));
    let report = books.report(THOROUGH).await;
    assert_eq!((report.findings.len(), report.receipts.unanswered, report.is_settled()), (0, 3, false));
    books.provider().set_outage(Outage::default());
    assert!(books.report(THOROUGH).await.is_settled());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_refund_the_provider_never_paid_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    books.cancel(&sold.booking).await;
    let wrong = "update refunds set state = 'SUCCEEDED', settled_at = now(6) where receipt_id = ?";
    books.meddle(wrong, &sold.receipt).await;
    books.names("refund-unseen").await;
    assert!(books.provider().cancel_in_console(&sold.receipt, None));
    books.heals(&["refund-unseen"]).await;
    assert_eq!(books.payment(&sold.payment).await.0, "CANCELLED");
}
