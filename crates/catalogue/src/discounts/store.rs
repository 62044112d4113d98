//! The SQL of discounts.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use common::db;
use common::money::Money;
use common::page::Page;
use sqlx::{MySqlConnection, MySqlPool};

use super::{DiscountStatus, ListedDiscount};
use crate::flights::AIRLINE;
use crate::schedules::unit_price;

/// The key that lets a schedule have one active discount.
const ONE_PER_SCHEDULE: &str = "uq_flight_discounts_active_schedule_id";

/// The discounts that count, newest first.
pub(super) async fn list(db: &MySqlPool, page: Page) -> sqlx::Result<Vec<ListedDiscount>> {
    let rows = sqlx::query!(
        r#"select d.discount_id, d.schedule_id, d.discount_percentage as "discount_percentage: u8",
                  d.created_at as "created_at: DateTime<Utc>", s.flight_id, s.flight_date, s.current_price,
                  f.departure_airport, f.arrival_airport, f.departure_time, f.arrival_time, f.duration, f.airline,
                  a.airport_name as departure_name, b.airport_name as arrival_name
           from flight_discounts d
           join flight_schedules s on s.schedule_id = d.schedule_id
           join flights f on f.flight_id = s.flight_id
           join airports a on a.airport_code = f.departure_airport
           join airports b on b.airport_code = f.arrival_airport
           where d.status = 'ACTIVE'
           order by d.created_at desc, d.discount_id desc
           limit ? offset ?"#,
        page.limit(),
        page.offset(),
    )
    .fetch_all(db)
    .await?;
    let listed = rows.into_iter().map(|row| {
        let price = Money::won(row.current_price.into());
        ListedDiscount {
            discount_id: row.discount_id,
            schedule_id: row.schedule_id,
            discount_percentage: row.discount_percentage,
            status: DiscountStatus::Active,
            created_at: row.created_at,
            flight_id: row.flight_id,
            flight_date: row.flight_date,
            current_price: price,
            discounted_price: unit_price(price, Some(row.discount_percentage)),
            departure_airport: row.departure_airport,
            arrival_airport: row.arrival_airport,
            departure_time: row.departure_time,
            arrival_time: row.arrival_time,
            duration: row.duration,
            airline: row.airline.unwrap_or_else(|| AIRLINE.to_owned()),
            departure_name: row.departure_name,
            arrival_name: row.arrival_name,
        }
    });
    Ok(listed.collect())
}

/// Writes a new discount. `None`: the schedule has one already.
pub(super) async fn insert(
    connection: &mut MySqlConnection,
    schedule_id: i64,
    percentage: u8,
) -> sqlx::Result<Option<i64>> {
    let done = sqlx::query!(
        "insert into flight_discounts (schedule_id, discount_percentage) values (?, ?)",
        schedule_id,
        percentage
    )
    .execute(connection)
    .await;
    match done {
        Ok(done) => Ok(i64::try_from(done.last_insert_id()).ok()),
        Err(error) if db::violated_constraint(&error) == Some(ONE_PER_SCHEDULE) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends a discount if it counts. Answers whether it did.
pub(super) async fn end(
    connection: &mut MySqlConnection,
    discount_id: i64,
    ended: DiscountStatus,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update flight_discounts set status = ? where discount_id = ? and status = 'ACTIVE'",
        ended,
        discount_id
    );
    Ok(done.execute(connection).await?.rows_affected() == 1)
}

/// The schedule that a discount is, or was, for.
pub(super) async fn schedule_of(connection: &mut MySqlConnection, discount_id: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar!("select schedule_id from flight_discounts where discount_id = ?", discount_id)
        .fetch_one(connection)
        .await
}

/// A discount that counts, and when its flight leaves.
pub(super) struct Active {
    pub(super) discount_id: i64,
    pub(super) flight_date: NaiveDate,
    pub(super) departure_time: NaiveTime,
    pub(super) time_zone: String,
}

/// At most `limit` discounts that count for flights of days before `today`, the oldest first.
pub(super) async fn active_before(db: &MySqlPool, today: NaiveDate, limit: u32) -> sqlx::Result<Vec<Active>> {
    sqlx::query_as!(
        Active,
        "select d.discount_id, s.flight_date, f.departure_time, a.time_zone
         from flight_discounts d
         join flight_schedules s on s.schedule_id = d.schedule_id
         join flights f on f.flight_id = s.flight_id
         join airports a on a.airport_code = f.departure_airport
         where d.status = 'ACTIVE' and s.flight_date < ?
         order by s.flight_date, d.discount_id
         limit ?",
        today,
        limit,
    )
    .fetch_all(db)
    .await
}
