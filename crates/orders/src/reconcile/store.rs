//! The SQL of reconciliation: questions that should find nothing, and the same of one row under its lock.
//!
//! A routine round looks at schedules still to be flown, two days of every zone's clocks included, and at charges that
//! were touched within a week; a thorough one at all of them.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use common::events::Subject;
use common::money::Money;
use inventory::HoldId;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::Scope;
use super::check::PAGE;
use crate::charges::{self, Charge, Facts, Outcome};

/// A schedule's seats, as they are counted in three places.
#[derive(Debug)]
pub(super) struct Seating {
    pub(super) schedule_id: i64,
    pub(super) available: i64,
    pub(super) oversold: i64,
    pub(super) claimed: i64,
    /// How many the aircraft has.
    pub(super) total: i64,
    /// How many are for sale in all, by the last word of the history; `None`: it has none.
    pub(super) capacity: Option<i64>,
    /// Whether that word was a publisher's.
    pub(super) is_published: bool,
}

impl Seating {
    /// How many are for sale in all, by the counter and the claims.
    pub(super) fn counted(&self) -> i64 {
        self.available - self.oversold + self.claimed
    }

    pub(super) fn agrees(&self) -> bool {
        self.capacity == Some(self.counted())
    }
}

macro_rules! select_seatings {
    ($connection:expr, $rest:literal, $($argument:expr),*) => {
        sqlx::query!(
            r#"select s.schedule_id, s.available_seats, s.oversold, coalesce(f.total_seats, 180) as "total!: i64",
                      (select cast(coalesce(sum(c.quantity), 0) as signed) from claims c where c.pool_id = s.schedule_id)
                          as "claimed!: i64",
                      cast(coalesce(json_extract(e.detail, '$.new.capacity'),
                                    if(e.action = 'published', json_extract(e.detail, '$.new.available_seats'), null)) as signed)
                          as "capacity?: i64",
                      coalesce(e.action <> 'counted', false) as "is_published!: bool"
               from flight_schedules s
               join flights f on f.flight_id = s.flight_id
               left join events e on e.event_id = (
                   select l.event_id from events l
                   where l.subject = 'SCHEDULE'
                     and l.subject_id = convert(s.schedule_id using utf8mb4) collate utf8mb4_unicode_ci
                     and l.action in ('published', 'published-anew', 'lowered', 'counted')
                   order by l.happened_at desc, l.event_id desc limit 1) "# + $rest,
            $($argument),*
        )
        .fetch_all($connection)
        .await
        .map(|rows| {
            rows.into_iter()
                .map(|row| Seating {
                    schedule_id: row.schedule_id,
                    available: row.available_seats.into(),
                    oversold: row.oversold.into(),
                    claimed: row.claimed,
                    total: row.total,
                    capacity: row.capacity,
                    is_published: row.is_published,
                })
                .collect::<Vec<_>>()
        })
    };
}

pub(super) async fn seatings(connection: &mut MySqlConnection, scope: Scope, after: i64) -> sqlx::Result<Vec<Seating>> {
    select_seatings!(
        connection,
        "where s.schedule_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
         order by s.schedule_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE
    )
}

/// The same of one schedule, which is locked.
pub(super) async fn seating(connection: &mut MySqlConnection, schedule_id: i64) -> sqlx::Result<Option<Seating>> {
    Ok(select_seatings!(connection, "where s.schedule_id = ?", schedule_id)?.pop())
}

/// Sets a locked schedule's counter.
pub(super) async fn recount(
    connection: &mut MySqlConnection,
    schedule_id: i64,
    available: i64,
    oversold: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update flight_schedules set available_seats = ?, oversold = ? where schedule_id = ?",
        available,
        oversold,
        schedule_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// A claim that never lapses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) id: i64,
    pub(super) schedule_id: i64,
    pub(super) hold: HoldId,
}

