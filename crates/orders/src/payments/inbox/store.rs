//! The SQL of the inbox: the provider's messages, and which of them are still to be applied.

use common::money::Money;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::Delivery;
use crate::Backlog;
use crate::charges::{Facts, Outcome};
use crate::forgetting::KEPT_MONTHS;

/// A message that is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) event_id: Uuid,
    pub(super) facts: Facts,
}

/// Keeps a message, under `event_id` unless an equal one was kept before, and answers its id; `None` if that one was
/// applied.
pub(super) async fn keep(
    connection: &mut MySqlConnection,
    event_id: Uuid,
    delivery: &Delivery,
) -> sqlx::Result<Option<Uuid>> {
    let Delivery { key, facts, payload } = delivery;
    sqlx::query!(
        "insert into provider_events (event_id, event_key, order_id, receipt_id, amount, cancelled, outcome, raw_status, payload)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)
         on duplicate key update received_at = received_at",
        event_id,
        key,
        facts.order_id,
        facts.receipt_id,
        facts.amount.as_won(),
        facts.cancelled.as_won(),
        facts.outcome,
        facts.raw_status,
        payload.to_string(),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar!(
        r#"select event_id as "event_id: Uuid" from provider_events where event_key = ? and applied_at is null"#,
        key,
    )
    .fetch_optional(connection)
    .await
}

/// Writes down that a message is applied.
pub(super) async fn mark_applied(connection: &mut MySqlConnection, event_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update provider_events set applied_at = coalesce(applied_at, now(6)) where event_id = ?", event_id)
        .execute(connection)
        .await
        .map(drop)
}

/// Selects kept messages.
macro_rules! select_kept {
    ($connection:expr, $rest:literal, $($argument:expr),*) => {
        sqlx::query!(
            r#"select e.event_id as "event_id: Uuid", e.order_id, e.receipt_id, e.amount, e.cancelled,
                      e.outcome as "outcome: Outcome", e.raw_status
               from provider_events e where "# + $rest,
            $($argument),*
        )
        .fetch_all($connection)
        .await
        .map(|rows| {
            rows.into_iter()
                .map(|row| Kept {
                    event_id: row.event_id,
                    facts: Facts {
                        receipt_id: row.receipt_id,
                        order_id: row.order_id,
                        amount: Money::won(row.amount.into()),
                        cancelled: Money::won(row.cancelled.into()),
                        outcome: row.outcome,
                        was_charged: None,
                        raw_status: row.raw_status,
                    },
                })
                .collect::<Vec<_>>()
        })
    };
}

/// A message, whether or not it is applied.
pub(super) async fn find(connection: &mut MySqlConnection, event_id: Uuid) -> sqlx::Result<Option<Kept>> {
    Ok(select_kept!(connection, "e.event_id = ?", event_id)?.pop())
}

/// The messages for an order that are still to be applied.
pub(super) async fn waiting_for(connection: &mut MySqlConnection, order_id: &str) -> sqlx::Result<Vec<Kept>> {
    select_kept!(connection, "e.applied_at is null and e.order_id = ? order by e.received_at, e.event_id", order_id)
}

/// Messages that can be applied by now, because their order has appeared.
pub(super) async fn applicable(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<Kept>> {
    select_kept!(
        connection,
        "e.applied_at is null and exists (select 1 from payments p where p.order_id = e.order_id)
         order by e.received_at, e.event_id limit ?",
        limit
    )
}

/// Messages whose order hasn't appeared for an hour.
pub(super) async fn orphaned(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<Kept>> {
    select_kept!(
        connection,
        "e.applied_at is null and e.received_at <= now(6) - interval 1 hour
         and not exists (select 1 from payments p where p.order_id = e.order_id)
         order by e.received_at, e.event_id limit ?",
        limit
    )
}

/// Forgets messages that were applied long ago. Answers whether there may be more.
pub(crate) async fn forget_applied(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<bool> {
    let forgotten = sqlx::query!(
        "delete from provider_events where applied_at <= now(6) - interval ? month limit ?",
        KEPT_MONTHS,
        limit,
    );
    Ok(forgotten.execute(connection).await?.rows_affected() == u64::from(limit))
}

/// Measures since when the oldest message waits that is still to be applied.
pub(crate) async fn measure_unapplied(connection: &mut MySqlConnection, backlog: &Backlog) -> sqlx::Result<()> {
    let age = sqlx::query_scalar!(
        r#"select timestampdiff(second, min(received_at), now(6)) as "age: i64" from provider_events
           where applied_at is null"#,
    );
    backlog.oldest_event.set(age.fetch_one(connection).await?.unwrap_or_default());
    Ok(())
}
