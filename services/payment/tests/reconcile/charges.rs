//! Payments against their charges, and charges against their refunds.

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Books, PRICE};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_stands_where_its_charges_say(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    for wrong in [
        "update payments set status = 'REQUESTED' where payment_id = ?",
        "update payments set status = 'FAILED' where payment_id = ?",
        "update payments set status = 'PARTIALLY_REFUNDED' where payment_id = ?",
        "update payments set status = 'CANCELLED' where payment_id = ?",
    ] {
        books.meddle(wrong, sold.payment.payment_id).await;
        books.heals(&["payment-status"]).await;
        let stands = books.payment(&sold.payment).await;
        assert_eq!(stands, ("PAID".into(), Some(sold.booking.booking_id)), "{wrong}");
    }
    assert_eq!((books.going_back().await, books.seats(schedule).await), (vec![], (8, 1)));
    assert_eq!(books.booking(sold.booking.booking_id).await.0, "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_follows_from_its_charges_is_done(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    // Its cancellation is on file, and whoever wrote it down got no further.
    assert!(books.provider().cancel_in_console(&sold.receipt, None));
    books.meddle("update charges set cancelled = amount where receipt_id = ?", &sold.receipt).await;
    books.heals(&["payment-status"]).await;
    assert_eq!(books.payment(&sold.payment).await.0, "CANCELLED");
    assert_eq!(books.booking(sold.booking.booking_id).await, ("CANCELLED".into(), Some("REVERSED".into())));
    assert_eq!(books.seats(schedule).await, (9, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_charged_beside_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    let (second, wrong) = (books.pay(&sold.payment, PRICE).await, books.pay(&sold.payment, PRICE + 1).await);
    let nobodys = books.pay(&orders::payments::Requested { payment_id: 0, order_id: "nobodys".into() }, 500).await;
    for (receipt, order, amount, payment) in [
        (&second, sold.payment.order_id.as_str(), PRICE, Some(sold.payment.payment_id)),
        (&wrong, sold.payment.order_id.as_str(), PRICE + 1, Some(sold.payment.payment_id)),
        (&nobodys, "nobodys", 500, None),
    ] {
        sqlx::query("insert into charges (receipt_id, order_id, amount, payment_id, was_paid, raw_status) values (?, ?, ?, ?, true, 1)")
            .bind(receipt.as_str())
            .bind(order)
            .bind(amount)
            .bind(payment)
            .execute(&books.world.db)
            .await
            .unwrap();
    }
    books.heals(&["surplus-charge"; 3]).await;
    let mut going_back = books.going_back().await;
    going_back.sort_unstable();
    assert_eq!(going_back, ["320000 SURPLUS PENDING", "320001 WRONG_AMOUNT PENDING", "500 UNKNOWN_ORDER PENDING"]);
    books.all_is_well().await;
    assert_eq!(books.booking(sold.booking.booking_id).await.0, "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_refunds_promise_is_reserved(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    books.meddle("update charges set refund_reserved = 7 where receipt_id = ?", &sold.receipt).await;
    books.names("refund-reserve").await;
    books.meddle("update charges set refund_reserved = 0 where receipt_id = ?", &sold.receipt).await;
    books.cancel(&sold.booking).await;
    books.meddle("update charges set refund_reserved = 0 where receipt_id = ?", &sold.receipt).await;
    books.heals(&["refund-reserve"]).await;
    assert_eq!(books.going_back().await, ["320000 ADMIN PENDING"]);
    books.all_is_well().await;
}
