//! The SQL of payments.

use chrono::TimeDelta;
use common::events::Subject;
use common::money::Money;
use inventory::HoldId;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::{LinkedBy, Method, PaymentStatus, Processor};

/// A payment as it stands while this transaction holds its row.
#[derive(Clone, Debug)]
pub(crate) struct Locked {
    pub(crate) payment_id: i64,
    pub(crate) order_id: Option<String>,
    pub(crate) booking_id: Option<i64>,
    pub(crate) schedule_id: Option<i64>,
    pub(crate) amount: Money,
    pub(crate) unit_price: Option<Money>,
    pub(crate) status: PaymentStatus,
    pub(crate) receipt_id: Option<String>,
    pub(crate) hold_id: Option<HoldId>,
    pub(crate) linked_by: Option<LinkedBy>,
    pub(crate) is_closed: bool,
    pub(crate) is_recent: bool,
}

impl Locked {
    /// Whether it waits for its booking.
    pub(crate) fn waits(&self) -> bool {
        self.booking_id.is_none() && !self.is_closed
    }
}

/// Selects payments to lock; `$memory` seconds is how long one is recent.
macro_rules! select_locked {
    ($connection:expr, $memory:expr, $rest:literal, $($argument:expr),*) => {
        sqlx::query!(
            r#"select payment_id, order_id, booking_id, schedule_id, amount, unit_price,
                      status as "status: PaymentStatus", bootpay_receipt_id, hold_id as "hold_id: Uuid",
                      linked_by as "linked_by: LinkedBy", (closed_at is not null) as "is_closed!: bool",
                      (created_at >= now(6) - interval ? second) as "is_recent!: bool"
               from payments "# + $rest,
            $memory,
            $($argument),*
        )
        .fetch_all($connection)
        .await
        .map(|rows| {
            rows.into_iter()
                .map(|row| Locked {
                    payment_id: row.payment_id,
                    order_id: row.order_id,
                    booking_id: row.booking_id,
                    schedule_id: row.schedule_id,
                    amount: Money::won(row.amount.into()),
                    unit_price: row.unit_price.map(|won| Money::won(won.into())),
                    status: row.status,
                    receipt_id: row.bootpay_receipt_id,
                    hold_id: row.hold_id.map(HoldId::from),
                    linked_by: row.linked_by,
                    is_closed: row.is_closed,
                    is_recent: row.is_recent,
                })
                .collect::<Vec<_>>()
        })
    };
}

/// Locks a payment until the transaction ends.
pub(crate) async fn lock(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<Option<Locked>> {
    Ok(select_locked!(connection, 0, "where payment_id = ? for update", payment_id)?.pop())
}

/// Locks the payments linked to a booking, in the order of their ids.
pub(crate) async fn lock_of_booking(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Vec<Locked>> {
    select_locked!(
        connection,
        0,
        "ignore index (primary) where booking_id = ? order by payment_id for update",
        booking_id
    )
}

/// The payments linked to a booking, without locking them: to tell of them, and not to act upon them.
pub(crate) async fn read_of_booking(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Vec<Locked>> {
    select_locked!(connection, 0, "where booking_id = ? order by payment_id", booking_id)
}

/// How a payment was to be paid.
pub(crate) async fn method_of(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<Option<Method>> {
    sqlx::query_scalar!(r#"select method as "method: Method" from payments where payment_id = ?"#, payment_id)
        .fetch_optional(connection)
        .await
}

/// Locks a person's unlinked payments for so many seats of a schedule, newest first. The index is named because what
/// the read passes is locked: by `booking_id is null` that would be everybody's.
pub(super) async fn lock_unlinked(
    connection: &mut MySqlConnection,
    user_id: i64,
    schedule_id: i64,
    quantity: u32,
    memory: TimeDelta,
) -> sqlx::Result<Vec<Locked>> {
    select_locked!(
        connection,
        memory.num_seconds(),
        "force index (ix_payments_user_id_schedule_id)
         where user_id = ? and schedule_id = ? and quantity = ? and booking_id is null order by payment_id desc for update",
        user_id,
        schedule_id,
        quantity
    )
}

/// The order ids of a booking's unfinished payments, newest first.
pub(super) async fn unfinished_orders_of(
    connection: &mut MySqlConnection,
    booking_id: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select order_id as "order_id!" from payments
           where booking_id = ? and status = 'REQUESTED' and order_id is not null
           order by payment_id desc"#,
        booking_id,
    )
    .fetch_all(connection)
    .await
}

/// Whether this is a payment of the person's that belongs to no booking and that no money is known of. After a decline it
/// may still come.
pub(super) async fn is_unlinked_and_unpaid(
    connection: &mut MySqlConnection,
    user_id: i64,
    order_id: &str,
) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        "select 1 as found from payments
         where order_id = ? and user_id = ? and booking_id is null and status in ('REQUESTED', 'FAILED', 'EXPIRED')",
        order_id,
        user_id,
    );
    Ok(found.fetch_optional(connection).await?.is_some())
}

/// How many payments for a schedule a person has begun of late without paying any of them.
pub(super) async fn unpaid_of(
    connection: &mut MySqlConnection,
    user_id: i64,
    schedule_id: i64,
    memory: TimeDelta,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        "select count(*) from payments
         where user_id = ? and schedule_id = ? and status in ('REQUESTED', 'FAILED', 'EXPIRED') and booking_id is null
           and created_at >= now(6) - interval ? second",
        user_id,
        schedule_id,
        memory.num_seconds(),
    )
    .fetch_one(connection)
    .await
}

/// What a new payment's row is made of.
pub(super) struct NewRow<'a> {
    pub(super) user_id: i64,
    pub(super) booking_id: Option<i64>,
    pub(super) schedule_id: Option<i64>,
    pub(super) method: Method,
    pub(super) processor: Processor,
    pub(super) amount: Money,
    pub(super) quantity: Option<i64>,
    pub(super) unit_price: Option<Money>,
    pub(super) order_id: &'a str,
    pub(super) order_name: &'a str,
    pub(super) hold_id: Option<HoldId>,
    pub(super) linked_by: Option<LinkedBy>,
}

