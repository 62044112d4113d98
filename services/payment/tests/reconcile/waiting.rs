//! What waits too long.

use std::time::Duration;

use bootpay::simulator::{Operation, Outage, Trouble};
use common::events::Cause;
use news::Outbox;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Books, PRICE, THOROUGH};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_refund_that_takes_an_hour_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    books.cancel(&sold.booking).await;
    books.provider().set_outage(Outage::new(Trouble::Refuse));
    books.run_jobs().await;
    books.provider().set_outage(Outage::default());
    books.minutes(59);
    assert_eq!(books.reconcile().await, []);
    books.minutes(2);
    books.names("refund-late").await;
    let report = books.report(THOROUGH).await.to_string();
    assert!(report.contains(&format!("320000 KRW of receipt {}, for 1 h", sold.receipt)), "{report}");
    books.meddle("update refunds set state = 'NEEDS_OPERATOR' where receipt_id = ?", &sold.receipt).await;
    books.names("refund-needs-operator").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_message_that_cannot_be_applied_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    sqlx::query(
        "insert into provider_events (event_id, event_key, order_id, receipt_id, amount, cancelled, outcome, raw_status, payload)
         values (unhex(repeat('ab', 16)), 'k', 'nobodys', 'r', 5, 0, 'PAID', 1, '{}')",
    )
    .execute(&books.world.db)
    .await
    .unwrap();
    books.minutes(119);
    assert_eq!(books.reconcile().await, []);
    books.minutes(2);
    books.names("message-unapplied").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_call_that_nobody_hears_an_answer_to_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let schedule = books.published(9).await;
    for (trouble, seat) in [(Trouble::Hang, "1A"), (Trouble::LoseAnswer, "1B")] {
        let buyer = books.buyer().await;
        let booking = books.book(buyer, schedule, &[seat]).await;
        let payment = books.begin_for(buyer, booking.booking_id, PRICE).await;
        let receipt = books.agree(&payment, PRICE).await;
        let before = books.provider().calls().count(Operation::Confirm);
        books.provider().set_outage(Outage { only: Some(vec![Operation::Confirm]), ..Outage::new(trouble) });
        let (orders, order) = (books.orders.clone(), payment.order_id.clone());
        let approving =
            tokio::spawn(async move { orders.approve(&Cause::user(buyer, None), buyer, &order, &receipt).await });
        while books.provider().calls().count(Operation::Confirm) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(books.reconcile().await, [], "it is asked for");
        approving.abort();
        assert!(approving.await.unwrap_err().is_cancelled());
        books.provider().set_outage(Outage::default());
        books.minutes(1);
        if trouble == Trouble::Hang {
            books.minutes(13);
            assert_eq!((books.reconcile().await, books.payment(&payment).await.0), (vec![], "REQUESTED".into()));
            books.minutes(2);
            books.names("call-open").await;
        }
        books.all_is_well().await;
        assert_eq!(books.booking(booking.booking_id).await.0, "CONFIRMED");
    }
    assert_eq!((books.seats(schedule).await, books.going_back().await), ((7, 2), vec![]));
    books.assert_moved(2 * PRICE, 0).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn news_that_was_given_up_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    let id = sold.booking.booking_id;
    let parked =
        "update outbox set state = 'PARKED', last_error = 'status 500' where subject = 'BOOKING' and subject_id = ?";
    books.meddle(parked, id).await;
    books.names("news-parked").await;
    let report = books.report(THOROUGH).await.to_string();
    assert!(report.contains(&format!("booking.confirmed of booking {id}, for 0 min: status 500")), "{report}");
    let news = books.value("select news_id from outbox where subject = 'BOOKING' and subject_id = ?", id).await;
    Outbox { db: books.world.db.clone() }.retry(news).await.unwrap();
    assert_eq!(books.reconcile().await, []);
}
