//! The SQL of what is seen of bookings: reads only, so nothing here takes a lock.

use std::collections::HashMap;

use catalogue::Cabin;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use common::money::Money;
use common::page::Page;
use sqlx::{MySqlConnection, QueryBuilder};

use super::{BookedPassenger, Booking, Filter};
use crate::bookings::{BookingStatus, CancelReason, Gender};

/// A booking's row, joined with names, before its passengers are known. What was sold stands before what is flown
/// now; bookings of the original kept no facts and show their schedule's.
macro_rules! select_bookings {
    ($rest:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"select b.booking_id, b.booking_number, b.user_id, u.name as user_name, u.email as user_email, b.schedule_id, b.seat_number,
                      b.total_amount, b.contact_email, b.contact_phone, b.payment_method,
                      if(b.status = 'PENDING' and b.payment_due_at <= now(6), 'CANCELLED', b.status) as "status!: BookingStatus",
                      if(b.status = 'PENDING' and b.payment_due_at <= now(6), 'EXPIRED', b.cancel_reason) as "cancel_reason: CancelReason",
                      if(b.status = 'PENDING' and b.payment_due_at > now(6), b.payment_due_at, null) as "payment_due_at: DateTime<Utc>",
                      b.created_at, s.flight_date,
                      coalesce(b.flight_id, s.flight_id) as "flight_id!: String",
                      coalesce(b.airline, f.airline, '') as "airline!: String",
                      coalesce(b.departure_airport, f.departure_airport) as "departure_airport!: String",
                      coalesce(b.arrival_airport, f.arrival_airport) as "arrival_airport!: String",
                      departure.airport_name as departure_name, arrival.airport_name as arrival_name,
                      coalesce(b.departure_time, f.departure_time) as "departure_time!: NaiveTime",
                      coalesce(b.arrival_time, f.arrival_time) as "arrival_time!: NaiveTime",
                      coalesce(b.duration, f.duration) as "duration!: String",
                      coalesce(b.aircraft, f.aircraft) as "aircraft!: String"
               from bookings b
               join users u on u.user_id = b.user_id
               join flight_schedules s on s.schedule_id = b.schedule_id
               join flights f on f.flight_id = s.flight_id
               join airports departure on departure.airport_code = coalesce(b.departure_airport, f.departure_airport)
               join airports arrival on arrival.airport_code = coalesce(b.arrival_airport, f.arrival_airport)"# + $rest,
            $($argument),*
        )
    };
}

pub(super) async fn of_user(connection: &mut MySqlConnection, user_id: i64, page: Page) -> sqlx::Result<Vec<Booking>> {
    let rows = select_bookings!(
        " where b.user_id = ? order by b.created_at desc, b.booking_id desc limit ? offset ?",
        user_id,
        page.limit(),
        page.offset()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Booking::from).collect())
}

pub(super) async fn by_id(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Vec<Booking>> {
    let rows = select_bookings!(" where b.booking_id = ?", booking_id).fetch_all(connection).await?;
    Ok(rows.into_iter().map(Booking::from).collect())
}

/// Those that come `after` the booking that was made then and has this id. The page is cut before its names are looked up:
/// left to itself the server joins everything first.
pub(super) async fn fitting(
    connection: &mut MySqlConnection,
    filter: &Filter,
    after: Option<(DateTime<Utc>, i64)>,
    page: Page,
) -> sqlx::Result<Vec<Booking>> {
    let Filter { status, flight_id, flight_date, user_id } = filter;
    let (made, booking_id) = after.unzip();
    let rows = select_bookings!(
        " join (select b.booking_id from bookings b
                where (? is null or if(b.status = 'PENDING' and b.payment_due_at <= now(6), 'CANCELLED', b.status) = ?)
                  and (? is null or b.user_id = ?)
                  and (? is null and ? is null
                       or b.schedule_id in (select s.schedule_id from flight_schedules s
                                            where (? is null or s.flight_id = ?) and (? is null or s.flight_date = ?)))
                  and (? is null or b.created_at <= ? and (b.created_at < ? or b.booking_id < ?))
                order by b.created_at desc, b.booking_id desc limit ? offset ?) page on page.booking_id = b.booking_id
          order by b.created_at desc, b.booking_id desc",
        status,
        status,
        user_id,
        user_id,
        flight_id,
        flight_date,
        flight_id,
        flight_id,
        flight_date,
        flight_date,
        made,
        made,
        made,
        booking_id,
        page.limit(),
        page.offset()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Booking::from).collect())
}

/// Each table is read through once: no index knows what stands in the middle of a text.
pub(super) async fn containing(connection: &mut MySqlConnection, term: &str, page: Page) -> sqlx::Result<Vec<Booking>> {
    let pattern = pattern_containing(term);
    let rows = select_bookings!(
        " join (select b.booking_id from bookings b
                where b.booking_number like ? escape '!' or b.contact_email like ? escape '!'
                   or b.flight_id like ? escape '!'
                   or b.flight_id is null and b.schedule_id in (select s.schedule_id from flight_schedules s
                                                                where s.flight_id like ? escape '!')
                   or b.user_id in (select u.user_id from users u
                                    where u.name like ? escape '!' or u.email like ? escape '!')
                   or b.booking_id in (select p.booking_id from passengers p
                                       where p.name_kor like ? escape '!' or p.name_eng like ? escape '!')
                order by b.created_at desc, b.booking_id desc limit ? offset ?) page on page.booking_id = b.booking_id
          order by b.created_at desc, b.booking_id desc",
        pattern,
        pattern,
        pattern,
        pattern,
        pattern,
        pattern,
        pattern,
        pattern,
        page.limit(),
        page.offset()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Booking::from).collect())
}

