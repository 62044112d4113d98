//! The SQL of the bookings' checks: questions that should find nothing, and the same of one booking under its lock.
//!
//! A routine round looks at schedules still to be flown, two days of every zone's clocks included; a thorough one at all.

use chrono::TimeDelta;
use common::events::Subject;
use common::money::Money;
use sqlx::MySqlConnection;

use crate::charges;
use crate::reconcile::Scope;
use crate::reconcile::check::PAGE;

/// Whether a booking was made here, and not adopted from the system before us, which kept no history.
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
