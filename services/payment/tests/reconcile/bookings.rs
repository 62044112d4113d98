//! Bookings against their payments.

use chrono::TimeDelta;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Books, PRICE};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_whose_payment_is_paid_is_confirmed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let id = sold.booking.booking_id;
    for wrong in [
        "update bookings set status = 'PENDING', payment_due_at = now(6) + interval 10 minute where booking_id = ?",
        "update bookings b join claims c on c.hold_id = b.hold_id
         set b.status = 'PENDING', b.payment_due_at = now(6), c.state = 'HELD', c.held_until = now(6) + interval 1 hour
         where b.booking_id = ?",
    ] {
        books.meddle(wrong, id).await;
        books.heals(&["paid-unconfirmed"]).await;
        assert_eq!(books.booking(id).await, ("CONFIRMED".into(), None), "{wrong}");
    }
    assert_eq!((books.seats(schedule).await, books.going_back().await), ((8, 1), vec![]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_that_cannot_be_had_any_more_is_paid_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let id = sold.booking.booking_id;
    let wrong = "update bookings set status = 'CANCELLED', cancel_reason = 'EXPIRED' where booking_id = ?";
    books.meddle(wrong, id).await;
    books.meddle("delete c from claims c join bookings b on b.hold_id = c.hold_id where b.booking_id = ?", id).await;
    let another = books.buyer().await;
    books.sell(another, schedule, "1A").await;
    books.heals(&["seat-count", "paid-unconfirmed"]).await;
    assert_eq!(books.booking(id).await, ("CANCELLED".into(), Some("EXPIRED".into())));
    assert_eq!(books.going_back().await, ["320000 TOO_LATE PENDING"]);
    books.all_is_well().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_paid_twice_goes_back_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let buyer = books.buyer().await;
    let second = books.begin(buyer, schedule, PRICE).await;
    let receipt = books.pay(&second, PRICE).await;
    books.hear_of(&receipt).await;
    sqlx::query("update payments set booking_id = ?, hold_id = null where payment_id = ?")
        .bind(sold.booking.booking_id)
        .bind(second.payment_id)
        .execute(&books.world.db)
        .await
        .unwrap();
    books.minutes(2);
    books.heals(&["stray-seats", "paid-twice"]).await;
    assert_eq!(books.going_back().await, ["320000 SURPLUS PENDING"]);
    books.all_is_well().await;
    assert_eq!((books.given_back(&receipt).await, books.given_back(&sold.receipt).await), (PRICE, 0));
    assert_eq!(books.booking(sold.booking.booking_id).await.0, "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whoever_does_not_fly_has_their_money_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let id = sold.booking.booking_id;
    books.meddle("update bookings set status = 'CANCELLED', cancel_reason = 'ADMIN' where booking_id = ?", id).await;
    books.heals(&["cancelled-with-seats", "cancelled-and-paid"]).await;
    assert_eq!(books.going_back().await, ["320000 ADMIN PENDING"]);
    books.all_is_well().await;
    assert_eq!((books.given_back(&sold.receipt).await, books.seats(schedule).await), (PRICE, (9, 0)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_adopted_is_left_to_people(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let buyer = books.buyer().await;
    let unpaid = books.book(buyer, schedule, &["1B"]).await;
    books.meddle("update bookings set status = 'CONFIRMED' where booking_id = ?", unpaid.booking_id).await;
    assert_eq!(
        books.reconcile().await,
        [("confirmed-without-seats", true), ("confirmed-unpaid", false)],
        "nobody paid, and nobody is thrown out for that"
    );
    books.names("confirmed-unpaid").await;
    // The system before this one kept no history.
    sqlx::query("delete from events where action = 'booked'").execute(&books.world.db).await.unwrap();
    assert_eq!(books.reconcile().await, []);
    let id = sold.booking.booking_id;
    books.meddle("update bookings set status = 'CANCELLED', cancel_reason = null where booking_id = ?", id).await;
    assert_eq!(books.reconcile().await, [("cancelled-with-seats", true), ("cancelled-and-paid", false)]);
    books.names("cancelled-and-paid").await;
    assert_eq!(books.going_back().await, Vec::<String>::new());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn money_nobody_booked_for_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let schedule = books.published(9).await;
    let buyer = books.buyer().await;
    let (payment, undated) = (books.begin(buyer, schedule, PRICE).await, books.begin(buyer, schedule, PRICE).await);
    for payment in [&payment, &undated] {
        let receipt = books.pay(payment, PRICE).await;
        books.hear_of(&receipt).await;
    }
    books.meddle("update payments set paid_at = null where payment_id = ?", undated.payment_id).await;
    books.minutes(34);
    books.names("paid-unbooked").await;
    books.world.pass(TimeDelta::minutes(2));
    assert_eq!(books.reconcile().await, [("paid-unbooked", true), ("paid-unbooked", false)]);
    assert_eq!(
        (books.going_back().await, books.seats(schedule).await),
        (vec!["320000 UNBOOKED PENDING".into()], (8, 1))
    );
    books.run_jobs().await;
    books.names("paid-unbooked").await;
}
