//! The SQL of calls to the provider, and of what is known of a payment before one. What locks a call names the primary
//! key: left to itself the server may come by the index of states, and meets whoever changes the state.

use common::money::Money;
use common::telemetry::trace::Origin;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::{Call, CallKind, CallState, Seen};
use crate::Backlog;
use crate::bookings::{BookingStatus, Deadline};
use crate::forgetting::KEPT_MONTHS;
use crate::payments::PaymentStatus;

/// How many seconds whoever takes a call may be at it: longer than a look-up, a call and another look-up take.
const LEASE: i64 = 30;

/// What is known of a person's payment, its booking, and one receipt.
pub(super) async fn see(
    connection: &mut MySqlConnection,
    user_id: i64,
    order_id: &str,
    receipt_id: &str,
) -> sqlx::Result<Option<Seen>> {
    let row = sqlx::query!(
        r#"select p.payment_id, p.order_id as "order_id!", p.amount, p.status as "status: PaymentStatus", p.booking_id,
                  (p.closed_at is not null) as "is_closed!: bool", (p.bootpay_receipt_id <=> ?) as "is_own!: bool",
                  if(b.status = 'PENDING' and b.payment_due_at <= now(6), 'CANCELLED', b.status) as "booking: BookingStatus",
                  c.state as "call: CallState", coalesce(h.failed and not h.was_paid, false) as "has_failed!: bool"
           from payments p
           left join bookings b on b.booking_id = p.booking_id
           left join provider_calls c on c.receipt_id = ? and c.kind = 'CONFIRM' and c.payment_id = p.payment_id
           left join charges h on h.receipt_id = ? and h.payment_id = p.payment_id
           where p.order_id = ? and p.user_id = ?"#,
        receipt_id,
        receipt_id,
        receipt_id,
        order_id,
        user_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Seen {
        payment_id: row.payment_id,
        order_id: row.order_id,
        amount: Money::won(row.amount.into()),
        status: row.status,
        is_closed: row.is_closed,
        is_own: row.is_own,
        has_failed: row.has_failed,
        booking: row.booking_id.zip(row.booking),
        call: row.call,
    }))
}

/// The receipts that were ever to be approved for a booking, and where each call stands.
pub(super) async fn approvals_of(
    connection: &mut MySqlConnection,
    booking_id: i64,
) -> sqlx::Result<Vec<(String, CallState)>> {
    let calls = sqlx::query!(
        r#"select receipt_id, state as "state: CallState" from provider_calls where booking_id = ? and kind = 'CONFIRM'"#,
        booking_id,
    );
    Ok(calls.fetch_all(connection).await?.into_iter().map(|row| (row.receipt_id, row.state)).collect())
}

/// Whether a receipt of a locked payment was let go of, uncharged: then no money went, and its booking may be paid anew.
pub(crate) async fn has_let_go(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select 1 from provider_calls where payment_id = ? and kind = 'VOID') as "has: bool""#,
        payment_id,
    )
    .fetch_one(connection)
    .await
}

/// Whether a receipt is being let go, or was.
pub(super) async fn is_let_go(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<bool> {
    let calls =
        sqlx::query_scalar!("select count(*) from provider_calls where receipt_id = ? and kind = 'VOID'", receipt_id);
    Ok(calls.fetch_one(connection).await? > 0)
}

/// Whether a receipt of a locked payment is being approved: then the payment stays with its booking.
pub(crate) async fn is_under_way(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<bool> {
    let calls = sqlx::query_scalar!(
        "select count(*) from provider_calls where payment_id = ? and kind = 'CONFIRM' and state = 'STARTED'",
        payment_id,
    );
    Ok(calls.fetch_one(connection).await? > 0)
}

/// What a new call's row is made of.
pub(super) struct NewRow<'a> {
    pub(super) call_id: Uuid,
    pub(super) kind: CallKind,
    pub(super) booking_id: i64,
    pub(super) payment_id: i64,
    pub(super) receipt_id: &'a str,
    pub(super) deadline: Option<Deadline>,
    pub(super) traceparent: Option<&'a str>,
}

/// Inserts a call, taken already if it is one to CONFIRM. False if there is one of its kind for the receipt.
pub(super) async fn insert(connection: &mut MySqlConnection, row: &NewRow<'_>) -> sqlx::Result<bool> {
    let taken = row.kind == CallKind::Confirm;
    let inserted = sqlx::query!(
        "insert into provider_calls (
             call_id, kind, booking_id, payment_id, receipt_id, attempts, leased_until, payment_due_at, held_until, traceparent)
         values (?, ?, ?, ?, ?, ?, if(?, now(6) + interval ? second, null), ?, ?, ?)",
        row.call_id,
        row.kind,
        row.booking_id,
        row.payment_id,
        row.receipt_id,
        i32::from(taken),
        taken,
        LEASE,
        row.deadline.and_then(|deadline| deadline.payment_due_at),
        row.deadline.and_then(|deadline| deadline.held_until),
        row.traceparent,
    )
    .execute(connection)
    .await;
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if common::db::violated_constraint(&error) == Some("uq_provider_calls_receipt_id_kind") => Ok(false),
        Err(error) => Err(error),
    }
}

/// The calls whose turn it is.
pub(super) async fn due(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select call_id as "call_id: Uuid" from provider_calls
           where state = 'STARTED' and next_attempt_at <= now(6) and (leased_until is null or leased_until <= now(6))
           order by next_attempt_at, call_id limit ?"#,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The call that is approving a receipt.
pub(super) async fn approving(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        r#"select call_id as "call_id: Uuid" from provider_calls
           where receipt_id = ? and kind = 'CONFIRM' and state = 'STARTED'"#,
        receipt_id,
    )
    .fetch_optional(connection)
    .await
}