pub(super) async fn insert(connection: &mut MySqlConnection, row: &NewRow<'_>) -> sqlx::Result<i64> {
    let done = sqlx::query!(
        "insert into payments (
             user_id, booking_id, schedule_id, method, provider, amount, quantity, unit_price, order_id, order_name, hold_id, linked_by)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.user_id,
        row.booking_id,
        row.schedule_id,
        row.method,
        row.processor,
        row.amount.as_won(),
        row.quantity,
        row.unit_price.map(Money::as_won),
        row.order_id,
        row.order_name,
        row.hold_id.map(Uuid::from),
        row.linked_by,
    )
    .execute(connection)
    .await?;
    Ok(i64::try_from(done.last_insert_id()).unwrap_or_default())
}

/// Ties a locked payment to a booking, or unties it. `hold_id` is the reservation it keeps.
pub(super) async fn link(
    connection: &mut MySqlConnection,
    payment_id: i64,
    booking_id: Option<i64>,
    linked_by: Option<LinkedBy>,
    hold_id: Option<HoldId>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update payments set booking_id = ?, linked_by = ?, hold_id = ? where payment_id = ?",
        booking_id,
        linked_by,
        hold_id.map(Uuid::from),
        payment_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Writes down where a locked payment stands, and the receipt that is its own if it has none yet.
pub(super) async fn set_status(
    connection: &mut MySqlConnection,
    payment_id: i64,
    status: PaymentStatus,
    receipt_id: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update payments
         set status = ?, bootpay_receipt_id = coalesce(bootpay_receipt_id, ?),
             paid_at = if(? in ('PAID', 'PARTIALLY_REFUNDED'), coalesce(paid_at, now(6)), paid_at)
         where payment_id = ?",
        status,
        receipt_id,
        status,
        payment_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Whether a payment became paid by this receipt, and here: what was adopted as paid has no history of that. The history
/// says by which, because one that was adopted keeps the receipt it had been declined on.
pub(crate) async fn came_by(
    connection: &mut MySqlConnection,
    payment_id: Option<i64>,
    receipt_id: &str,
) -> sqlx::Result<bool> {
    let Some(payment_id) = payment_id else { return Ok(false) };
    sqlx::query_scalar!(
        r#"select exists (
               select 1 from payments p join events e on e.subject = ? and e.subject_id = ?
               where p.payment_id = ?
                 and coalesce(json_unquote(json_extract(e.detail, '$.new.receipt_id')), p.bootpay_receipt_id) = ?
                 and json_unquote(json_extract(e.detail, '$.new.status')) in ('PAID', 'PARTIALLY_REFUNDED')
                 and coalesce(json_unquote(json_extract(e.detail, '$.old.status')), '') not in ('PAID', 'PARTIALLY_REFUNDED')
           ) as "has: bool""#,
        Subject::Payment,
        payment_id.to_string(),
        payment_id,
        receipt_id,
    )
    .fetch_one(connection)
    .await
}

/// From now on a locked payment can be neither booked nor attached.
pub(super) async fn close(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<()> {
    sqlx::query!("update payments set closed_at = coalesce(closed_at, now(6)) where payment_id = ?", payment_id)
        .execute(connection)
        .await
        .map(drop)
}

/// A payment as found before anything is locked.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) payment_id: i64,
    pub(super) owner: i64,
    pub(crate) booking_id: Option<i64>,
    pub(super) status: PaymentStatus,
    pub(crate) receipt_id: Option<String>,
}

/// Selects one payment that is not locked.
macro_rules! select_found {
    ($connection:expr, $where:literal, $argument:expr) => {
        sqlx::query_as!(
            Found,
            r#"select payment_id, user_id as owner, booking_id, status as "status: PaymentStatus",
                      bootpay_receipt_id as receipt_id
               from payments where "#
                + $where,
            $argument,
        )
        .fetch_optional($connection)
        .await
    };
}

/// The payment of an id.
pub(crate) async fn find(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<Option<Found>> {
    select_found!(connection, "payment_id = ?", payment_id)
}

/// The payment of an order id.
pub(crate) async fn find_by_order(connection: &mut MySqlConnection, order_id: &str) -> sqlx::Result<Option<Found>> {
    select_found!(connection, "order_id = ?", order_id)
}

/// What was reserved for a payment: for whom, where, and how many seats. `None` if it was begun for no schedule.
pub(super) async fn reservation_of(
    connection: &mut MySqlConnection,
    payment_id: i64,
) -> sqlx::Result<Option<Reservation>> {
    sqlx::query_as!(
        Reservation,
        r#"select user_id as owner, schedule_id as "schedule_id!", cast(quantity as signed) as "quantity!: i64" from payments
           where payment_id = ? and schedule_id is not null and quantity is not null"#,
        payment_id,
    )
    .fetch_optional(connection)
    .await
}

/// What was reserved for a payment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reservation {
    pub(super) owner: i64,
    pub(super) schedule_id: i64,
    pub(super) quantity: i64,
}

/// The payments that nobody finished and the provider should be asked about: begun long ago, or linked to a booking
/// whose time is over. One that was given up is asked about for a day more, each time after twice as long: it may
/// have been paid late, and nobody told us.
pub(super) async fn to_ask_about(
    connection: &mut MySqlConnection,
    after: TimeDelta,
    interval: TimeDelta,
    limit: u32,
) -> sqlx::Result<Vec<(i64, String)>> {
    let rows = sqlx::query!(
        r#"select p.payment_id, p.order_id as "order_id!" from payments p
           left join bookings b on b.booking_id = p.booking_id
           where p.status in ('REQUESTED', 'EXPIRED') and p.order_id is not null
             and (p.checked_at is null or p.checked_at <= now(6) - interval ? second)
             and if(p.status = 'REQUESTED',
                    p.created_at <= now(6) - interval ? second or (b.status = 'PENDING' and b.payment_due_at <= now(6)),
                    p.created_at > now(6) - interval 1 day
                    and p.checked_at <= now(6) - interval timestampdiff(second, p.created_at, p.checked_at) second)
           order by p.checked_at, p.payment_id limit ?"#,
        interval.num_seconds(),
        after.num_seconds(),
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.payment_id, row.order_id)).collect())
}

