//! What is counted of bookings: facts, once they are committed.

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

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
}
