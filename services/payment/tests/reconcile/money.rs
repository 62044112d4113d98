//! The money report.

use chrono::TimeDelta;
use orders::payments::Target;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Books, PRICE};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn agrees_with_the_providers_ledger_to_the_won(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
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