/// Takes a payment to ask the provider about; false if somebody else did.
pub(super) async fn take_to_ask(
    connection: &mut MySqlConnection,
    payment_id: i64,
    interval: TimeDelta,
) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "update payments set checked_at = now(6)
         where payment_id = ? and (checked_at is null or checked_at <= now(6) - interval ? second)",
        payment_id,
        interval.num_seconds(),
    );
    Ok(taken.execute(connection).await?.rows_affected() == 1)
}

/// The payments that are paid and that nobody booked for, long enough.
pub(super) async fn unbooked(connection: &mut MySqlConnection, after: TimeDelta, limit: u32) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select payment_id from payments
         where status in ('PAID', 'PARTIALLY_REFUNDED') and booking_id is null and closed_at is null
           and paid_at <= now(6) - interval ? second
         order by paid_at, payment_id limit ?",
        after.num_seconds(),
        limit,
    )
    .fetch_all(connection)
    .await
}

/// At most `limit` payments that wait for a booking of a schedule that the airline has cancelled: of one, or of all but
/// those whose day is long past. Also those that failed: from now on their late success goes back at once.
pub(crate) async fn to_ground(
    connection: &mut MySqlConnection,
    schedule_id: Option<i64>,
    limit: u32,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select p.payment_id from flight_schedules s join payments p on p.schedule_id = s.schedule_id
         where s.cancelled_at is not null
           and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 7 day)
           and p.booking_id is null and p.closed_at is null and p.status <> 'CANCELLED'
         order by p.payment_id limit ?",
        schedule_id,
        schedule_id,
        limit,
    )
    .fetch_all(connection)
    .await
}