/// Takes a call for one attempt, also before its turn; `None` if somebody is at it or it has ended.
pub(super) async fn take(connection: &mut MySqlConnection, call_id: Uuid) -> sqlx::Result<Option<Call>> {
    let taken = sqlx::query!(
        "update provider_calls force index (primary) set attempts = attempts + 1, leased_until = now(6) + interval ? second
         where call_id = ? and state = 'STARTED' and (leased_until is null or leased_until <= now(6))",
        LEASE,
        call_id,
    )
    .execute(&mut *connection)
    .await?;
    if taken.rows_affected() == 0 {
        return Ok(None);
    }
    find(connection, call_id).await.map(Some)
}

async fn find(connection: &mut MySqlConnection, call_id: Uuid) -> sqlx::Result<Call> {
    let row = sqlx::query!(
        r#"select c.kind as "kind: CallKind", c.booking_id, c.payment_id, c.receipt_id, c.attempts, c.traceparent,
                  p.order_id as "order_id!", p.amount
           from provider_calls c join payments p on p.payment_id = c.payment_id where c.call_id = ?"#,
        call_id,
    )
    .fetch_one(connection)
    .await?;
    Ok(Call {
        id: call_id,
        kind: row.kind,
        booking_id: row.booking_id,
        payment_id: row.payment_id,
        receipt_id: row.receipt_id,
        order_id: row.order_id,
        amount: Money::won(row.amount.into()),
        attempts: row.attempts,
        origin: row.traceparent.map(Origin::of_parent),
    })
}

/// Leaves a call without an outcome for later: a second, then longer each time, up to a minute.
pub(super) async fn postpone(connection: &mut MySqlConnection, call_id: Uuid, error: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update provider_calls force index (primary)
         set leased_until = null, last_error = ?,
             next_attempt_at = now(6) + interval elt(least(attempts, 7), 1, 2, 5, 10, 20, 40, 60) second
         where call_id = ? and state = 'STARTED'",
        error.chars().take(200).collect::<String>(),
        call_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// A call that hasn't ended and doesn't while this transaction lasts.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) call_id: Uuid,
    pub(super) kind: CallKind,
    pub(super) payment_id: i64,
    pub(super) receipt_id: String,
    pub(super) deadline: Deadline,
}

/// Locks the call that is approving a receipt, if one is.
pub(super) async fn lock_approving(connection: &mut MySqlConnection, receipt_id: &str) -> sqlx::Result<Option<Open>> {
    match approving(connection, receipt_id).await? {
        Some(call_id) => lock(connection, call_id).await,
        None => Ok(None),
    }
}

/// Locks a call until the transaction ends. `None`: it has ended.
pub(super) async fn lock(connection: &mut MySqlConnection, call_id: Uuid) -> sqlx::Result<Option<Open>> {
    let row = sqlx::query!(
        r#"select kind as "kind: CallKind", payment_id, receipt_id,
                  payment_due_at as "payment_due_at: chrono::DateTime<chrono::Utc>",
                  held_until as "held_until: chrono::DateTime<chrono::Utc>"
           from provider_calls force index (primary) where call_id = ? and state = 'STARTED' for update"#,
        call_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Open {
        call_id,
        kind: row.kind,
        payment_id: row.payment_id,
        receipt_id: row.receipt_id,
        deadline: Deadline { payment_due_at: row.payment_due_at, held_until: row.held_until },
    }))
}

/// Writes down how a locked call has ended, and why, where there is something to say.
pub(super) async fn end(
    connection: &mut MySqlConnection,
    call_id: Uuid,
    state: CallState,
    error: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update provider_calls set state = ?, last_error = ?, leased_until = null, settled_at = now(6) where call_id = ?",
        state,
        error.map(|error| error.chars().take(200).collect::<String>()),
        call_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Forgets calls that ended long ago. Answers whether there may be more. The index of states leads to them: none is tried
/// after it has ended.
pub(crate) async fn forget_ended(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<bool> {
    let forgotten = sqlx::query!(
        "delete from provider_calls
         where state in ('DONE', 'REFUSED', 'ABANDONED')
           and next_attempt_at <= now(6) - interval ? month and settled_at <= now(6) - interval ? month
         limit ?",
        KEPT_MONTHS,
        KEPT_MONTHS,
        limit,
    );
    Ok(forgotten.execute(connection).await?.rows_affected() == u64::from(limit))
}

/// Measures how many calls have no outcome, by kind, and since when the oldest approval waits for it: what is being let
/// go has charged nobody.
pub(crate) async fn measure_open(connection: &mut MySqlConnection, backlog: &Backlog) -> sqlx::Result<()> {
    for kind in [CallKind::Confirm, CallKind::Void] {
        let open =
            sqlx::query_scalar!("select count(*) from provider_calls where state = 'STARTED' and kind = ?", kind);
        backlog.calls.with_label_values(&[kind.as_str()]).set(open.fetch_one(&mut *connection).await?);
    }
    let age = sqlx::query_scalar!(
        r#"select timestampdiff(second, min(created_at), now(6)) as "age: i64" from provider_calls
           where state = 'STARTED' and kind = 'CONFIRM'"#,
    );
    backlog.oldest_call.set(age.fetch_one(connection).await?.unwrap_or_default());
    Ok(())
}
