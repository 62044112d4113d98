//! The SQL of bookings and passengers.

use catalogue::schedules::Schedule;
use chrono::{DateTime, TimeDelta, Utc};
use common::money::Money;
use inventory::HoldId;
use sqlx::{MySqlConnection, QueryBuilder};
use uuid::Uuid;

use super::choose::Seating;
use super::{BookingNumber, BookingRef, BookingStatus, CancelReason, Contact, NewBooking, Receipt};

/// What a new booking's row is made of.
pub(super) struct NewRow<'a> {
    pub(super) new: &'a NewBooking,
    pub(super) contact: &'a Contact,
    pub(super) schedule: &'a Schedule,
    pub(super) unit_price: Money,
    pub(super) total: Money,
    pub(super) hold_id: HoldId,
    pub(super) status: BookingStatus,
    pub(super) hold: TimeDelta,
}

/// How an account is reached. It may have no phone.
pub(super) async fn account(connection: &mut MySqlConnection, user_id: i64) -> sqlx::Result<(String, Option<String>)> {
    let account = sqlx::query!("select email, phone from users where user_id = ?", user_id);
    account.fetch_one(connection).await.map(|row| (row.email, row.phone))
}

pub(super) async fn insert(
    connection: &mut MySqlConnection,
    number: &BookingNumber,
    row: &NewRow<'_>,
) -> sqlx::Result<i64> {
    let NewRow { new, contact, schedule, .. } = row;
    let pending = row.status == BookingStatus::Pending;
    let done = sqlx::query!(
        "insert into bookings (
             booking_number, user_id, schedule_id, seat_number, total_amount, contact_email, contact_phone, payment_method,
             status, hold_id, payment_due_at, confirmed_at, flight_id, airline, departure_airport, arrival_airport,
             departure_time, arrival_time, duration, aircraft, unit_price, discount_percentage, refund_rule)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, if(?, now(6) + interval ? second, null), if(?, null, now(6)), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
             (select max(version) from refund_rules where valid_from <= now(6)))",
        number.as_str(),
        new.user_id,
        new.schedule_id,
        new.passengers.iter().find_map(|p| p.seat).map(|seat| seat.to_string()),
        row.total.as_won(),
        contact.email,
        contact.phone,
        new.payment_method,
        row.status,
        Uuid::from(row.hold_id),
        pending,
        row.hold.num_seconds(),
        pending,
        schedule.flight_id,
        schedule.airline,
        schedule.departure_airport,
        schedule.arrival_airport,
        schedule.departure_time,
        schedule.arrival_time,
        schedule.duration,
        schedule.aircraft,
        row.unit_price.as_won(),
        schedule.discount_percentage,
    )
    .execute(connection)
    .await?;
    Ok(i64::try_from(done.last_insert_id()).unwrap_or_default())
}

pub(super) async fn insert_passengers(
    connection: &mut MySqlConnection,
    booking_id: i64,
    new: &NewBooking,
    unit_price: Money,
) -> sqlx::Result<()> {
    let mut insert = QueryBuilder::new(
        "insert into passengers (booking_id, name_kor, name_eng, birth_date, gender, phone, seat_number, price) ",
    );
    insert.push_values(&new.passengers, |mut row, passenger| {
        row.push_bind(booking_id)
            .push_bind(&passenger.name_kor)
            .push_bind(&passenger.name_eng)
            .push_bind(passenger.birth_date)
            .push_bind(passenger.gender)
            .push_bind(&passenger.phone)
            .push_bind(passenger.seat.map(|seat| seat.to_string()))
            .push_bind(unit_price.as_won());
    });
    insert.build().execute(connection).await.map(drop)
}

pub(super) async fn payment_due_at(
    connection: &mut MySqlConnection,
    booking_id: i64,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"select payment_due_at as "due: DateTime<Utc>" from bookings where booking_id = ?"#,
        booking_id
    )
    .fetch_one(connection)
    .await
}

/// A booking as it stands while this transaction holds its row.
#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) booking_id: i64,
    pub(crate) user_id: i64,
    pub(crate) schedule_id: i64,
    pub(crate) booking_number: String,
    pub(crate) status: BookingStatus,
    pub(crate) cancel_reason: Option<CancelReason>,
    pub(crate) total: Money,
    pub(crate) unit_price: Option<Money>,
    pub(crate) hold_id: Option<HoldId>,
    /// Whether it is pending and its deadline has passed.
    pub(crate) overdue: bool,
    pub(crate) passengers: i64,
}

impl Locked {
    /// Whether it waits for its payment and its time isn't over.
    pub(crate) fn is_payable(&self) -> bool {
        self.status == BookingStatus::Pending && !self.overdue
    }

    /// Whether seats are held or sold for it and its flight is still to come, as far as it knows.
    pub(crate) fn is_live(&self) -> bool {
        self.status == BookingStatus::Confirmed || self.is_payable()
    }
}

