//! What waits too long.

use bootpay::simulator::{Outage, Trouble};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Books, THOROUGH};

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
