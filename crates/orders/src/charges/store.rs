//! The SQL of charges.

use common::money::Money;
use sqlx::MySqlConnection;

use super::{Charge, Facts, Outcome};

/// Notes what the provider said. What is on file only grows, so an old message takes nothing back; the amount is the
/// one first told with money, because a message about a decline need not tell it.
pub(crate) async fn note(connection: &mut MySqlConnection, payment_id: Option<i64>, facts: &Facts) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into charges (receipt_id, payment_id, order_id, amount, was_paid, failed, cancelled, raw_status)
         values (?, ?, ?, ?, ?, ?, ?, ?)
         on duplicate key update
             payment_id = coalesce(payment_id, values(payment_id)),
             amount     = if(was_paid, amount, values(amount)),
             was_paid   = was_paid or values(was_paid),
             failed     = failed or values(failed),
             cancelled  = greatest(cancelled, values(cancelled)),
             raw_status = values(raw_status),
             updated_at = now(6)",
        facts.receipt_id,
        payment_id,
        facts.order_id,
        facts.amount.as_won(),
        facts.outcome == Outcome::Paid,
        facts.outcome == Outcome::Failed,
        facts.cancelled.as_won(),
        facts.raw_status,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The charges of a payment.
pub(crate) async fn of_payment(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<Vec<Charge>> {
    let rows = sqlx::query!(
        r#"select receipt_id, amount, was_paid as "was_paid: bool", failed as "failed: bool", cancelled
           from charges where payment_id = ? order by receipt_id"#,
        payment_id,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Charge {
            receipt_id: row.receipt_id,
            amount: Money::won(row.amount.into()),
            was_paid: row.was_paid,
            failed: row.failed,
            cancelled: Money::won(row.cancelled.into()),
        })
        .collect())
}

/// Reserves all that can still be refunded of a charge, or `None` if nothing can. What an operator cancelled in the
/// provider's console is gone; what our refunds have promised is spoken for.
pub(crate) async fn reserve_rest(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Option<Money>> {
    let row = sqlx::query!(
        r#"select amount, refund_reserved, cancelled,
                  cast((select coalesce(sum(r.amount), 0) from refunds r
                        where r.receipt_id = c.receipt_id and r.state = 'SUCCEEDED') as signed) as "refunded!: i64"
           from charges c where receipt_id = ? for update"#,
        receipt_id,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let in_console = (i64::from(row.cancelled) - row.refunded).max(0);
    let rest = i64::from(row.amount) - i64::from(row.refund_reserved) - in_console;
    if rest <= 0 {
        return Ok(None);
    }
    let reserved = sqlx::query!(
        "update charges set refund_reserved = refund_reserved + ? where receipt_id = ? and refund_reserved + ? <= amount",
        rest,
        receipt_id,
        rest,
    )
    .execute(connection)
    .await?;
    Ok((reserved.rows_affected() == 1).then_some(Money::won(rest)))
}
