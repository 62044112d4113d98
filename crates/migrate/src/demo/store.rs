//! The SQL of the demo data. Rows are inserted only where they are missing; where somebody was quicker, theirs stays.
//!
//! Missing rows are looked for first, because an insert that meets an existing row uses up an id, and a reload would
//! leave gaps in the schedules' ids.

use std::collections::HashSet;

use chrono::NaiveDate;
use sqlx::{MySqlConnection, QueryBuilder};

use super::network::{Airport, Cabin, Flight};
use super::{ActiveFlight, NewSchedule};

pub(super) async fn add_airports(connection: &mut MySqlConnection, airports: &[Airport]) -> sqlx::Result<u64> {
    let there: HashSet<String> = sqlx::query_scalar("select airport_code from airports")
        .fetch_all(&mut *connection)
        .await?
        .into_iter()
        .collect();
    let missing: Vec<&Airport> = airports.iter().filter(|airport| !there.contains(airport.code)).collect();
    if missing.is_empty() {
        return Ok(0);
    }
    QueryBuilder::new("insert into airports (airport_code, airport_name, city, country, time_zone) ")
        .push_values(&missing, |mut row, airport| {
            row.push_bind(airport.code)
                .push_bind(airport.name)
                .push_bind(airport.city)
                .push_bind(airport.country)
                .push_bind(airport.zone.name());
        })
        .push(" on duplicate key update airport_code = airport_code")
        .build()
        .execute(connection)
        .await?;
    Ok(missing.len() as u64)
}

pub(super) async fn add_cabins(connection: &mut MySqlConnection, cabins: &[Cabin]) -> sqlx::Result<()> {
    QueryBuilder::new("insert into cabins (aircraft, row_count, letters, exits) ")
        .push_values(cabins, |mut row, cabin| {
            row.push_bind(cabin.aircraft).push_bind(25).push_bind("ABC DEF").push_bind(cabin.exits);
        })
        .push(" on duplicate key update cabins.aircraft = cabins.aircraft")
        .build()
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn add_flights(connection: &mut MySqlConnection, flights: &[Flight]) -> sqlx::Result<u64> {
    let there: HashSet<String> =
        sqlx::query_scalar("select flight_id from flights").fetch_all(&mut *connection).await?.into_iter().collect();
    let missing: Vec<&Flight> = flights.iter().filter(|flight| !there.contains(flight.number)).collect();
    if missing.is_empty() {
        return Ok(0);
    }
    QueryBuilder::new(
        "insert into flights (flight_id, departure_airport, arrival_airport, departure_time, arrival_time, duration, \
         aircraft, base_price) ",
    )
    .push_values(&missing, |mut row, flight| {
        row.push_bind(flight.number)
            .push_bind(flight.from)
            .push_bind(flight.to)
            .push_bind(flight.departs)
            .push_bind(flight.arrives)
            .push_bind(&flight.duration)
            .push_bind(flight.aircraft)
            .push_bind(flight.base_price);
    })
    .push(" on duplicate key update flight_id = flight_id")
    .build()
    .execute(connection)
    .await?;
    Ok(missing.len() as u64)
}

/// Every flight on sale, people's own among them.
pub(super) async fn active_flights(connection: &mut MySqlConnection) -> sqlx::Result<Vec<ActiveFlight>> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select flight_id, cast(base_price as signed), cast(coalesce(total_seats, 180) as signed)
         from flights where coalesce(is_active, true) order by flight_id",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(flight_id, base_price, total_seats)| ActiveFlight { flight_id, base_price, total_seats })
        .collect())
}

/// The flights and days from `first` to `last` that have a schedule.
pub(super) async fn schedules(
    connection: &mut MySqlConnection,
    first: NaiveDate,
    last: NaiveDate,
) -> sqlx::Result<HashSet<(String, NaiveDate)>> {
    let rows: Vec<(String, NaiveDate)> =
        sqlx::query_as("select flight_id, flight_date from flight_schedules where flight_date between ? and ?")
            .bind(first)
            .bind(last)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

pub(super) async fn add_schedules(connection: &mut MySqlConnection, schedules: &[NewSchedule]) -> sqlx::Result<u64> {
    // A statement takes 65,535 values at most; a day's flights by the thousand stay below that.
    for some in schedules.chunks(1000) {
        QueryBuilder::new("insert into flight_schedules (flight_id, flight_date, current_price, available_seats) ")
            .push_values(some, |mut row, schedule| {
                row.push_bind(&schedule.flight_id)
                    .push_bind(schedule.flight_date)
                    .push_bind(schedule.price)
                    .push_bind(schedule.seats);
            })
            .push(" on duplicate key update schedule_id = schedule_id")
            .build()
            .execute(&mut *connection)
            .await?;
    }
    Ok(schedules.len() as u64)
}

/// Puts an offer on a schedule that is on sale, unless somebody ever put one there.
pub(super) async fn add_discount(
    connection: &mut MySqlConnection,
    flight_id: &str,
    date: NaiveDate,
    percent: i64,
) -> sqlx::Result<u64> {
    let inserted = sqlx::query(
        "insert into flight_discounts (schedule_id, discount_percentage)
         select s.schedule_id, ?
         from flight_schedules s
         join flights f on f.flight_id = s.flight_id
         where s.flight_id = ? and s.flight_date = ?
           and coalesce(s.status, 'ACTIVE') = 'ACTIVE' and coalesce(f.is_active, true)
           and not exists (select 1 from flight_discounts d where d.schedule_id = s.schedule_id)
         on duplicate key update flight_discounts.discount_id = flight_discounts.discount_id",
    )
    .bind(percent)
    .bind(flight_id)
    .bind(date)
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected())
}
