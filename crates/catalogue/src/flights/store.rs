//! The SQL of flights and of their days.
//!
//! The original's columns `airline`, `total_seats`, `is_active` and `status` may be null, which means their defaults.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use common::db;
use common::money::Money;
use common::page::Page;
use sqlx::{MySqlConnection, MySqlPool, QueryBuilder};

use super::{AIRLINE, Flight, ListedFlight, Season, TOTAL_SEATS};
use crate::schedules::ScheduleStatus;

/// The key that lets a number be used once: both servers call every primary key so.
const ONE_FLIGHT_PER_NUMBER: &str = "PRIMARY";

/// How many days one statement writes: each number is a prepared statement of its own.
const AT_ONCE: usize = 16;

/// The flights on sale, by their time of departure.
pub(super) async fn list(db: &MySqlPool, page: Page) -> sqlx::Result<Vec<ListedFlight>> {
    let rows = sqlx::query!(
        "select f.flight_id, f.airline, f.departure_airport, f.arrival_airport, f.departure_time, f.arrival_time,
                f.duration, f.aircraft, f.base_price, f.total_seats, a.airport_name as departure_airport_name,
                b.airport_name as arrival_airport_name
         from flights f
         join airports a on a.airport_code = f.departure_airport
         join airports b on b.airport_code = f.arrival_airport
         where f.is_active or f.is_active is null
         order by f.departure_time, f.flight_id
         limit ? offset ?",
        page.limit(),
        page.offset(),
    )
    .fetch_all(db)
    .await?;
    let listed = rows.into_iter().map(|row| ListedFlight {
        flight_id: row.flight_id,
        airline: row.airline.unwrap_or_else(|| AIRLINE.to_owned()),
        departure_airport: row.departure_airport,
        arrival_airport: row.arrival_airport,
        departure_time: row.departure_time,
        arrival_time: row.arrival_time,
        duration: row.duration,
        aircraft: row.aircraft,
        base_price: Money::won(row.base_price.into()),
        total_seats: row.total_seats.map_or(TOTAL_SEATS, i64::from),
        is_active: true,
        departure_airport_name: row.departure_airport_name,
        arrival_airport_name: row.arrival_airport_name,
    });
    Ok(listed.collect())
}

/// The zone of an airport's clocks; `None`: there is no such airport.
pub(super) async fn zone_of(connection: &mut MySqlConnection, airport: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select time_zone from airports where airport_code = ?", airport)
        .fetch_optional(connection)
        .await
}

/// Writes a new flight. Answers whether its number was free.
pub(super) async fn insert(connection: &mut MySqlConnection, flight: &Flight) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into flights (flight_id, airline, departure_airport, arrival_airport, departure_time, arrival_time,
                              duration, aircraft, base_price, total_seats, is_active)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        flight.number,
        flight.airline,
        flight.departure_airport,
        flight.arrival_airport,
        flight.departure_time,
        flight.arrival_time,
        flight.duration,
        flight.aircraft,
        flight.base_price.as_won(),
        flight.total_seats,
        flight.is_active,
    )
    .execute(connection)
    .await;
    match done {
        Ok(_) => Ok(true),
        Err(error) if db::violated_constraint(&error) == Some(ONE_FLIGHT_PER_NUMBER) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Locks a flight until the transaction ends. Airport codes are read in their one spelling: the original stored any.
pub(super) async fn lock(connection: &mut MySqlConnection, flight_id: &str) -> sqlx::Result<Option<Flight>> {
    let row = sqlx::query!(
        r#"select flight_id, airline, departure_airport, arrival_airport, departure_time, arrival_time, duration,
                  aircraft, base_price, total_seats, is_active as "is_active: bool"
           from flights where flight_id = ? for update"#,
        flight_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Flight {
        number: row.flight_id,
        airline: row.airline.unwrap_or_else(|| AIRLINE.to_owned()),
        departure_airport: row.departure_airport.to_ascii_uppercase(),
        arrival_airport: row.arrival_airport.to_ascii_uppercase(),
        departure_time: row.departure_time,
        arrival_time: row.arrival_time,
        duration: row.duration,
        aircraft: row.aircraft,
        base_price: Money::won(row.base_price.into()),
        total_seats: row.total_seats.map_or(TOTAL_SEATS, i64::from),
        is_active: row.is_active.unwrap_or(true),
    }))
}

