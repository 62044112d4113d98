//! The SQL of refunds. What changes the state of one names the primary key: left to itself the server may come by the
//! index of states, and meets whoever changes another's.

use chrono::{DateTime, Utc};
use common::db;
use common::money::Money;
use common::telemetry::trace::Origin;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::drive::Due;
use super::{Part, Purpose, Refund, RefundState};
use crate::Backlog;

pub(super) async fn insert(
    connection: &mut MySqlConnection,
    refund_id: Uuid,
    receipt_id: &str,
    purpose: Purpose<'_>,
    part: Part<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into refunds (refund_id, receipt_id, payment_id, booking_id, amount, reason, rule, note, traceparent)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        refund_id,
        receipt_id,
        purpose.payment_id,
        purpose.booking_id,
        part.amount.as_won(),
        purpose.reason,
        part.rule,
        part.note,
        Origin::current().map(|origin| origin.parent),
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Refunds whose turn it is: of one receipt the one that is being tried, or else the oldest.
pub(super) async fn due(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select r.refund_id as "refund_id: Uuid" from refunds r
           where r.state in ('PENDING', 'SENT') and r.next_attempt_at <= now(6)
             and (r.state = 'SENT' or not exists (
                  select 1 from refunds o where o.receipt_id = r.receipt_id
                  and (o.state = 'SENT' or o.state = 'PENDING' and o.refund_id < r.refund_id)))
           order by r.next_attempt_at, r.refund_id limit ?"#,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Takes a refund for one attempt; `None` if somebody else did, or has taken another of the same receipt. A process
/// that dies with it lets it be taken again in a minute.
pub(super) async fn take(connection: &mut MySqlConnection, refund_id: Uuid) -> sqlx::Result<Option<Due>> {
    let taken = sqlx::query!(
        "update refunds force index (primary)
         set state = 'SENT', attempts = attempts + 1, next_attempt_at = now(6) + interval 60 second
         where refund_id = ? and state in ('PENDING', 'SENT') and next_attempt_at <= now(6)",
        refund_id,
    )
    .execute(&mut *connection)
    .await;
    let taken = match taken {
        Err(error) if db::violated_constraint(&error) == Some("uq_refunds_in_flight") => return Ok(None),
        taken => taken?,
    };
    if taken.rows_affected() == 0 {
        return Ok(None);
    }
    let row = sqlx::query!(
        "select receipt_id, payment_id, booking_id, amount, attempts, refusals, traceparent from refunds where refund_id = ?",
        refund_id,
    )
    .fetch_one(connection)
    .await?;
    Ok(Some(Due {
        refund_id,
        receipt_id: row.receipt_id,
        payment_id: row.payment_id,
        booking_id: row.booking_id,
        amount: Money::won(row.amount.into()),
        attempts: row.attempts,
        refusals: row.refusals,
        origin: row.traceparent.map(Origin::of_parent),
    }))
}

/// The baseline of a refund. When it is first tried, `cancelled` of its receipt being gone, that is written down: what
/// is accounted to the console and to other refunds; those that wait for an operator may have been paid by one.
pub(super) async fn baseline(connection: &mut MySqlConnection, refund: &Due, cancelled: Money) -> sqlx::Result<Money> {
    let known = sqlx::query_scalar!("select baseline from refunds where refund_id = ?", refund.refund_id);
    if let Some(baseline) = known.fetch_one(&mut *connection).await? {
        return Ok(Money::won(baseline.into()));
    }
    let accounted = sqlx::query_scalar!(
        r#"select c.in_console + cast(coalesce((
               select sum(r.amount - r.paid_outside) from refunds r
               where r.receipt_id = c.receipt_id and r.refund_id <> ? and r.state in ('SUCCEEDED', 'NEEDS_OPERATOR')
           ), 0) as signed) as "accounted!: i64"
           from charges c where c.receipt_id = ?"#,
        refund.refund_id,
        refund.receipt_id,
    );
    let baseline = cancelled.min(Money::won(accounted.fetch_one(&mut *connection).await?));
    sqlx::query!(
        "update refunds set baseline = ? where refund_id = ? and baseline is null",
        baseline.as_won(),
        refund.refund_id
    )
    .execute(connection)
    .await?;
    Ok(baseline)
}

/// Writes down that a refund is paid, and how much that was. Answers whether it was being tried.
pub(super) async fn succeed(connection: &mut MySqlConnection, refund_id: Uuid, paid: Money) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update refunds force index (primary) set state = 'SUCCEEDED', amount = ?, settled_at = now(6), last_error = null
         where refund_id = ? and state = 'SENT'",
        paid.as_won(),
        refund_id,
    );
    Ok(done.execute(connection).await?.rows_affected() == 1)
}

