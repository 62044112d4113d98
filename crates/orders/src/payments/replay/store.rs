//! The SQL of replays.

use common::money::Money;
use sqlx::MySqlConnection;
use uuid::Uuid;

use crate::charges::{Facts, Outcome};
use crate::payments::PaymentStatus;

/// What a kept message says.
pub(super) async fn kept(connection: &mut MySqlConnection, event_id: Uuid) -> sqlx::Result<Option<Facts>> {
    let row = sqlx::query!(
        r#"select order_id, receipt_id, amount, cancelled, outcome as "outcome: Outcome", raw_status
           from provider_events where event_id = ?"#,
        event_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Facts {
        receipt_id: row.receipt_id,
        order_id: row.order_id,
        amount: Money::won(row.amount.into()),
        cancelled: Money::won(row.cancelled.into()),
        outcome: row.outcome,
        raw_status: row.raw_status,
    }))
}

/// The payment of an order, and where it stands.
pub(super) async fn payment_of(
    connection: &mut MySqlConnection,
    order_id: &str,
) -> sqlx::Result<Option<(i64, PaymentStatus)>> {
    let row = sqlx::query!(
        r#"select payment_id, status as "status: PaymentStatus" from payments where order_id = ?"#,
        order_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.payment_id, row.status)))
}

pub(super) async fn mark_applied(connection: &mut MySqlConnection, event_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update provider_events set applied_at = coalesce(applied_at, now(6)) where event_id = ?", event_id)
        .execute(connection)
        .await
        .map(drop)
}