/// Selects a booking; how it is locked is said by the rest of the statement.
macro_rules! select_booking {
    ($connection:expr, $booking_id:expr, $rest:literal) => {{
        let row = sqlx::query!(
            r#"select booking_id, user_id, schedule_id, booking_number, status as "status: BookingStatus",
                      cancel_reason as "cancel_reason: CancelReason", total_amount, unit_price, hold_id as "hold_id: Uuid",
                      (status = 'PENDING' and payment_due_at <= now(6)) as "overdue: bool"
               from bookings where booking_id = ? "# + $rest,
            $booking_id,
        )
        .fetch_optional(&mut *$connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let passengers = sqlx::query_scalar!("select count(*) from passengers where booking_id = ?", $booking_id)
            .fetch_one($connection)
            .await?;
        Ok(Some(Locked {
            booking_id: row.booking_id,
            user_id: row.user_id,
            schedule_id: row.schedule_id,
            booking_number: row.booking_number,
            status: row.status,
            cancel_reason: row.cancel_reason,
            total: Money::won(row.total_amount.into()),
            unit_price: row.unit_price.map(|won| Money::won(won.into())),
            hold_id: row.hold_id.map(HoldId::from),
            overdue: row.overdue.unwrap_or_default(),
            passengers,
        }))
    }};
}

/// Locks a booking until the transaction ends.
pub(crate) async fn lock(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Option<Locked>> {
    select_booking!(connection, booking_id, "for update")
}

/// A booking as it stands, without locking it: to tell of it, and not to act upon it.
pub(super) async fn read(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Option<Locked>> {
    select_booking!(connection, booking_id, "")
}

/// What each passenger of a booking was to pay, where it is known.
pub(super) async fn fares(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Vec<Option<Money>>> {
    let prices =
        sqlx::query_scalar!("select price from passengers where booking_id = ? order by passenger_id", booking_id);
    let prices = prices.fetch_all(connection).await?;
    Ok(prices.into_iter().map(|price| price.map(|won| Money::won(won.into()))).collect())
}

/// Takes a locked booking's deadline away, and answers what it was. Without one it doesn't expire.
pub(super) async fn stop_clock(
    connection: &mut MySqlConnection,
    booking_id: i64,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    let due = payment_due_at(&mut *connection, booking_id).await?;
    sqlx::query!("update bookings set payment_due_at = null where booking_id = ?", booking_id)
        .execute(connection)
        .await?;
    Ok(due)
}

/// Gives a locked booking the deadline back that [`stop_clock`] took.
pub(super) async fn restart_clock(
    connection: &mut MySqlConnection,
    booking_id: i64,
    due: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update bookings set payment_due_at = ? where booking_id = ? and payment_due_at is null",
        due,
        booking_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The id and the owner of a booking.
pub(crate) async fn find(connection: &mut MySqlConnection, reference: &BookingRef) -> sqlx::Result<Option<(i64, i64)>> {
    Ok(match reference {
        BookingRef::Id(id) => sqlx::query!("select booking_id, user_id from bookings where booking_id = ?", id)
            .fetch_optional(connection)
            .await?
            .map(|row| (row.booking_id, row.user_id)),
        BookingRef::Number(number) => {
            sqlx::query!("select booking_id, user_id from bookings where booking_number = ?", number)
                .fetch_optional(connection)
                .await?
                .map(|row| (row.booking_id, row.user_id))
        }
    })
}

/// The seats of a booking's passengers, in the order in which they were named.
pub(super) async fn seats_of(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select seat_number as "seat!" from passengers where booking_id = ? and seat_number is not null
           order by passenger_id"#,
        booking_id,
    )
    .fetch_all(connection)
    .await
}

/// Where each passenger of a booking sits.
pub(super) async fn seating(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Seating> {
    let rows = sqlx::query!("select passenger_id, seat_number from passengers where booking_id = ?", booking_id);
    let rows = rows.fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.passenger_id, row.seat_number.and_then(|seat| seat.parse().ok()))).collect())
}

/// Seats the passengers `moved` of a locked booking as `seating` says. Its own seat is the first of them all.
pub(super) async fn seat(
    connection: &mut MySqlConnection,
    booking_id: i64,
    moved: &[i64],
    seating: &Seating,
) -> sqlx::Result<()> {
    for passenger_id in moved {
        let seat = seating[passenger_id].map(|seat| seat.to_string());
        sqlx::query!(
            "update passengers set seat_number = ? where passenger_id = ? and booking_id = ?",
            seat,
            passenger_id,
            booking_id,
        )
        .execute(&mut *connection)
        .await?;
    }
    let first = seating.values().flatten().next().map(ToString::to_string);
    sqlx::query!("update bookings set seat_number = ? where booking_id = ?", first, booking_id)
        .execute(connection)
        .await
        .map(drop)
}

/// What the answer to a booking call says of a booking.
pub(super) async fn receipt(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Option<Receipt>> {
    let row = sqlx::query!(
        r#"select booking_number, total_amount,
                  if(status = 'PENDING' and payment_due_at <= now(6), 'CANCELLED', status) as "status!: BookingStatus",
                  if(status = 'PENDING', payment_due_at, null) as "payment_due_at: DateTime<Utc>"
           from bookings where booking_id = ?"#,
        booking_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Receipt {
        booking_id,
        booking_number: row.booking_number,
        status: row.status,
        payment_due_at: row.payment_due_at,
        total: Money::won(row.total_amount.into()),
        search_key: None,
    }))
}

/// The booking that lives on a hold, if it is `user_id`'s.
pub(super) async fn live_booking_of_hold(
    connection: &mut MySqlConnection,
    hold: HoldId,
    user_id: i64,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select booking_id from bookings
         where user_id = ? and hold_id = ?
           and (status = 'CONFIRMED' or (status = 'PENDING' and coalesce(payment_due_at > now(6), true)))",
        user_id,
        Uuid::from(hold),
    )
    .fetch_optional(connection)
    .await
}

/// The caller's payable bookings of a schedule and total that no payment is linked to, but for those that came to
/// nothing: after a declined card the next try finds its booking again.
pub(crate) async fn payable_without_payment(
    connection: &mut MySqlConnection,
    user_id: i64,
    schedule_id: i64,
    total: Money,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select b.booking_id from bookings b
         where b.user_id = ? and b.schedule_id = ? and b.total_amount = ? and b.status = 'PENDING' and b.payment_due_at > now(6)
           and not exists (select 1 from payments p
                           where p.booking_id = b.booking_id and p.status not in ('FAILED', 'EXPIRED', 'CANCELLED'))
         order by b.booking_id limit 2",
        user_id,
        schedule_id,
        total.as_won(),
    )
    .fetch_all(connection)
    .await
}

