//! What the service tells about itself: what it counts, facts once they are committed; and that its log names nobody.

use common::events::Cause;
use common::idempotency::Once;
use orders::Shelf;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::Log;
use testkit::desk::Desk;

use crate::support::{Shop, id, minutes, number, request};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn bookings_are_counted_by_what_became_of_them(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (kim, lee, schedule) = (shop.traveller().await, shop.traveller().await, shop.schedule(9).await);
    let counts = || {
        [
            "cloudjet_bookings_made_total{status=\"PENDING\"}",
            "cloudjet_bookings_made_total{status=\"CONFIRMED\"}",
            "cloudjet_bookings_confirmed_total",
            "cloudjet_bookings_refused_total{code=\"seat-taken\"}",
            "cloudjet_bookings_cancelled_total{reason=\"OWNER\"}",
            "cloudjet_bookings_cancelled_total{reason=\"EXPIRED\"}",
            "cloudjet_refunds_total{state=\"PENDING\"}",
            "cloudjet_refunds_total{state=\"SUCCEEDED\"}",
        ]
        .map(|series| format!("{}", shop.world.counted(series)))
        .join(" ")
    };
    assert_eq!(counts(), "0 0 0 0 0 0 0 0");

    let pending = kim.books(201, &request(schedule, 1, 320_000, &["1A"])).await;
    assert_eq!(counts(), "1 0 0 0 0 0 0 0");
    let _ = kim.books(200, &request(schedule, 1, 320_000, &["1A"])).await;
    let _ = lee.books(409, &request(schedule, 1, 320_000, &["1A"])).await;
    assert_eq!(counts(), "1 0 0 1 0 0 0 0");

    let payment = shop.begin_for(&kim, id(&pending), 320_000).await;
    let receipt = shop.pay(&payment, 320_000).await;
    shop.hear_of(&receipt).await;
    shop.hear_of(&receipt).await;
    assert_eq!(counts(), "1 0 1 1 0 0 0 0");

    assert_eq!(kim.cancel(number(&pending)).await, 200);
    assert_eq!(kim.cancel(number(&pending)).await, 404);
    assert_eq!(counts(), "1 0 1 1 1 0 1 0");
    shop.run_jobs().await;
    assert_eq!(counts(), "1 0 1 1 1 0 1 1");

    let paid = shop.begin(&lee, schedule, 320_000).await;
    shop.hear_paid(&paid, 320_000).await;
    let _ = lee.books(201, &request(schedule, 1, 320_000, &["2A"])).await;
    let _ = kim.books(201, &request(schedule, 1, 320_000, &["3A"])).await;
    shop.world.pass(minutes(16));
    shop.run_jobs().await;
    assert_eq!(counts(), "2 1 1 1 1 1 1 1");
    let payments = ["REQUESTED", "PAID", "CANCELLED"]
        .map(|s| shop.world.counted(&format!("cloudjet_payments_total{{status=\"{s}\"}}")).to_string());
    assert_eq!(json!(payments), json!(["2", "2", "1"]));
    assert_eq!(won(&shop), "640000 320000");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_will_be_counted_is_there_from_nought_so_that_the_first_is_seen(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let text = shop.world.metrics.text().unwrap();
    for series in [
        "cloudjet_bookings_made_total{status=\"CONFIRMED\"}",
        "cloudjet_bookings_cancelled_total{reason=\"REVERSED\"}",
        "cloudjet_payments_total{status=\"FAILED\"}",
        "cloudjet_refunds_total{state=\"NEEDS_OPERATOR\"}",
    ] {
        assert!(text.lines().any(|line| line == format!("{series} 0")), "{series} in {text}");
    }
}

/// What was charged and given back so far.
fn won(shop: &Desk) -> String {
    let series = ["cloudjet_won_charged_total", "cloudjet_won_refunded_total"];
    series.map(|series| shop.world.counted(series).to_string()).join(" ")
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn money_is_counted_when_it_has_moved_and_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (kim, schedule) = (shop.traveller().await, shop.schedule(9).await);
    let booking = kim.books(201, &request(schedule, 1, 320_000, &["1A"])).await;
    let payment = shop.begin_for(&kim, id(&booking), 320_000).await;
    assert_eq!(won(&shop), "0 0");

    let receipt = shop.pay(&payment, 320_000).await;
    shop.hear_of(&receipt).await;
    shop.hear_of(&receipt).await;
    assert_eq!(won(&shop), "320000 0");

    assert_eq!(kim.cancel(number(&booking)).await, 200);
    assert_eq!(won(&shop), "320000 0");
    shop.run_jobs().await;
    shop.run_jobs().await;
    assert_eq!(won(&shop), "320000 320000");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn money_that_comes_beside_a_payment_and_goes_back_is_counted_neither_way(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let (kim, schedule) = (shop.traveller().await, shop.schedule(9).await);
    let booking = kim.books(201, &request(schedule, 1, 320_000, &["1A"])).await;
    let payment = shop.begin_for(&kim, id(&booking), 320_000).await;
    // Another amount, then the payment's own receipt, then a second one.
    for amount in [300_000, 320_000, 320_000] {
        let receipt = shop.pay(&payment, amount).await;
        shop.hear_of(&receipt).await;
    }
    shop.run_jobs().await;
    let paid_back = shop.world.counted("cloudjet_refunds_total{state=\"SUCCEEDED\"}").to_string();
    assert_eq!((paid_back, won(&shop)), ("2".to_owned(), "320000 0".to_owned()));

    assert_eq!(kim.cancel(number(&booking)).await, 200);
    shop.run_jobs().await;
    assert_eq!(won(&shop), "320000 320000");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_operators_give_back_is_counted_where_its_coming_was(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (kim, schedule) = (shop.traveller().await, shop.schedule(9).await);
    let booking = kim.books(201, &request(schedule, 1, 320_000, &["1A"])).await;
    let payment = shop.begin_for(&kim, id(&booking), 320_000).await;
    let receipt = shop.pay(&payment, 320_000).await;
    shop.hear_of(&receipt).await;
    // A second receipt, of which the provider knows nothing any more.
    shop.hear_paid(&payment, 320_000).await;
    settle_by_hand(&shop).await;
    assert_eq!(won(&shop), "320000 0");

    assert_eq!(kim.cancel(number(&booking)).await, 200);
    settle_by_hand(&shop).await;
    assert_eq!(won(&shop), "320000 320000");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_paid_before_us_and_goes_back_is_counted_neither_way(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let (kim, schedule) = (shop.traveller().await, shop.schedule(9).await);
    let sold = [shop.sell(kim.id, schedule, "1A").await, shop.sell(kim.id, schedule, "1B").await];
    // The system before this one kept no history.
    sqlx::query("delete from events").execute(&shop.world.db).await.unwrap();
    let adopted = shop.again_in(shop.world.clone());
    for (sold, is_settled_by_hand) in sold.iter().zip([true, false]) {
        let number = &sold.booking.booking_number;
        adopted.orders.cancel_any(&Cause::system(), number, &Once::unkeyed()).await.unwrap();
        if is_settled_by_hand {
            settle_by_hand(&adopted).await;
        }
        adopted.run_jobs().await;
    }
    let paid_back = adopted.world.counted("cloudjet_refunds_total{state=\"SUCCEEDED\"}").to_string();
    assert_eq!((paid_back, won(&adopted)), ("2".to_owned(), "0 0".to_owned()));
}

/// Has an operator end the one refund that waits.
async fn settle_by_hand(shop: &Desk) {
    let (given_up, waiting) = (
        "update refunds set state = 'NEEDS_OPERATOR' where state = 'PENDING'",
        "select refund_id from refunds where state = 'NEEDS_OPERATOR'",
    );
    sqlx::query(given_up).execute(&shop.world.db).await.unwrap();
    let refund_id = sqlx::query_scalar(waiting).fetch_one(&shop.world.db).await.unwrap();
    shop.orders.settle_by_hand(&Cause::system(), refund_id, "계좌 이체 완료").await.unwrap();
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_are_measured_as_they_are_held_and_sold(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (kim, schedule) = (shop.traveller().await, shop.schedule(9).await);
    let shelf = Shelf::new(&shop.world.metrics).unwrap();
    let seats = async || {
        shop.orders.look_at_shelf(&shelf).await.unwrap();
        ["free", "held"]
            .map(|state| shop.world.counted(&format!("cloudjet_seats{{state=\"{state}\"}}")).to_string())
            .join(" ")
    };
    assert_eq!(seats().await, "9 0");

    let booking = kim.books(201, &request(schedule, 2, 320_000, &["1A", "1B"])).await;
    assert_eq!(seats().await, "7 2");

    let payment = shop.begin_for(&kim, id(&booking), 640_000).await;
    let receipt = shop.pay(&payment, 640_000).await;
    shop.hear_of(&receipt).await;
    assert_eq!(seats().await, "7 0");

    let _ = kim.books(201, &request(schedule, 1, 320_000, &["2A"])).await;
    shop.world.pass(minutes(16));
    shop.run_jobs().await;
    assert_eq!(seats().await, "7 0");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_log_says_what_was_booked_and_not_for_whom(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (kim, lee, schedule) = (shop.traveller().await, shop.traveller().await, shop.schedule(9).await);
    let (wanted, token) = (request(schedule, 2, 320_000, &["1A"]), shop.world.token(kim.id));
    let mut odd = wanted.clone();
    odd["passengers"][0]["name"] = json!("<승객>");
    let log = Log::kept();

    let made = kim.books(201, &wanted).await;
    let _ = kim.books(200, &wanted).await;
    let _ = lee.books(409, &wanted).await;
    let _ = kim.books(400, &odd).await;
    let payment = shop.begin_for(&kim, id(&made), 640_000).await;
    let receipt = shop.pay(&payment, 640_000).await;
    shop.hear_of(&receipt).await;
    let _ = kim.newest().await;
    assert_eq!(kim.cancel(number(&made)).await, 200);
    shop.run_jobs().await;

    log.assert_tells_nothing_of(&["승객", "PASSENGER", "1990-02-03", "example.com", "010-1234", &token]);
    let booked = log.line("POST /api/bookings").unwrap();
    assert_eq!((&booked["user_id"], &booked["status"]), (&json!(kim.id), &json!(201)));
    assert!(log.text().contains("insert into passengers"), "the statements are looked through, too");
}
