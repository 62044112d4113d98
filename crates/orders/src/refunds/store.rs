//! The SQL of refunds.

use common::money::Money;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::{Due, Purpose};
use crate::Backlog;

pub(super) async fn insert(
    connection: &mut MySqlConnection,
    refund_id: Uuid,
    receipt_id: &str,
    amount: Money,
    purpose: Purpose<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into refunds (refund_id, receipt_id, payment_id, booking_id, amount, reason) values (?, ?, ?, ?, ?, ?)",
        refund_id,
        receipt_id,
        purpose.payment_id,
        purpose.booking_id,
        amount.as_won(),
        purpose.reason,
    )
    .execute(connection)
    .await
    .map(drop)
}

pub(super) async fn due(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select refund_id as "refund_id: Uuid" from refunds
           where state in ('PENDING', 'SENT') and next_attempt_at <= now(6)
           order by next_attempt_at limit ?"#,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Takes a refund for one attempt; `None` if somebody else did. A process that dies with it lets it be taken again
/// in a minute.
pub(super) async fn take(connection: &mut MySqlConnection, refund_id: Uuid) -> sqlx::Result<Option<Due>> {
    let taken = sqlx::query!(
        "update refunds
         set state = 'SENT', attempts = attempts + 1, next_attempt_at = now(6) + interval 60 second
         where refund_id = ? and state in ('PENDING', 'SENT') and next_attempt_at <= now(6)",
        refund_id,
    )
    .execute(&mut *connection)
    .await?;
    if taken.rows_affected() == 0 {
        return Ok(None);
    }
    let row = sqlx::query!("select receipt_id, amount, attempts from refunds where refund_id = ?", refund_id)
        .fetch_one(connection)
        .await?;
    Ok(Some(Due {
        refund_id,
        receipt_id: row.receipt_id,
        amount: Money::won(row.amount.into()),
        attempts: row.attempts,
    }))
}

/// Writes down that a refund is paid, and how much that was. Answers whether it hadn't succeeded before.
pub(super) async fn succeed(connection: &mut MySqlConnection, refund_id: Uuid, paid: Money) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update refunds set state = 'SUCCEEDED', amount = ?, settled_at = now(6), last_error = null
         where refund_id = ? and state <> 'SUCCEEDED'",
        paid.as_won(),
        refund_id,
    );
    Ok(done.execute(connection).await?.rows_affected() == 1)
}

/// Tries again after 5 seconds, then twice as long each time, up to a quarter of an hour; or leaves it to an operator.
pub(super) async fn postpone(
    connection: &mut MySqlConnection,
    refund_id: Uuid,
    error: &str,
    give_up: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update refunds
         set state = if(?, 'NEEDS_OPERATOR', state), last_error = ?,
             next_attempt_at = now(6) + interval least(900, 5 * pow(2, least(attempts, 10) - 1)) second
         where refund_id = ? and state = 'SENT'",
        give_up,
        error.chars().take(200).collect::<String>(),
        refund_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Measures how many refunds are open, by state, and since when the oldest of those waits that are still tried.
pub(crate) async fn measure_open(connection: &mut MySqlConnection, backlog: &Backlog) -> sqlx::Result<()> {
    for state in ["PENDING", "SENT", "NEEDS_OPERATOR"] {
        let open = sqlx::query_scalar!("select count(*) from refunds where state = ?", state);
        backlog.refunds.with_label_values(&[state]).set(open.fetch_one(&mut *connection).await?);
    }
    let age = sqlx::query_scalar!(
        r#"select timestampdiff(second, min(created_at), now(6)) as "age: i64" from refunds
           where state in ('PENDING', 'SENT')"#,
    );
    backlog.oldest_refund.set(age.fetch_one(connection).await?.unwrap_or_default());
    Ok(())
}