/// What `like … escape '!'` takes for "`term` stands in it", whatever characters it has.
fn pattern_containing(term: &str) -> String {
    let mut pattern = String::from("%");
    for c in term.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

struct Row {
    booking_id: i64,
    booking_number: String,
    user_id: i64,
    user_name: String,
    user_email: String,
    schedule_id: i64,
    seat_number: Option<String>,
    total_amount: i32,
    contact_email: String,
    contact_phone: String,
    payment_method: String,
    status: BookingStatus,
    cancel_reason: Option<CancelReason>,
    payment_due_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    flight_date: NaiveDate,
    flight_id: String,
    airline: String,
    departure_airport: String,
    arrival_airport: String,
    departure_name: String,
    arrival_name: String,
    departure_time: NaiveTime,
    arrival_time: NaiveTime,
    duration: String,
    aircraft: String,
}

impl From<Row> for Booking {
    fn from(row: Row) -> Self {
        Self {
            booking_id: row.booking_id,
            booking_number: row.booking_number,
            user_id: row.user_id,
            user_name: row.user_name,
            user_email: row.user_email,
            schedule_id: row.schedule_id,
            seat_number: row.seat_number,
            total_amount: Money::won(row.total_amount.into()),
            contact_email: row.contact_email,
            contact_phone: row.contact_phone,
            payment_method: row.payment_method,
            status: row.status,
            cancel_reason: row.cancel_reason,
            payment_due_at: row.payment_due_at,
            created_at: row.created_at,
            flight_date: row.flight_date,
            flight_id: row.flight_id,
            airline: row.airline,
            departure_airport: row.departure_airport,
            arrival_airport: row.arrival_airport,
            departure_name: row.departure_name,
            arrival_name: row.arrival_name,
            departure_time: row.departure_time,
            arrival_time: row.arrival_time,
            duration: row.duration,
            aircraft: row.aircraft,
            passengers: Vec::new(),
        }
    }
}

type PassengerColumns = (i64, i64, String, Option<String>, NaiveDate, Option<Gender>, Option<String>);

/// The passengers of all these bookings, in the order they were entered.
pub(in crate::bookings) async fn passengers_of(
    connection: &mut MySqlConnection,
    bookings: &[i64],
) -> sqlx::Result<Vec<BookedPassenger>> {
    if bookings.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = QueryBuilder::new(
        "select booking_id, passenger_id, name_kor, name_eng, birth_date, gender, seat_number
         from passengers where booking_id in (",
    );
    let mut ids = select.separated(", ");
    for id in bookings {
        ids.push_bind(id);
    }
    select.push(") order by passenger_id");
    let rows: Vec<PassengerColumns> = select.build_query_as().fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(booking_id, passenger_id, name_kor, name_eng, birth_date, gender, seat_number)| BookedPassenger {
            booking_id,
            passenger_id,
            name_kor,
            name_eng,
            birth_date,
            gender,
            seat_number,
        })
        .collect())
}

/// What is flown on a schedule, in which cabin, and how many more can be booked.
pub(super) struct CabinOnSale {
    pub(super) flight_id: String,
    pub(super) flight_date: NaiveDate,
    pub(super) aircraft: String,
    pub(super) cabin: Cabin,
    pub(super) available: i64,
}

/// A schedule's cabin, and how much of it is free. What has lapsed counts as free, as in searches.
pub(super) async fn cabin_on_sale(
    connection: &mut MySqlConnection,
    schedule_id: i64,
) -> sqlx::Result<Option<CabinOnSale>> {
    let row = sqlx::query!(
        r#"select s.flight_id, s.flight_date, f.aircraft, c.row_count, c.letters, c.exits, c.blocked,
                  cast(s.available_seats - s.oversold + (select coalesce(sum(l.quantity), 0) from claims l
                                                         where l.pool_id = s.schedule_id and l.held_until <= now(6))
                       as signed) as "available!: i64"
           from flight_schedules s
           join flights f on f.flight_id = s.flight_id
           left join cabins c on c.aircraft = f.aircraft
           where s.schedule_id = ?"#,
        schedule_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| CabinOnSale {
        flight_id: row.flight_id,
        flight_date: row.flight_date,
        aircraft: row.aircraft,
        cabin: Cabin::read(row.row_count, row.letters, row.exits, row.blocked),
        available: row.available.max(0),
    }))
}

/// How many ids one statement may list: the server takes 65,535 parameters and no more.
const LISTED: usize = 10_000;

/// Puts each booking's passengers on it: one query for all of them, however many there reasonably are.
pub(super) async fn seat_passengers(connection: &mut MySqlConnection, bookings: &mut [Booking]) -> sqlx::Result<()> {
    for bookings in bookings.chunks_mut(LISTED) {
        let ids: Vec<i64> = bookings.iter().map(|b| b.booking_id).collect();
        let mut by_id: HashMap<i64, &mut Booking> = bookings.iter_mut().map(|b| (b.booking_id, b)).collect();
        for passenger in passengers_of(connection, &ids).await? {
            if let Some(booking) = by_id.get_mut(&passenger.booking_id) {
                booking.passengers.push(passenger);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_stands_for_itself() {
        assert_eq!(pattern_containing("kim"), "%kim%");
        assert_eq!(pattern_containing("100%_!"), "%100!%!_!!%");
    }
}