/// Confirms a locked booking, on the hold that is sold now.
pub(crate) async fn confirm(connection: &mut MySqlConnection, booking_id: i64, hold: HoldId) -> sqlx::Result<()> {
    sqlx::query!(
        "update bookings
         set status = 'CONFIRMED', confirmed_at = now(6), hold_id = ?, cancel_reason = null, cancelled_at = null
         where booking_id = ?",
        Uuid::from(hold),
        booking_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Cancels a locked booking.
pub(super) async fn cancel(
    connection: &mut MySqlConnection,
    booking_id: i64,
    reason: CancelReason,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update bookings set status = 'CANCELLED', cancel_reason = ?, cancelled_at = now(6) where booking_id = ?",
        reason,
        booking_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Pending bookings whose deadline has passed and whose payment can't still turn up: none is linked and open, or
/// the provider had its time to tell.
pub(super) async fn overdue(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select b.booking_id from bookings b
         where b.status = 'PENDING' and b.payment_due_at <= now(6)
           and (not exists (select 1 from payments p where p.booking_id = b.booking_id and p.status = 'REQUESTED')
                or not exists (select 1 from claims c where c.hold_id = b.hold_id and (c.held_until is null or c.held_until > now(6))))
         order by b.payment_due_at, b.booking_id limit ?",
        limit,
    )
    .fetch_all(connection)
    .await
}

/// At most `limit` live bookings of schedules that the airline has cancelled: of one, or of all but those whose day is
/// long past, which are not worth looking at again every time.
pub(crate) async fn to_ground(
    connection: &mut MySqlConnection,
    schedule_id: Option<i64>,
    limit: u32,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select b.booking_id from flight_schedules s join bookings b on b.schedule_id = s.schedule_id
         where s.cancelled_at is not null
           and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 7 day)
           and (b.status = 'CONFIRMED' or (b.status = 'PENDING' and coalesce(b.payment_due_at > now(6), true)))
         order by b.booking_id limit ?",
        schedule_id,
        schedule_id,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// How many bookings of a schedule the airline has cancelled, and how many are live.
pub(crate) async fn count_grounded(connection: &mut MySqlConnection, schedule_id: i64) -> sqlx::Result<(i64, i64)> {
    let counted = sqlx::query!(
        r#"select cast(coalesce(sum(cancel_reason = 'AIRLINE'), 0) as signed) as "cancelled!: i64",
                  cast(coalesce(sum(status = 'CONFIRMED'
                                    or (status = 'PENDING' and coalesce(payment_due_at > now(6), true))), 0) as signed)
                      as "live!: i64"
           from bookings where schedule_id = ?"#,
        schedule_id,
    )
    .fetch_one(connection)
    .await?;
    Ok((counted.cancelled, counted.live))
}

/// At most `limit` confirmed bookings whose flight has left, wherever its clocks are: two days after its own day.
pub(super) async fn flown(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select b.booking_id from bookings b join flight_schedules s on s.schedule_id = b.schedule_id
         where b.status = 'CONFIRMED' and s.flight_date <= current_date - interval 2 day
           and (s.status <> 'CANCELLED' or s.status is null)
         limit ?",
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Completes a confirmed booking. Answers whether it was one.
pub(super) async fn complete(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<bool> {
    let completed = sqlx::query!(
        "update bookings set status = 'COMPLETED' where booking_id = ? and status = 'CONFIRMED'",
        booking_id,
    );
    Ok(completed.execute(connection).await?.rows_affected() == 1)
}