/// Writes a locked flight anew.
pub(super) async fn update(connection: &mut MySqlConnection, flight: &Flight) -> sqlx::Result<()> {
    sqlx::query!(
        "update flights set airline = ?, departure_airport = ?, arrival_airport = ?, departure_time = ?,
                            arrival_time = ?, duration = ?, aircraft = ?, base_price = ?, total_seats = ?, is_active = ?
         where flight_id = ?",
        flight.airline,
        flight.departure_airport,
        flight.arrival_airport,
        flight.departure_time,
        flight.arrival_time,
        flight.duration,
        flight.aircraft,
        flight.base_price.as_won(),
        flight.total_seats,
        flight.is_active,
        flight.number,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Lets sales that have read the flight and wait for a day of it, from `first` on, see that they must read it again.
pub(super) async fn tell_schedules(
    connection: &mut MySqlConnection,
    flight_id: &str,
    first: NaiveDate,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update flight_schedules set flight_revision = flight_revision + 1 where flight_id = ? and flight_date >= ?",
        flight_id,
        first,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The days of a flight from `first` on.
pub(super) async fn days_from(
    connection: &mut MySqlConnection,
    flight_id: &str,
    first: NaiveDate,
) -> sqlx::Result<Vec<NaiveDate>> {
    let ids = ids_from(connection, flight_id, first).await?;
    Ok(ids.into_iter().map(|(_, day)| day).collect())
}

/// The schedules of a flight from `first` on, each with its day.
pub(super) async fn ids_from(
    connection: &mut MySqlConnection,
    flight_id: &str,
    first: NaiveDate,
) -> sqlx::Result<Vec<(i64, NaiveDate)>> {
    let rows = sqlx::query!(
        "select schedule_id, flight_date from flight_schedules where flight_id = ? and flight_date >= ?
         order by schedule_id",
        flight_id,
        first,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.schedule_id, row.flight_date)).collect())
}

/// A day of a flight, while this transaction holds its row.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) schedule_id: i64,
    pub(super) flight_date: NaiveDate,
    pub(super) current_price: Money,
    pub(super) available_seats: i64,
    pub(super) status: ScheduleStatus,
    /// Whether the airline has cancelled it.
    pub(super) is_cancelled: bool,
    /// How many seats are sold or held.
    pub(super) taken: i64,
    /// How many seats' holds have lapsed: free, but not yet given back to `available_seats`.
    lapsed: i64,
    /// How many bookings are confirmed, or may still be paid.
    pub(super) live_bookings: i64,
    /// How many payments hold seats for a booking that is still to come.
    reservations: i64,
}

impl Day {
    /// Whether somebody has been promised this flight.
    pub(super) fn is_promised(&self) -> bool {
        self.live_bookings > 0 || self.reservations > 0
    }

    /// What must be written for `wanted` seats to be free, or as many as an aircraft with `total` has left.
    pub(super) fn seats_of(&self, wanted: i64, total: i64) -> Seats {
        let free = wanted.min(total - self.taken) - self.lapsed;
        Seats { available: free.max(0), oversold: (-free).max(0) }
    }

    /// How many seats are for sale in all with these, those that are taken included. No sale and no release changes
    /// it, so reconciliation counts by it.
    pub(super) fn capacity_with(&self, seats: Seats) -> i64 {
        seats.available - seats.oversold + self.taken + self.lapsed
    }
}

/// A day's seats as they are counted: what may be sold, and what must come back before any of it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seats {
    pub(super) available: i64,
    /// How many of the seats that come back are owed: more are taken, or about to be given back, than there are.
    pub(super) oversold: i64,
}

