//! The SQL of offers.
//!
//! The original's columns `airline`, `is_active` and `status` may be null, which means their defaults. The flights
//! of a route and the schedule of a flight on a day are found by their indexes, and so are lapsed claims.

use chrono::{NaiveDate, NaiveTime};
use sqlx::MySqlPool;

use super::{Journey, Offer};

/// How many discounted offers are read at once.
pub(super) const PAGE: usize = 50;

/// Reads whatever is on sale, but for departures, and matches `$which`.
macro_rules! offers {
    ($which:tt, $($argument:expr),+) => {
        sqlx::query_as!(
            Offer,
            r#"select s.schedule_id, s.flight_id, coalesce(f.airline, 'CloudJet') as "airline!",
                      f.departure_airport, a.airport_name as departure_name, a.city as departure_city,
                      a.time_zone as departure_zone,
                      f.arrival_airport, b.airport_name as arrival_name, b.city as arrival_city,
                      s.flight_date, f.departure_time, f.arrival_time, f.duration, f.aircraft,
                      s.current_price as "current_price: i64", d.discount_percentage,
                      cast(s.available_seats - s.oversold + (select coalesce(sum(c.quantity), 0) from claims c
                                                             where c.pool_id = s.schedule_id and c.held_until <= now(6))
                           as signed) as "free_seats!: i64"
               from flight_schedules s
               join flights f on f.flight_id = s.flight_id
               join airports a on a.airport_code = f.departure_airport
               join airports b on b.airport_code = f.arrival_airport
               left join flight_discounts d on d.active_schedule_id = s.schedule_id
               where (s.status = 'ACTIVE' or s.status is null)
                 and (f.is_active or f.is_active is null)
                 and (s.available_seats > 0
                      or s.oversold < (select sum(c.quantity) from claims c
                                       where c.pool_id = s.schedule_id and c.held_until <= now(6)))
                 and "# + $which,
            $($argument),+
        )
    };
}

/// The offers for a journey.
pub(super) async fn of_journey(db: &MySqlPool, journey: &Journey) -> sqlx::Result<Vec<Offer>> {
    offers!(
        "f.departure_airport = ? and f.arrival_airport = ? and s.flight_date = ?",
        journey.from.as_str(),
        journey.to.as_str(),
        journey.date
    )
    .fetch_all(db)
    .await
}

/// One page of the discounted offers from `today` on, best first.
pub(super) async fn discounted(db: &MySqlPool, today: NaiveDate, page: usize) -> sqlx::Result<Vec<Offer>> {
    offers!(
        "d.active_schedule_id is not null and s.flight_date >= ?
         order by d.discount_percentage desc, s.flight_date, s.schedule_id
         limit ? offset ?",
        today,
        i64::try_from(PAGE).unwrap_or(i64::MAX),
        i64::try_from(page.saturating_mul(PAGE)).unwrap_or(i64::MAX)
    )
    .fetch_all(db)
    .await
}

/// A schedule on sale, and how many of its seats are free.
pub(super) struct OnSale {
    pub(super) schedule_id: i64,
    pub(super) departure_time: NaiveTime,
    pub(super) departure_zone: String,
    pub(super) free_seats: i64,
}

/// The schedules on sale for a journey, but for departures: the rule of [`of_journey`], without what it shows.
pub(super) async fn free_seats(db: &MySqlPool, journey: &Journey) -> sqlx::Result<Vec<OnSale>> {
    sqlx::query_as!(
        OnSale,
        r#"select s.schedule_id, f.departure_time, a.time_zone as departure_zone,
                  cast(s.available_seats - s.oversold + (select coalesce(sum(c.quantity), 0) from claims c
                                                         where c.pool_id = s.schedule_id and c.held_until <= now(6))
                       as signed) as "free_seats!: i64"
           from flight_schedules s
           join flights f on f.flight_id = s.flight_id
           join airports a on a.airport_code = f.departure_airport
           where (s.status = 'ACTIVE' or s.status is null)
             and (f.is_active or f.is_active is null)
             and (s.available_seats > 0
                  or s.oversold < (select sum(c.quantity) from claims c
                                   where c.pool_id = s.schedule_id and c.held_until <= now(6)))
             and f.departure_airport = ? and f.arrival_airport = ? and s.flight_date = ?"#,
        journey.from.as_str(),
        journey.to.as_str(),
        journey.date,
    )
    .fetch_all(db)
    .await
}
