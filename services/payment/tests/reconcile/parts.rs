//! Money that goes back in parts: by us, in the provider's console, and by other means.

use bootpay::simulator::{Operation, Outage, Trouble};
use common::language::Language;
use orders::payments::PaymentRef;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::desk::Sold;

use crate::support::{Books, PRICE};

/// What the owner is told: how much went back, and is on its way.
async fn told(books: &Books, sold: &Sold) -> (i64, i64) {
    let payment = PaymentRef::new(&sold.payment.order_id);
    let payment = books.orders.payment(&payment, Language::English).await.unwrap().unwrap().payment;
    (payment.refunded_amount.as_won(), payment.refund_pending_amount.as_won())
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn parts_that_we_give_back_are_no_finding(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    for won in [100_000, 50_000] {
        books.give_back(&sold, won).await;
        assert_eq!(books.reconcile().await, []);
    }
    books.all_is_well().await;
    books.assert_moved(PRICE, 150_000).await;
    books.cancel(&sold.booking).await;
    assert_eq!(books.reconcile().await, []);
    books.all_is_well().await;
    assert_eq!(
        books.going_back().await,
        ["100000 BY_HAND SUCCEEDED", "50000 BY_HAND SUCCEEDED", "170000 ADMIN SUCCEEDED"]
    );
    assert_eq!(
        (books.given_back(&sold.receipt).await, books.payment(&sold.payment).await.0),
        (PRICE, "CANCELLED".into())
    );
    books.assert_moved(PRICE, PRICE).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_console_before_and_after_our_part_is_told_from_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(20_000)));
    books.heals(&["receipt-differs"]).await;
    books.give_back(&sold, 100_000).await;
    // It took effect there, and its answer isn't here yet.
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(100_000)));
    assert_eq!(books.reconcile().await, []);
    books.all_is_well().await;
    books.assert_moved(PRICE, 120_000).await;
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(30_000)));
    books.heals(&["receipt-differs"]).await;
    books.assert_moved(PRICE, 150_000).await;

    books.cancel(&sold.booking).await;
    // Of what is on its way a part is cancelled by somebody else.
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(10_000)));
    assert_eq!(books.reconcile().await, []);
    books.all_is_well().await;
    assert_eq!(books.going_back().await, ["100000 BY_HAND SUCCEEDED", "160000 ADMIN SUCCEEDED"]);
    assert_eq!(told(&books, &sold).await, (PRICE, 0));
    books.assert_moved(PRICE, PRICE).await;

    // Nothing is left, and yet a reserve without a refund is one that somebody made.
    books.meddle("update charges set refund_reserved = refund_reserved + 1 where receipt_id = ?", &sold.receipt).await;
    books.names("refund-reserve").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_an_operator_paid_by_other_means_went_back_and_not_from_the_provider(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(20_000)));
    books.heals(&["receipt-differs"]).await;
    books.give_back(&sold, 100_000).await;
    books.give_up(&sold).await;
    books.settle_by_hand(&sold).await;
    assert_eq!(books.reconcile().await, []);
    assert_eq!(told(&books, &sold).await, (120_000, 0));
    books.assert_moved(PRICE, 120_000).await;

    // What is left is on its way: no more is.
    books.cancel(&sold.booking).await;
    assert_eq!(books.reconcile().await, []);
    assert_eq!(told(&books, &sold).await, (120_000, 200_000));
    // The operator gives half of it back in the console, and half by bank.
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(100_000)));
    books.give_up(&sold).await;
    books.settle_by_hand(&sold).await;
    assert_eq!(books.reconcile().await, []);
    assert_eq!(books.going_back().await, ["100000 BY_HAND SUCCEEDED", "200000 ADMIN SUCCEEDED"]);
    assert_eq!((told(&books, &sold).await, books.given_back(&sold.receipt).await), ((PRICE, 0), 120_000));
    books.assert_moved(PRICE, PRICE).await;

    assert_eq!(books.payment(&sold.payment).await.0, "CANCELLED");
    books
        .meddle("update payments set status = 'PARTIALLY_REFUNDED' where payment_id = ?", sold.payment.payment_id)
        .await;
    books.heals(&["payment-status"]).await;
    assert_eq!(books.payment(&sold.payment).await.0, "CANCELLED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_fee_that_its_rule_keeps_is_no_finding(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let schedule = books.published(9).await;
    for (version, percent, back) in [(2, 50, Some(PRICE / 2 - 1_000)), (3, 0, None)] {
        books.refund_rule(version, percent, 1_000).await;
        let buyer = books.buyer().await;
        let sold = books.sell(buyer, schedule, "1A").await;
        books.cancel_own(buyer, &sold.booking).await;
        assert_eq!(books.reconcile().await, [], "{percent} %");
        books.all_is_well().await;
        assert_eq!(books.given_back(&sold.receipt).await, back.unwrap_or(0));
        let closed = "select closed_at is not null from payments where payment_id = ?";
        assert!(books.value::<bool>(closed, sold.payment.payment_id).await, "{percent} %");
        let status = if back.is_some() { "PARTIALLY_REFUNDED" } else { "PAID" };
        assert_eq!(books.payment(&sold.payment).await.0, status);
        assert_eq!(books.booking(sold.booking.booking_id).await, ("CANCELLED".into(), Some("OWNER".into())));
    }
    assert_eq!(
        (books.going_back().await, books.seats(schedule).await),
        (vec!["159000 OWNER SUCCEEDED".into()], (9, 0))
    );
    books.assert_moved(2 * PRICE, PRICE / 2 - 1_000).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_another_refund_has_cancelled_is_not_the_operators(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    books.give_back(&sold, 100_000).await;
    books.give_up(&sold).await;
    books.give_back(&sold, 50_000).await;
    books.provider().set_outage(Outage { only: Some(vec![Operation::Cancel]), ..Outage::new(Trouble::Refuse) });
    books.run_jobs().await;
    books.provider().set_outage(Outage::default());
    // It took effect there, and its answer isn't here yet.
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(50_000)));
    books.settle_by_hand(&sold).await;
    books.minutes(1);
    books.all_is_well().await;
    assert_eq!(books.going_back().await, ["100000 BY_HAND SUCCEEDED", "50000 BY_HAND SUCCEEDED"]);
    assert_eq!((books.given_back(&sold.receipt).await, told(&books, &sold).await), (50_000, (150_000, 0)));
    books.assert_moved(PRICE, 150_000).await;
}
