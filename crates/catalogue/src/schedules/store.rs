//! The SQL of schedules.

use common::money::Money;
use sqlx::MySqlConnection;

use super::{Schedule, ScheduleStatus};

/// The schedule with this id.
pub async fn find(connection: &mut MySqlConnection, schedule_id: i64) -> sqlx::Result<Option<Schedule>> {
    let row = sqlx::query!(
        r#"select s.schedule_id, s.flight_id, s.flight_date, s.current_price, s.status as "status: ScheduleStatus",
                  f.airline, f.departure_airport, f.arrival_airport, f.departure_time, f.arrival_time, f.duration,
                  f.aircraft, f.is_active as "is_active: bool", a.time_zone, d.discount_percentage
           from flight_schedules s
           join flights f on f.flight_id = s.flight_id
           join airports a on a.airport_code = f.departure_airport
           left join flight_discounts d on d.active_schedule_id = s.schedule_id
           where s.schedule_id = ?"#,
        schedule_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Schedule {
        schedule_id: row.schedule_id,
        flight_id: row.flight_id,
        airline: row.airline.unwrap_or_else(|| "CloudJet".to_owned()),
        departure_airport: row.departure_airport,
        arrival_airport: row.arrival_airport,
        departure_zone: row.time_zone,
        flight_date: row.flight_date,
        departure_time: row.departure_time,
        arrival_time: row.arrival_time,
        duration: row.duration,
        aircraft: row.aircraft,
        current_price: Money::won(row.current_price.into()),
        discount_percentage: row.discount_percentage.and_then(|p| u8::try_from(p).ok()),
        status: row.status.unwrap_or_default(),
        is_active: row.is_active.unwrap_or(true),
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
