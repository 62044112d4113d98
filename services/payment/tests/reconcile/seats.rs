//! Counters against claims, and claims against whom they are for.

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Books, PRICE};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_counter_of_a_published_day_is_computed_from_its_claims(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database).await;
    let (schedule, _) = books.sold().await;
    assert_eq!(books.reconcile().await, []);
    for wrong in [
        "update flight_schedules set available_seats = 9 where schedule_id = ?",
        "update flight_schedules set available_seats = 0 where schedule_id = ?",
        "update flight_schedules set oversold = 2 where schedule_id = ?",
    ] {
        books.meddle(wrong, schedule).await;
        books.heals(&["seat-count"]).await;
        assert_eq!(books.seats(schedule).await, (8, 1), "{wrong}");
    }
    assert!(books.history("SCHEDULE", schedule).await.contains(&"recounted".to_owned()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_day_published_anew_has_what_was_published_last(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, _) = books.sold().await;
    let buyer = books.buyer().await;
    books.begin(buyer, schedule, 2 * PRICE).await;
    assert_eq!(books.published(4).await, schedule);
    assert_eq!(books.seats(schedule).await, (4, 3));
    assert_eq!(books.reconcile().await, []);
    // Also once the reservation has lapsed, given back or not.
    books.minutes(20);
    assert_eq!(books.reconcile().await, []);
    books.run_jobs().await;
    assert_eq!((books.reconcile().await, books.seats(schedule).await), (vec![], (6, 1)));
    books.meddle("update flight_schedules set available_seats = 7 where schedule_id = ?", schedule).await;
    books.heals(&["seat-count"]).await;
    assert_eq!(books.seats(schedule).await, (6, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_day_nobody_published_is_counted_once_and_then_only_named(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database).await;
    let schedule = books.schedule(9).await;
    let buyer = books.buyer().await;
    books.sell(buyer, schedule, "1A").await;
    assert_eq!(books.reconcile().await, []);
    assert_eq!(books.history("SCHEDULE", schedule).await, ["counted"]);
    books.sell(buyer, schedule, "1B").await;
    assert_eq!(books.reconcile().await, []);
    books.meddle("update flight_schedules set available_seats = 5 where schedule_id = ?", schedule).await;
    books.names("seat-count").await;
    assert_eq!(books.seats(schedule).await, (5, 2));
    // Whoever publishes it says what it is to have.
    books.published(6).await;
    assert_eq!((books.reconcile().await, books.seats(schedule).await), (vec![], (6, 2)));

    let more = testkit::seed::schedule(books.world.day(4)).seats(181).insert(&books.world.db).await;
    books.names("seat-count").await;
    assert_eq!(books.history("SCHEDULE", more).await, Vec::<String>::new());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_of_nobody_are_released(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    // Whoever took them has vanished without a trace.
    books.meddle("update bookings set hold_id = null where booking_id = ?", sold.booking.booking_id).await;
    assert_eq!(books.reconcile().await, [("confirmed-without-seats", false)], "they were taken just now");
    books.minutes(2);
    // They come back, and so the booking can have them.
    books.heals(&["stray-seats", "confirmed-without-seats"]).await;
    assert_eq!(books.seats(schedule).await, (8, 1));
    assert!(books.history("SCHEDULE", schedule).await.contains(&"seats-released".to_owned()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_of_what_is_over_are_released(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let buyer = books.buyer().await;
    let payment = books.begin(buyer, schedule, PRICE).await;
    books.hear_paid(&payment, PRICE).await;
    assert_eq!(books.seats(schedule).await, (7, 2));
    // The money is on its way back, or was kept on purpose.
    books.meddle("update payments set closed_at = now(6) where payment_id = ?", payment.payment_id).await;
    books
        .meddle(
            "update bookings b join payments p on p.booking_id = b.booking_id
             set b.status = 'CANCELLED', b.cancel_reason = 'OWNER', p.closed_at = now(6) where b.booking_id = ?",
            sold.booking.booking_id,
        )
        .await;
    // Nobody else knows the receipt that we made up.
    sqlx::query("delete from charges where receipt_id like 'receipt-%'").execute(&books.world.db).await.unwrap();
    books.heals(&["cancelled-with-seats", "over-with-seats"]).await;
    assert_eq!(books.seats(schedule).await, (9, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whoever_has_paid_gets_their_seats_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let id = sold.booking.booking_id;
    let hold =
        "select count(*) from claims c join bookings b on b.hold_id = c.hold_id and c.unit = '1A' and c.state = 'SOLD'
                where b.booking_id = ?";
    for (wrong, found) in [
        (
            "delete c from claims c join bookings b on b.hold_id = c.hold_id where b.booking_id = ?",
            &["seat-count", "confirmed-without-seats"][..],
        ),
        (
            "update claims c join bookings b on b.hold_id = c.hold_id set c.state = 'HELD' where b.booking_id = ?",
            &["confirmed-without-seats"],
        ),
        (
            "update claims c join bookings b on b.hold_id = c.hold_id set c.unit = '25F' where b.booking_id = ?",
            &["confirmed-without-seats"],
        ),
    ] {
        books.meddle(wrong, id).await;
        books.heals(found).await;
        assert_eq!((books.seats(schedule).await, books.value::<i64>(hold, id).await), ((8, 1), 1), "{wrong}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whoever_else_has_the_seat_keeps_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let id = sold.booking.booking_id;
    books
        .meddle(
            "update claims c join bookings b on b.hold_id = c.hold_id set c.unit = '25F' where b.booking_id = ?",
            id,
        )
        .await;
    let another = books.buyer().await;
    books.sell(another, schedule, "1A").await;
    books.names("confirmed-without-seats").await;
    assert_eq!((books.seats(schedule).await, books.booking(id).await.0), ((7, 2), "CONFIRMED".to_owned()));
}