/// Claims of holds that no booking and no payment has.
pub(super) async fn stray_claims(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<Claim>> {
    let rows = sqlx::query!(
        r#"select c.claim_id, c.pool_id, c.hold_id as "hold_id: Uuid"
           from flight_schedules s join claims c on c.pool_id = s.schedule_id
           where c.claim_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
             and c.held_until is null and c.created_at <= now(6) - interval 1 minute
             and not exists (select 1 from bookings b where b.hold_id = c.hold_id)
             and not exists (select 1 from payments p where p.hold_id = c.hold_id)
           order by c.claim_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await?;
    let claims =
        rows.into_iter().map(|row| Claim { id: row.claim_id, schedule_id: row.pool_id, hold: row.hold_id.into() });
    Ok(claims.collect())
}

/// Whether a booking or a payment has this hold: one statement, so that it can't pass from one to the other unseen.
pub(super) async fn is_somebodys(connection: &mut MySqlConnection, hold: HoldId) -> sqlx::Result<bool> {
    let hold = Uuid::from(hold);
    sqlx::query_scalar!(
        r#"select (exists (select 1 from bookings where hold_id = ?) or exists (select 1 from payments where hold_id = ?))
               as "is_somebodys: bool""#,
        hold,
        hold,
    )
    .fetch_one(connection)
    .await
}

/// Cancelled bookings with claims.
pub(super) async fn cancelled_with_claims(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select b.booking_id
         from flight_schedules s join bookings b on b.schedule_id = s.schedule_id
         where b.booking_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
           and b.status = 'CANCELLED'
           and exists (select 1 from claims c where c.hold_id = b.hold_id and c.held_until is null)
         order by b.booking_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// Payments that are over, with claims.
pub(super) async fn over_with_claims(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select p.payment_id
         from flight_schedules s
         join claims c on c.pool_id = s.schedule_id
         join payments p on p.hold_id = c.hold_id
         where p.payment_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
           and c.held_until is null and (p.closed_at is not null or p.status = 'CANCELLED')
         group by p.payment_id order by p.payment_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// Confirmed bookings whose claims are not their passengers'.
pub(super) async fn confirmed_without_claims(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select b.booking_id
         from flight_schedules s join bookings b on b.schedule_id = s.schedule_id
         where b.booking_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
           and s.cancelled_at is null and b.status = 'CONFIRMED'
           and ((select count(*) from passengers p where p.booking_id = b.booking_id)
                  <> (select coalesce(sum(c.quantity), 0) from claims c
                      where c.hold_id = b.hold_id and c.pool_id = b.schedule_id and c.state = 'SOLD')
                or exists (select 1 from passengers p
                           where p.booking_id = b.booking_id and p.seat_number is not null
                             and not exists (select 1 from claims c
                                             where c.hold_id = b.hold_id and c.pool_id = b.schedule_id
                                               and c.unit = p.seat_number and c.state = 'SOLD')))
         order by b.booking_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// What a booking has, and should have.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) sold: i64,
    /// The seats of its passengers.
    pub(super) seats: Vec<String>,
}

/// What is wrong with the claims of a booking, which is locked, as is its schedule; `None`: nothing.
pub(super) async fn wrong_claims_of(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Option<Claims>> {
    let passengers = sqlx::query!(
        r#"select p.seat_number,
                  exists (select 1 from claims c
                          where c.hold_id = b.hold_id and c.pool_id = b.schedule_id
                            and c.unit = p.seat_number and c.state = 'SOLD') as "is_claimed: bool"
           from bookings b join passengers p on p.booking_id = b.booking_id where b.booking_id = ?"#,
        booking_id,
    )
    .fetch_all(&mut *connection)
    .await?;
    let sold = sqlx::query_scalar!(
        r#"select cast(coalesce(sum(c.quantity), 0) as signed) as "sold!: i64"
           from bookings b join claims c on c.hold_id = b.hold_id and c.pool_id = b.schedule_id
           where b.booking_id = ? and c.state = 'SOLD'"#,
        booking_id,
    )
    .fetch_one(connection)
    .await?;
    let is_whole = usize::try_from(sold) == Ok(passengers.len())
        && passengers.iter().all(|p| p.seat_number.is_none() || p.is_claimed);
    let seats = passengers.into_iter().filter_map(|p| p.seat_number).collect();
    Ok((!is_whole).then_some(Claims { sold, seats }))
}

/// Lets a locked booking have another hold.
pub(super) async fn set_hold(connection: &mut MySqlConnection, booking_id: i64, hold: HoldId) -> sqlx::Result<()> {
    sqlx::query!("update bookings set hold_id = ? where booking_id = ?", Uuid::from(hold), booking_id)
        .execute(connection)
        .await
        .map(drop)
}

/// Whether the history tells that a booking was made here.
pub(super) async fn is_booked_here(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select 1 from events where subject = ? and subject_id = ? and action = 'booked') as "is: bool""#,
        Subject::Booking,
        booking_id.to_string(),
    )
    .fetch_one(connection)
    .await
}

/// Selects bookings in question with a plain read, by their payments `p` and schedules `s`.
macro_rules! select_bookings {
    ($connection:expr, $scope:expr, $after:expr, $rest:literal) => {
        sqlx::query_scalar!(
            "select b.booking_id
             from flight_schedules s
             join bookings b on b.schedule_id = s.schedule_id
             join payments p on p.booking_id = b.booking_id
             where b.booking_id > ?
               and (s.schedule_id = ? or ? is null and (? or s.flight_date >= current_date - interval 2 day)) "
                + $rest,
            $after,
            $scope.schedule_id,
            $scope.schedule_id,
            $scope.is_thorough,
            PAGE,
        )
        .fetch_all($connection)
        .await
    };
}

/// Bookings that wait for their payment, or have expired, and whose payment is paid.
pub(super) async fn paid_unconfirmed(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    select_bookings!(
        connection,
        scope,
        after,
        "and (b.status = 'PENDING' or b.status = 'CANCELLED' and b.cancel_reason = 'EXPIRED')
         and p.status in ('PAID', 'PARTIALLY_REFUNDED') and p.closed_at is null
         group by b.booking_id order by b.booking_id limit ?"
    )
}

/// Bookings with several payments that pay.
pub(super) async fn paid_twice(connection: &mut MySqlConnection, scope: Scope, after: i64) -> sqlx::Result<Vec<i64>> {
    select_bookings!(
        connection,
        scope,
        after,
        "and b.status in ('CONFIRMED', 'COMPLETED')
         and p.status in ('PAID', 'PARTIALLY_REFUNDED') and p.closed_at is null
         group by b.booking_id having count(*) > 1 order by b.booking_id limit ?"
    )
}

/// Cancelled bookings with money that no refund is queued for.
pub(super) async fn cancelled_and_paid(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    select_bookings!(
        connection,
        scope,
        after,
        "and b.status = 'CANCELLED' and p.status in ('PAID', 'PARTIALLY_REFUNDED')
         and (p.closed_at is null or b.cancel_reason in ('ADMIN', 'AIRLINE'))
         and (p.closed_at is not null or b.cancel_reason is null or b.cancel_reason <> 'EXPIRED')
         and exists (select 1 from charges c
                     where c.payment_id = p.payment_id and c.was_paid and c.cancelled < c.amount
                       and c.refund_reserved + c.in_console < c.amount)
         group by b.booking_id order by b.booking_id limit ?"
    )
}

/// Whether there is money on a locked payment that no refund is queued for.
pub(super) async fn has_money_left(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<bool> {
    for charge in charges::store::of_payment(connection, payment_id).await?.iter().filter(|c| c.is_live()) {
        let standing = charges::store::standing(connection, &charge.receipt_id).await?;
        if standing.is_some_and(|standing| standing.rest() > Money::ZERO) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Confirmed bookings without money.
pub(super) async fn confirmed_unpaid(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select b.booking_id
         from flight_schedules s join bookings b on b.schedule_id = s.schedule_id
         where b.booking_id > ?
           and (s.schedule_id = ? or ? is null and (? or s.flight_date >= current_date - interval 2 day))
           and b.status = 'CONFIRMED' and b.total_amount > 0
           and not exists (select 1 from payments p join charges c on c.payment_id = p.payment_id
                           where p.booking_id = b.booking_id and c.was_paid
                             and c.cancelled + (select coalesce(sum(r.paid_outside), 0) from refunds r
                                                where r.receipt_id = c.receipt_id) < c.amount)
         order by b.booking_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        scope.is_thorough,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// Whether there is money for a locked booking.
pub(super) async fn is_paid_for(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select 1 from payments p join charges c on c.payment_id = p.payment_id
                          where p.booking_id = ? and c.was_paid
                            and c.cancelled + (select coalesce(sum(r.paid_outside), 0) from refunds r
                                               where r.receipt_id = c.receipt_id) < c.amount) as "is: bool""#,
        booking_id,
    )
    .fetch_one(connection)
    .await
}

/// A payment with money and without a booking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unbooked {
    pub(super) payment_id: i64,
    /// Whether it isn't said since when it is paid, so that it isn't given back unasked.
    pub(super) is_undated: bool,
}

/// Payments with money that no booking came for, though the job that gives it back had five minutes to.
pub(super) async fn unbooked(
    connection: &mut MySqlConnection,
    scope: Scope,
    grace: TimeDelta,
    after: i64,
) -> sqlx::Result<Vec<Unbooked>> {
    let rows = sqlx::query!(
        r#"select payment_id, (paid_at is null) as "is_undated: bool" from payments
           where payment_id > ? and (schedule_id = ? or ? is null)
             and booking_id is null and status in ('PAID', 'PARTIALLY_REFUNDED') and closed_at is null
             and (paid_at is null or paid_at <= now(6) - interval ? second)
           order by payment_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        (grace + TimeDelta::minutes(5)).num_seconds(),
        PAGE,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| Unbooked { payment_id: row.payment_id, is_undated: row.is_undated }).collect())
}

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
                  c.was_paid as "was_paid: bool", c.raw_status
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
pub(super) async fn charges_given_back_less(
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
         order by c.checked_at limit ?",
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
           order by p.checked_at limit ?"#,
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

/// Something that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: Uuid,
    what: String,
    minutes: i64,
    error: Option<String>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, minutes, error, .. } = self;
        match minutes / 60 {
            0 => write!(f, "{what}, for {minutes} min")?,
            hours => write!(f, "{what}, for {hours} h")?,
        }
        error.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

/// Selects refunds that wait, by their payments `p` and bookings `b`.
macro_rules! select_refunds {
    ($connection:expr, $scope:expr, $after:expr, $rest:literal) => {
        sqlx::query_as!(
            Waiting,
            r#"select r.refund_id as "id: Uuid", concat(r.amount, ' KRW of receipt ', r.receipt_id) as "what!: String",
                      timestampdiff(minute, r.created_at, now(6)) as "minutes!: i64", r.last_error as error
               from refunds r
               left join payments p on p.payment_id = r.payment_id
               left join bookings b on b.booking_id = p.booking_id
               where r.refund_id > ? and (? is null or coalesce(b.schedule_id, p.schedule_id) = ?) and "#
                + $rest
                + " order by r.refund_id limit ?",
            $after,
            $scope.schedule_id,
            $scope.schedule_id,
            PAGE,
        )
        .fetch_all($connection)
        .await
    };
}

/// Refunds that are tried for more than an hour.
pub(super) async fn late_refunds(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    select_refunds!(
        connection,
        scope,
        after,
        "r.state in ('PENDING', 'SENT') and r.created_at <= now(6) - interval 1 hour"
    )
}

/// Refunds that are not tried any more.
pub(super) async fn given_up_refunds(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    select_refunds!(connection, scope, after, "r.state = 'NEEDS_OPERATOR'")
}

/// The provider's messages that wait for longer than two hours.
pub(super) async fn unapplied_messages(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"select e.event_id as "id: Uuid", concat(e.amount, ' KRW of receipt ', e.receipt_id) as "what!: String",
                  timestampdiff(minute, e.received_at, now(6)) as "minutes!: i64", null as "error?: String"
           from provider_events e
           left join payments p on p.order_id = e.order_id
           left join bookings b on b.booking_id = p.booking_id
           where e.event_id > ? and (? is null or coalesce(b.schedule_id, p.schedule_id) = ?)
             and e.applied_at is null and e.received_at <= now(6) - interval 2 hour
           order by e.event_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// Calls to the provider whose outcome isn't known after a quarter of an hour.
pub(super) async fn open_calls(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"select c.call_id as "id: Uuid", concat(c.kind, ' of receipt ', c.receipt_id) as "what!: String",
                  timestampdiff(minute, c.created_at, now(6)) as "minutes!: i64", c.last_error as error
           from provider_calls c join bookings b on b.booking_id = c.booking_id
           where c.call_id > ? and (? is null or b.schedule_id = ?)
             and c.state = 'STARTED' and c.created_at <= now(6) - interval 15 minute
           order by c.call_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// News that isn't sent any more.
pub(super) async fn parked_news(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"select o.news_id as "id: Uuid", concat(o.topic, ' of ', lower(o.subject), ' ', o.subject_id) as "what!: String",
                  timestampdiff(minute, o.created_at, now(6)) as "minutes!: i64", o.last_error as error
           from outbox o
           where o.news_id > ? and o.state = 'PARKED'
             and (? is null or ? = case o.subject
                  when 'SCHEDULE' then cast(o.subject_id as signed)
                  when 'BOOKING' then (select b.schedule_id from bookings b where b.booking_id = cast(o.subject_id as signed))
                  when 'PAYMENT' then (select coalesce(b.schedule_id, p.schedule_id) from payments p
                                       left join bookings b on b.booking_id = p.booking_id
                                       where p.payment_id = cast(o.subject_id as signed))
                  when 'REFUND' then (select coalesce(b.schedule_id, p.schedule_id) from refunds r
                                      left join payments p on p.payment_id = r.payment_id
                                      left join bookings b on b.booking_id = p.booking_id
                                      where r.refund_id = unhex(replace(o.subject_id, '-', ''))) end)
           order by o.news_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// What moved on a day for a flight number.
pub(super) struct Moved {
    pub(super) day: NaiveDate,
    pub(super) flight_id: Option<String>,
    pub(super) charged: i64,
    pub(super) refunded: i64,
}

/// What moved from one day to another, both included.
pub(super) async fn money(
    connection: &mut MySqlConnection,
    from: NaiveDate,
    to: NaiveDate,
) -> sqlx::Result<Vec<Moved>> {
    sqlx::query_as!(
        Moved,
        r#"select moved_on as "day!", flight_id, charged as "charged!: i64", refunded as "refunded!: i64"
           from money_by_day_and_flight where moved_on between ? and ?
           order by moved_on, flight_id is null, flight_id"#,
        from,
        to,
    )
    .fetch_all(connection)
    .await
}