/// Locks a flight's days from `first` on until the transaction ends. The flight is locked: nobody else locks several
/// of them, so their order doesn't matter.
pub(super) async fn lock_days(
    connection: &mut MySqlConnection,
    flight_id: &str,
    first: NaiveDate,
) -> sqlx::Result<BTreeMap<NaiveDate, Day>> {
    sqlx::query!(
        "select schedule_id from flight_schedules force index (uq_flight_schedules_flight_id_flight_date)
         where flight_id = ? and flight_date >= ? order by schedule_id for update",
        flight_id,
        first,
    )
    .fetch_all(&mut *connection)
    .await?;
    // Claims, and so what lives on them, change under the day's lock: what is read now stays true.
    let rows = sqlx::query!(
        r#"select s.schedule_id, s.flight_date, s.current_price, s.available_seats, s.status as "status: ScheduleStatus",
                  s.cancelled_at is not null as "is_cancelled!: bool",
                  (select cast(coalesce(sum(c.quantity), 0) as signed) from claims c
                   where c.pool_id = s.schedule_id and (c.held_until is null or c.held_until > now(6))) as "taken!: i64",
                  (select cast(coalesce(sum(c.quantity), 0) as signed) from claims c
                   where c.pool_id = s.schedule_id and c.held_until <= now(6)) as "lapsed!: i64",
                  (select count(*) from bookings b
                   where b.schedule_id = s.schedule_id
                     and (b.status = 'CONFIRMED'
                          or (b.status = 'PENDING' and coalesce(b.payment_due_at > now(6), true))))
                      as "live_bookings!: i64",
                  (select count(*) from payments p join claims c on c.hold_id = p.hold_id
                   where p.schedule_id = s.schedule_id and p.booking_id is null
                     and (c.held_until is null or c.held_until > now(6))) as "reservations!: i64"
           from flight_schedules s where s.flight_id = ? and s.flight_date >= ?"#,
        flight_id,
        first,
    )
    .fetch_all(connection)
    .await?;
    let days = rows.into_iter().map(|row| {
        let day = Day {
            schedule_id: row.schedule_id,
            flight_date: row.flight_date,
            current_price: Money::won(row.current_price.into()),
            available_seats: row.available_seats.into(),
            status: row.status.unwrap_or_default(),
            is_cancelled: row.is_cancelled,
            taken: row.taken,
            lapsed: row.lapsed,
            live_bookings: row.live_bookings,
            reservations: row.reservations,
        };
        (row.flight_date, day)
    });
    Ok(days.collect())
}

/// Publishes new days of a flight.
pub(super) async fn insert_days(
    connection: &mut MySqlConnection,
    flight_id: &str,
    season: &Season,
    days: &[NaiveDate],
) -> sqlx::Result<()> {
    for days in days.chunks(AT_ONCE) {
        let mut insert =
            QueryBuilder::new("insert into flight_schedules (flight_id, flight_date, current_price, available_seats) ");
        insert.push_values(days, |mut row, day| {
            row.push_bind(flight_id).push_bind(day).push_bind(season.price.as_won()).push_bind(season.seats);
        });
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Publishes a locked day anew, whatever had become of it.
pub(super) async fn publish_anew(
    connection: &mut MySqlConnection,
    schedule_id: i64,
    price: Money,
    seats: Seats,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update flight_schedules
         set current_price = ?, available_seats = ?, oversold = ?, status = 'ACTIVE', cancelled_at = null
         where schedule_id = ?",
        price.as_won(),
        seats.available,
        seats.oversold,
        schedule_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Lets a locked day have these seats.
pub(super) async fn set_seats(connection: &mut MySqlConnection, schedule_id: i64, seats: Seats) -> sqlx::Result<()> {
    sqlx::query!(
        "update flight_schedules set available_seats = ?, oversold = ? where schedule_id = ?",
        seats.available,
        seats.oversold,
        schedule_id,
    )
    .execute(connection)
    .await
    .map(drop)
}
