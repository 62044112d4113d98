//! The SQL of the charges' checks: questions that should find nothing, and the same of one charge under its lock.
//!
//! A routine round looks at charges that were touched within a week; a thorough one at all of them.

use common::money::Money;
use sqlx::MySqlConnection;

use crate::charges::{Charge, Facts, Outcome};
use crate::reconcile::Scope;
use crate::reconcile::check::PAGE;

/// Payments that don't stand where their own charge says, or whose failure nobody noticed. What an operator paid back by
/// other means is as gone as what the provider cancelled.
pub(super) async fn payments_with_wrong_status(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select p.payment_id
         from (select c.*, c.cancelled + (select coalesce(sum(r.paid_outside), 0) from refunds r
                                          where r.receipt_id = c.receipt_id) as gone from charges c) c
         join payments p on p.payment_id = c.payment_id
         left join bookings b on b.booking_id = p.booking_id
         where p.payment_id > ? and (? is null or coalesce(b.schedule_id, p.schedule_id) = ?)
           and (? or c.updated_at >= now(6) - interval 7 day)
           and case when c.was_paid and c.amount = p.amount
                    then if(c.receipt_id = p.bootpay_receipt_id,
                            p.status <> case when c.gone = 0 then 'PAID' when c.gone < c.amount then 'PARTIALLY_REFUNDED'
                                             else 'CANCELLED' end,
                            p.status not in ('PAID', 'PARTIALLY_REFUNDED', 'CANCELLED'))
                    when c.failed then p.status in ('REQUESTED', 'EXPIRED')
                    else false end
         group by p.payment_id order by p.payment_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        scope.is_thorough || scope.schedule_id.is_some(),
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// What is on file of a receipt, as if the provider told it again.
pub(super) async fn facts_on_file(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Option<Facts>> {
    let row = sqlx::query!(
        r#"select c.receipt_id, coalesce(p.order_id, c.order_id) as "order_id!", c.amount, c.cancelled,
                  c.was_paid as "was_paid: bool", c.was_charged as "was_charged: bool", c.raw_status
           from charges c left join payments p on p.payment_id = c.payment_id where c.receipt_id = ?"#,
        receipt_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Facts {
        receipt_id: row.receipt_id,
        order_id: row.order_id,
        amount: Money::won(row.amount.into()),
        cancelled: Money::won(row.cancelled.into()),
        outcome: if row.was_paid { Outcome::Paid } else { Outcome::Failed },
        was_charged: row.was_charged,
        raw_status: row.raw_status,
    }))
}

/// Selects charges in question with a plain read, by their payments `p` and bookings `b`.
macro_rules! select_charges {
    ($connection:expr, $scope:expr, $after:expr, $rest:literal) => {
        sqlx::query_scalar!(
            "select c.receipt_id
             from charges c
             left join payments p on p.payment_id = c.payment_id
             left join bookings b on b.booking_id = p.booking_id
             where c.receipt_id > ? and (? is null or coalesce(b.schedule_id, p.schedule_id) = ?)
               and (? or c.updated_at >= now(6) - interval 7 day) "
                + $rest
                + " order by c.receipt_id limit ?",
            $after,
            $scope.schedule_id,
            $scope.schedule_id,
            $scope.is_thorough || $scope.schedule_id.is_some(),
            PAGE,
        )
        .fetch_all($connection)
        .await
    };
}

/// Charges with money that are not their payment's own, and that no refund is queued of.
pub(super) async fn charges_of_nobody(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: &str,
) -> sqlx::Result<Vec<String>> {
    select_charges!(
        connection,
        scope,
        after,
        "and c.was_paid and c.cancelled < c.amount
         and (p.payment_id is null or p.bootpay_receipt_id is null or p.bootpay_receipt_id <> c.receipt_id
              or p.amount <> c.amount)
         and not exists (select 1 from refunds r where r.receipt_id = c.receipt_id)"
    )
}

/// Charges of which more, or less, is reserved than their refunds are over.
pub(super) async fn charges_with_wrong_reserve(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: &str,
) -> sqlx::Result<Vec<String>> {
    select_charges!(
        connection,
        scope,
        after,
        "and c.refund_reserved <> (select coalesce(sum(r.amount), 0) from refunds r where r.receipt_id = c.receipt_id)"
    )
}

/// Charges of which more was refunded by the provider, as our refunds have it, than it has told.
pub(in crate::reconcile) async fn charges_given_back_less(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: &str,
) -> sqlx::Result<Vec<String>> {
    select_charges!(
        connection,
        scope,
        after,
        "and c.cancelled < (select coalesce(sum(r.amount - r.paid_outside), 0) from refunds r
                            where r.receipt_id = c.receipt_id and r.state = 'SUCCEEDED')"
    )
}

/// The payment of a charge, where it has one; `None`: there is no such charge.
pub(super) async fn payment_of_charge(
    connection: &mut MySqlConnection,
    receipt_id: &str,
) -> sqlx::Result<Option<Option<i64>>> {
    sqlx::query_scalar!("select payment_id from charges where receipt_id = ?", receipt_id)
        .fetch_optional(connection)
        .await
}

/// Locks a charge.
pub(super) async fn charge(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Option<Charge>> {
    let row = sqlx::query!(
        r#"select receipt_id, amount, was_paid as "was_paid: bool", failed as "failed: bool", cancelled
           from charges where receipt_id = ? for update"#,
        receipt_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Charge {
        receipt_id: row.receipt_id,
        amount: Money::won(row.amount.into()),
        was_paid: row.was_paid,
        failed: row.failed,
        cancelled: Money::won(row.cancelled.into()),
    }))
}

pub(super) async fn has_refunds(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select 1 from refunds where receipt_id = ?) as "has: bool""#, receipt_id)
        .fetch_one(connection)
        .await
}

/// What of a charge is reserved for refunds, and what they are over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserve {
    pub(super) amount: Money,
    pub(super) reserved: Money,
    pub(super) refunds: Money,
}

/// Locks a charge, and tells of its refunds.
pub(super) async fn lock_reserve(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Option<Reserve>> {
    let row = sqlx::query!(
        r#"select amount, refund_reserved,
                  cast((select coalesce(sum(r.amount), 0) from refunds r where r.receipt_id = c.receipt_id) as signed)
                      as "refunds!: i64"
           from charges c where receipt_id = ? for update"#,
        receipt_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Reserve {
        amount: Money::won(row.amount.into()),
        reserved: Money::won(row.refund_reserved.into()),
        refunds: Money::won(row.refunds),
    }))
}

/// Reserves so much of a locked charge for its refunds.
pub(super) async fn reserve(connection: &mut MySqlConnection, receipt_id: &str, refunds: Money) -> sqlx::Result<()> {
    sqlx::query!("update charges set refund_reserved = ? where receipt_id = ?", refunds.as_won(), receipt_id)
        .execute(connection)
        .await
        .map(drop)
}