/// Tries again after 5 seconds, then twice as long each time, up to a quarter of an hour; or leaves it to an operator.
/// Answers whether it was being tried.
pub(super) async fn postpone(
    connection: &mut MySqlConnection,
    refund_id: Uuid,
    error: &str,
    refused: bool,
    give_up: bool,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update refunds force index (primary)
         set state = if(?, 'NEEDS_OPERATOR', state), last_error = ?, refusals = refusals + ?,
             next_attempt_at = now(6) + interval least(900, 5 * pow(2, least(attempts, 10) - 1)) second
         where refund_id = ? and state = 'SENT'",
        give_up,
        error.chars().take(200).collect::<String>(),
        refused,
        refund_id,
    );
    Ok(done.execute(connection).await?.rows_affected() == 1)
}

/// What is to be tried anew: as if it never had been. Answers whether it waited for an operator.
pub(super) async fn retry(connection: &mut MySqlConnection, refund_id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update refunds force index (primary)
         set state = 'PENDING', attempts = 0, refusals = 0, baseline = null, next_attempt_at = now(6)
         where refund_id = ? and state = 'NEEDS_OPERATOR'",
        refund_id,
    );
    Ok(done.execute(connection).await?.rows_affected() == 1)
}

/// Writes down that an operator ended a refund: `outside` of it was paid by other means than the provider. Answers
/// whether it waited for one.
pub(super) async fn settle(
    connection: &mut MySqlConnection,
    refund_id: Uuid,
    outside: Money,
    by: Option<i64>,
    note: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update refunds force index (primary)
         set state = 'SUCCEEDED', settled_at = now(6), paid_outside = ?, settled_by = ?, settled_note = ?
         where refund_id = ? and state = 'NEEDS_OPERATOR'",
        outside.as_won(),
        by,
        note,
        refund_id,
    );
    Ok(done.execute(connection).await?.rows_affected() == 1)
}

/// How much of a receipt the provider has cancelled that neither the console nor another refund accounts for: one that is
/// paid, or one that is being tried and will find its share.
pub(super) async fn unaccounted(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Money> {
    let unaccounted = sqlx::query_scalar!(
        r#"select greatest(0, c.cancelled - c.in_console - cast(coalesce((
               select sum(case r.state when 'SUCCEEDED' then r.amount - r.paid_outside
                                       when 'SENT' then least(r.amount, greatest(0, c.cancelled - r.baseline)) end)
               from refunds r where r.receipt_id = c.receipt_id
           ), 0) as signed)) as "unaccounted!: i64"
           from charges c where c.receipt_id = ?"#,
        receipt_id,
    );
    unaccounted.fetch_one(connection).await.map(Money::won)
}

/// Where a refund's money came from: ids.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) receipt: String,
    /// The payment that the receipt is of, and the booking it is linked to now.
    pub(super) payment: Option<i64>,
    pub(super) booking: Option<i64>,
}

pub(super) async fn source(connection: &mut MySqlConnection, refund_id: Uuid) -> sqlx::Result<Option<Source>> {
    sqlx::query_as!(
        Source,
        "select c.receipt_id as receipt, c.payment_id as payment, p.booking_id as booking from refunds r
         join charges c on c.receipt_id = r.receipt_id
         left join payments p on p.payment_id = c.payment_id
         where r.refund_id = ?",
        refund_id,
    )
    .fetch_optional(connection)
    .await
}

/// A refund as it stands.
pub(super) async fn find(connection: &mut MySqlConnection, refund_id: Uuid) -> sqlx::Result<Option<Refund>> {
    let row = sqlx::query!(
        r#"select payment_id, booking_id, amount, state as "state: RefundState", reason, note, attempts, last_error,
                  created_at as "created_at: DateTime<Utc>", settled_at as "settled_at: DateTime<Utc>", settled_by,
                  settled_note, paid_outside
           from refunds where refund_id = ?"#,
        refund_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Refund {
        refund_id,
        payment_id: row.payment_id,
        booking_id: row.booking_id,
        amount: Money::won(row.amount.into()),
        state: row.state,
        reason: row.reason,
        note: row.note,
        attempts: row.attempts,
        last_error: row.last_error,
        created_at: row.created_at,
        settled_at: row.settled_at,
        settled_by: row.settled_by,
        settled_note: row.settled_note,
        paid_outside: row.paid_outside.into(),
    }))
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
