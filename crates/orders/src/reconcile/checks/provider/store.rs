//! The SQL of what is compared with the provider: whose turn it is, and taking it, so that no two replicas ask the same.

use chrono::{DateTime, TimeDelta, Utc};
use common::money::Money;
use sqlx::MySqlConnection;

use crate::charges::{self, Facts, Outcome};
use crate::reconcile::Scope;
use crate::reconcile::check::PAGE;

/// A charge with money on it, to be compared with its receipt.
#[derive(Clone, Debug)]
pub(super) struct ChargeOnFile {
    pub(super) receipt_id: String,
    pub(super) order_id: String,
    pub(super) amount: Money,
    pub(super) cancelled: Money,
    checked_at: Option<DateTime<Utc>>,
}

/// Selects charges with money on them, by their payments `p` and bookings `b`.
macro_rules! select_with_money {
    ($connection:expr, $rest:literal, $($argument:expr),*) => {
        sqlx::query!(
            r#"select c.receipt_id, c.order_id, c.amount, c.cancelled, c.checked_at as "checked_at: DateTime<Utc>"
               from charges c
               left join payments p on p.payment_id = c.payment_id
               left join bookings b on b.booking_id = p.booking_id
               where c.was_paid and c.cancelled < c.amount "# + $rest,
            $($argument),*
        )
        .fetch_all($connection)
        .await
        .map(|rows| {
            rows.into_iter()
                .map(|row| ChargeOnFile {
                    receipt_id: row.receipt_id,
                    order_id: row.order_id,
                    amount: Money::won(row.amount.into()),
                    cancelled: Money::won(row.cancelled.into()),
                    checked_at: row.checked_at,
                })
                .collect()
        })
    };
}

pub(super) async fn charges_with_money(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: &str,
) -> sqlx::Result<Vec<ChargeOnFile>> {
    select_with_money!(
        connection,
        "and c.receipt_id > ? and (? is null or coalesce(b.schedule_id, p.schedule_id) = ?)
         order by c.receipt_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE
    )
}

/// Charges whose turn it is: of flights to come, or that changed within 90 days; each time after twice as long, but at
/// least four times a day.
pub(super) async fn charges_to_compare(
    connection: &mut MySqlConnection,
    interval: TimeDelta,
) -> sqlx::Result<Vec<ChargeOnFile>> {
    select_with_money!(
        connection,
        "and (c.updated_at >= now(6) - interval 90 day
              or exists (select 1 from flight_schedules s
                         where s.schedule_id = b.schedule_id and s.flight_date >= current_date - interval 2 day))
         and coalesce(c.checked_at, c.updated_at) <= now(6) - interval
             least(21600, greatest(?, timestampdiff(second, c.updated_at, coalesce(c.checked_at, c.updated_at)))) second
         order by c.checked_at, c.receipt_id limit ?",
        interval.num_seconds(),
        PAGE / 2
    )
}

/// Takes a charge to look its receipt up; false if somebody else did.
pub(super) async fn take_charge(connection: &mut MySqlConnection, charge: &ChargeOnFile) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "update charges set checked_at = now(6) where receipt_id = ? and checked_at <=> ?",
        charge.receipt_id,
        charge.checked_at,
    );
    Ok(taken.execute(connection).await?.rows_affected() == 1)
}

/// How much of a charge the provider has given back as far as we know, or is asked to.
pub(super) async fn promised_of(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Money> {
    let standing = charges::store::standing(connection, receipt_id).await?;
    Ok(standing.map_or(Money::ZERO, |standing| standing.back_from_provider()))
}

/// How much of a charge the provider has given back by our refunds, and how much by what it says.
pub(super) async fn returned_of(
    connection: &mut MySqlConnection,
    receipt_id: &str,
) -> sqlx::Result<Option<(Money, Money)>> {
    let row = sqlx::query!(
        r#"select c.cancelled,
                  cast((select coalesce(sum(r.amount - r.paid_outside), 0) from refunds r
                        where r.receipt_id = c.receipt_id and r.state = 'SUCCEEDED') as signed) as "succeeded!: i64"
           from charges c where c.receipt_id = ?"#,
        receipt_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (Money::won(row.succeeded), Money::won(row.cancelled.into()))))
}

/// A payment whose order the provider is to be asked about.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) payment_id: i64,
    pub(super) order_id: String,
    checked_at: Option<DateTime<Utc>>,
}

/// Payments of the last week, but for those of the last minute, whose buyer may still be at the window.
pub(super) async fn young_payments(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<Question>> {
    sqlx::query_as!(
        Question,
        r#"select p.payment_id, p.order_id as "order_id!", p.checked_at as "checked_at: DateTime<Utc>"
           from payments p left join bookings b on b.booking_id = p.booking_id
           where p.payment_id > ? and (? is null or coalesce(b.schedule_id, p.schedule_id) = ?)
             and p.order_id is not null and p.created_at between now(6) - interval 7 day and now(6) - interval 1 minute
           order by p.payment_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// Payments of the last week whose turn it is, but for those that are asked about anyway: each time after twice as long.
pub(super) async fn payments_to_compare(
    connection: &mut MySqlConnection,
    interval: TimeDelta,
) -> sqlx::Result<Vec<Question>> {
    sqlx::query_as!(
        Question,
        r#"select p.payment_id, p.order_id as "order_id!", p.checked_at as "checked_at: DateTime<Utc>"
           from payments p
           where p.order_id is not null and p.status <> 'REQUESTED'
             and not (p.status = 'EXPIRED' and p.created_at > now(6) - interval 1 day)
             and p.created_at between now(6) - interval 7 day and now(6) - interval 1 minute
             and coalesce(p.checked_at, p.created_at) <= now(6) - interval
                 greatest(?, timestampdiff(second, p.created_at, coalesce(p.checked_at, p.created_at))) second
           order by p.checked_at, p.payment_id limit ?"#,
        interval.num_seconds(),
        PAGE / 2,
    )
    .fetch_all(connection)
    .await
}

/// Takes a payment to ask about its order; false if somebody else did.
pub(super) async fn take_question(connection: &mut MySqlConnection, question: &Question) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "update payments set checked_at = now(6) where payment_id = ? and checked_at <=> ?",
        question.payment_id,
        question.checked_at,
    );
    Ok(taken.execute(connection).await?.rows_affected() == 1)
}

/// Whether it is on file that a receipt was paid, or failed, as these facts say.
pub(super) async fn is_noted(connection: &mut MySqlConnection, facts: &Facts) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select 1 from charges where receipt_id = ? and (was_paid or not ?) and (was_paid or failed))
               as "is: bool""#,
        facts.receipt_id,
        facts.outcome == Outcome::Paid,
    )
    .fetch_one(connection)
    .await
}
