//! The SQL of charges.

use common::money::Money;
use sqlx::MySqlConnection;

use super::{Charge, Facts, Outcome};

/// Notes what the provider said. What is on file only grows, so an old message takes nothing back; the amount is the
/// one first told with money, because a message about a decline need not tell it. A charge that was nobody's and has
/// been promised back stays nobody's, should its order appear after that. What was once called paid was charged, also where
/// the release that was told so didn't write that down.
pub(crate) async fn note(connection: &mut MySqlConnection, payment_id: Option<i64>, facts: &Facts) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into charges (receipt_id, payment_id, order_id, amount, was_paid, was_charged, failed, cancelled, raw_status,
                              cancelled_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, if(? > 0, now(6), null))
         on duplicate key update
             payment_id = coalesce(payment_id, if(refund_reserved > 0, null, values(payment_id))),
             amount     = if(was_paid, amount, values(amount)),
             was_paid   = was_paid or values(was_paid),
             was_charged = coalesce(was_charged or values(was_charged), was_charged,
                                    if(raw_status = ?, true, values(was_charged))),
             failed     = failed or values(failed),
             cancelled_at = if(values(cancelled) > cancelled, now(6), cancelled_at),
             cancelled  = greatest(cancelled, values(cancelled)),
             raw_status = values(raw_status),
             updated_at = now(6)",
        facts.receipt_id,
        payment_id,
        facts.order_id,
        facts.amount.as_won(),
        facts.outcome == Outcome::Paid,
        facts.was_charged,
        facts.outcome == Outcome::Failed,
        facts.cancelled.as_won(),
        facts.raw_status,
        facts.cancelled.as_won(),
        bootpay::Status::Paid.code(),
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Notes how much the provider gave back of a charge that is on file and is no payment's.
pub(crate) async fn note_return(connection: &mut MySqlConnection, facts: &Facts) -> sqlx::Result<()> {
    sqlx::query!(
        "update charges set cancelled = ?, cancelled_at = now(6), raw_status = ?, updated_at = now(6)
         where receipt_id = ? and payment_id is null and cancelled < ?",
        facts.cancelled.as_won(),
        facts.raw_status,
        facts.receipt_id,
        facts.cancelled.as_won(),
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The charges of a payment. What an operator paid back by other means is as gone as what the provider cancelled.
pub(crate) async fn of_payment(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<Vec<Charge>> {
    let rows = sqlx::query!(
        r#"select c.receipt_id, c.amount, c.was_paid as "was_paid: bool", c.failed as "failed: bool",
                  cast(least(c.amount, c.cancelled + coalesce(
                      (select sum(r.paid_outside) from refunds r where r.receipt_id = c.receipt_id), 0)) as signed)
                      as "cancelled!: i64"
           from charges c where c.payment_id = ? order by c.receipt_id"#,
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
            cancelled: Money::won(row.cancelled),
        })
        .collect())
}

/// How much of a charge there is, and how much of it is gone or promised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    amount: i64,
    reserved: i64,
    in_console: i64,
    /// What of that isn't written down yet.
    unnoticed: i64,
    outside: i64,
}

impl Standing {
    /// What came.
    pub(crate) fn paid(&self) -> Money {
        Money::won(self.amount)
    }

    /// What of it our refunds have promised, or was cancelled in the provider's console.
    pub(crate) fn back(&self) -> Money {
        Money::won(self.reserved + self.in_console)
    }

    /// What of that the provider has given back, or is asked to: all but what operators paid by other means.
    pub(crate) fn back_from_provider(&self) -> Money {
        self.back().less(Money::won(self.outside))
    }

    /// What can still be refunded.
    pub(crate) fn rest(&self) -> Money {
        self.paid().less(self.back())
    }
}

/// How a charge stands. What of its cancelled money no refund of ours accounts for, somebody cancelled in the console;
/// while a refund is open that can't be told, because it may be this refund's doing, or on its behalf.
pub(crate) async fn standing(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Option<Standing>> {
    let row = sqlx::query!(
        r#"select c.amount, c.refund_reserved, c.in_console, c.cancelled, count(r.refund_id) as refunds,
                  cast(coalesce(sum(r.state = 'SUCCEEDED'), 0) as signed) as "closed!: i64",
                  cast(coalesce(sum(if(r.state = 'SUCCEEDED', r.amount - r.paid_outside, 0)), 0) as signed) as "refunded!: i64",
                  cast(coalesce(sum(r.paid_outside), 0) as signed) as "outside!: i64"
           from charges c left join refunds r on r.receipt_id = c.receipt_id
           where c.receipt_id = ? group by c.receipt_id"#,
        receipt_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| {
        let in_console = i64::from(row.in_console);
        let unaccounted = i64::from(row.cancelled) - row.refunded;
        let unnoticed = if row.closed == row.refunds { (unaccounted - in_console).max(0) } else { 0 };
        Standing {
            amount: row.amount.into(),
            reserved: row.refund_reserved.into(),
            in_console: in_console + unnoticed,
            unnoticed,
            outside: row.outside,
        }
    }))
}

/// Locks a charge until the transaction ends, and says how it stands.
pub(crate) async fn lock(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Option<Standing>> {
    sqlx::query!("select receipt_id from charges where receipt_id = ? for update", receipt_id)
        .fetch_optional(&mut *connection)
        .await?;
    standing(connection, receipt_id).await
}

/// Reserves a part of a locked charge for a refund. Answers whether so much of it is left.
pub(crate) async fn reserve(
    connection: &mut MySqlConnection,
    receipt_id: &str,
    standing: &Standing,
    part: Money,
) -> sqlx::Result<bool> {
    let reserved = sqlx::query!(
        "update charges set refund_reserved = refund_reserved + ?, in_console = ?
         where receipt_id = ? and refund_reserved + ? + ? <= amount",
        part.as_won(),
        standing.in_console,
        receipt_id,
        part.as_won(),
        standing.in_console,
    )
    .execute(connection)
    .await?;
    Ok(reserved.rows_affected() == 1)
}

/// Notes that somebody cancelled in the console what of a charge's cancelled money no refund accounts for. Answers how
/// much of that is new.
pub(crate) async fn account_to_console(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Money> {
    let unnoticed = lock(connection, receipt_id).await?.map_or(0, |standing| standing.unnoticed);
    if unnoticed > 0 {
        sqlx::query!("update charges set in_console = in_console + ? where receipt_id = ?", unnoticed, receipt_id)
            .execute(connection)
            .await?;
    }
    Ok(Money::won(unnoticed))
}

/// Notes that a refund is paid, after which `cancelled` of the charge is gone: also where no payment learns of it, because
/// nobody made the order. What of the refund was cancelled `in_console` meanwhile is not reserved for it any more.
pub(crate) async fn gave_back(
    connection: &mut MySqlConnection,
    receipt_id: &str,
    cancelled: Money,
    in_console: Money,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update charges
         set cancelled = greatest(cancelled, ?), refund_reserved = refund_reserved - ?, in_console = in_console + ?,
             updated_at = now(6)
         where receipt_id = ?",
        cancelled.as_won(),
        in_console.as_won(),
        in_console.as_won(),
        receipt_id,
    )
    .execute(connection)
    .await
    .map(drop)
}
