//! The SQL of schedules.

use chrono::NaiveDate;
use common::money::Money;
use common::page::Page;
use sqlx::{MySqlConnection, MySqlPool};

use super::{ListedSchedule, Schedule, ScheduleStatus};
use crate::cabin::Cabin;
use crate::discounts::DiscountStatus;
use crate::flights::AIRLINE;

/// The schedule with this id.
pub async fn find(connection: &mut MySqlConnection, schedule_id: i64) -> sqlx::Result<Option<Schedule>> {
    let row = sqlx::query!(
        r#"select s.schedule_id, s.flight_id, s.flight_date, s.available_seats, s.current_price, s.status as "status: ScheduleStatus",
                  (s.cancelled_at is not null) as "is_grounded: bool", s.flight_revision,
                  f.airline, f.departure_airport, f.arrival_airport, f.departure_time, f.arrival_time, f.duration,
                  f.aircraft, f.is_active as "is_active: bool", a.time_zone, d.discount_percentage,
                  c.row_count, c.letters, c.exits, c.blocked
           from flight_schedules s
           join flights f on f.flight_id = s.flight_id
           join airports a on a.airport_code = f.departure_airport
           left join flight_discounts d on d.active_schedule_id = s.schedule_id
           left join cabins c on c.aircraft = f.aircraft
           where s.schedule_id = ?"#,
        schedule_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Schedule {
        schedule_id: row.schedule_id,
        flight_id: row.flight_id,
        airline: row.airline.unwrap_or_else(|| AIRLINE.to_owned()),
        departure_airport: row.departure_airport,
        arrival_airport: row.arrival_airport,
        departure_zone: row.time_zone,
        flight_date: row.flight_date,
        departure_time: row.departure_time,
        arrival_time: row.arrival_time,
        duration: row.duration,
        aircraft: row.aircraft,
        cabin: Cabin::read(row.row_count, row.letters, row.exits, row.blocked),
        available_seats: row.available_seats.into(),
        current_price: Money::won(row.current_price.into()),
        discount_percentage: row.discount_percentage.and_then(|p| u8::try_from(p).ok()),
        status: row.status.unwrap_or_default(),
        is_grounded: row.is_grounded,
        is_active: row.is_active.unwrap_or(true),
        flight_revision: row.flight_revision,
    }))
}

/// The key of the cached searches that show this schedule.
pub async fn search_key_of(connection: &mut MySqlConnection, schedule_id: i64) -> sqlx::Result<Option<String>> {
    let row = sqlx::query!(
        "select f.departure_airport, f.arrival_airport, s.flight_date
         from flight_schedules s join flights f on f.flight_id = s.flight_id
         where s.schedule_id = ?",
        schedule_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| crate::search_key(&row.departure_airport, &row.arrival_airport, row.flight_date)))
}

/// How many seats nobody holds or has bought, of what is flown as planned from `today` on, by flights on sale.
pub async fn free_seats(connection: &mut MySqlConnection, today: NaiveDate) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select cast(coalesce(sum(s.available_seats), 0) as signed) as "free!: i64"
           from flight_schedules s
           join flights f on f.flight_id = s.flight_id
           where s.flight_date >= ?
             and (s.status = 'ACTIVE' or s.status is null)
             and (f.is_active or f.is_active is null)"#,
        today,
    )
    .fetch_one(connection)
    .await
}

/// What is flown as planned from `today` on, by flights on sale: the earliest first.
pub(super) async fn list(db: &MySqlPool, today: NaiveDate, page: Page) -> sqlx::Result<Vec<ListedSchedule>> {
    let rows = sqlx::query!(
        r#"select s.schedule_id, s.flight_id, s.flight_date, s.current_price, f.departure_airport, f.arrival_airport,
                  f.departure_time, f.arrival_time, f.duration, f.airline, f.aircraft,
                  a.airport_name as departure_name, b.airport_name as arrival_name,
                  d.discount_percentage as "discount_percentage: u8"
           from flight_schedules s
           join flights f on f.flight_id = s.flight_id
           join airports a on a.airport_code = f.departure_airport
           join airports b on b.airport_code = f.arrival_airport
           left join flight_discounts d on d.active_schedule_id = s.schedule_id
           where s.flight_date >= ?
             and (s.status = 'ACTIVE' or s.status is null)
             and (f.is_active or f.is_active is null)
           order by s.flight_date, f.departure_time, s.schedule_id
           limit ? offset ?"#,
        today,
        page.limit(),
        page.offset(),
    )
    .fetch_all(db)
    .await?;
    let listed = rows.into_iter().map(|row| ListedSchedule {
        schedule_id: row.schedule_id,
        flight_id: row.flight_id,
        flight_date: row.flight_date,
        current_price: Money::won(row.current_price.into()),
        departure_airport: row.departure_airport,
        arrival_airport: row.arrival_airport,
        departure_time: row.departure_time,
        arrival_time: row.arrival_time,
        duration: row.duration,
        airline: row.airline.unwrap_or_else(|| AIRLINE.to_owned()),
        aircraft: row.aircraft,
        departure_name: row.departure_name,
        arrival_name: row.arrival_name,
        discount_percentage: row.discount_percentage,
        discount_status: row.discount_percentage.map(|_| DiscountStatus::Active),
    });
    Ok(listed.collect())
}
