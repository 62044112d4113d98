//! Demo data: something to search, book and offer on a developer's machine, for the thirty days from today in Seoul.
//!
//! Loading it again only adds what is missing. What people changed meanwhile (a price, a seat, a discount they
//! ended, the passenger's password) is left alone, and a reload on a later day adds the days that came. Prices, free
//! seats and discounts are drawn, but by a generator seeded with what they belong to, so every machine draws the same.
//!
//! It writes tables of others and knows no cache: a running flight-service shows new schedules when its own entries
//! have expired.

mod draw;
mod network;
mod store;

use std::collections::HashSet;
use std::fmt;

use chrono::{Datelike, Days, NaiveDate};
use common::auth::Role;
use common::clock::Clock;
use common::db;
use sqlx::MySqlPool;

use crate::accounts::{self, NewAccount};
use crate::error::Error;
use crate::step::{Reporter, Step};

/// The demo passenger's e-mail address.
pub const PASSENGER_EMAIL: &str = "user@cloudjet.com";
/// The demo passenger's password.
pub const PASSENGER_PASSWORD: &str = "user1234";

/// For how many days there are schedules, today among them.
const DAYS: usize = 30;

/// How much demo data was missing and is there now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// New airports.
    pub airports: u64,
    /// New flights.
    pub flights: u64,
    /// New schedules.
    pub schedules: u64,
    /// New discounts.
    pub discounts: u64,
    /// Whether the passenger's account is new.
    pub passenger: bool,
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { airports, flights, schedules, discounts, passenger } = self;
        write!(f, "{airports} airports, {flights} flights, {schedules} schedules, {discounts} discounts")?;
        if *passenger { f.write_str(", a passenger") } else { Ok(()) }
    }
}

/// Completes the demo data for the thirty days from `clock`'s today. Answers whether anything was missing.
pub(crate) async fn load(db: &MySqlPool, clock: &Clock, report: Reporter<'_>) -> Result<bool, Error> {
    let today = clock.today_in_seoul();
    let mut loaded = db::retry(async || {
        let mut transaction = db.begin().await?;
        let loaded = load_flights(&mut transaction, today).await?;
        db::commit(transaction).await?;
        Ok::<_, sqlx::Error>(loaded)
    })
    .await?;
    loaded.passenger = load_passenger(db).await?;
    if loaded == Loaded::default() {
        return Ok(false);
    }
    report(Step::LoadedDemo(loaded));
    Ok(true)
}

async fn load_flights(connection: &mut sqlx::MySqlConnection, today: NaiveDate) -> sqlx::Result<Loaded> {
    let airports = store::add_airports(connection, &network::AIRPORTS).await?;
    store::add_cabins(connection, &network::CABINS).await?;
    let flights = store::add_flights(connection, &network::flights(today)).await?;

    let days: Vec<NaiveDate> = today.iter_days().take(DAYS).collect();
    let last = today.checked_add_days(Days::new(DAYS as u64 - 1)).unwrap_or(today);
    let there = store::schedules(connection, today, last).await?;
    let on_sale = store::active_flights(connection).await?;
    let missing = missing_schedules(&days, &on_sale, &there);
    let schedules = store::add_schedules(connection, &missing).await?;

    let mut discounts = 0;
    for &date in days.iter().filter(|date| has_discount(**date)) {
        let (flight_id, percent) = draw::discount(date, &network::FLIGHT_NUMBERS);
        discounts += store::add_discount(connection, flight_id, date, percent).await?;
    }
    Ok(Loaded { airports, flights, schedules, discounts, passenger: false })
}

/// A flight that is on sale, by what its schedules are drawn from.
struct ActiveFlight {
    flight_id: String,
    base_price: i64,
    total_seats: i64,
}

/// A schedule that isn't there yet.
struct NewSchedule {
    flight_id: String,
    flight_date: NaiveDate,
    price: i64,
    seats: i64,
}

/// The schedules that are not `there`, day by day.
fn missing_schedules(
    days: &[NaiveDate],
    flights: &[ActiveFlight],
    there: &HashSet<(String, NaiveDate)>,
) -> Vec<NewSchedule> {
    let all = days.iter().flat_map(|&date| flights.iter().map(move |flight| (flight, date)));
    all.filter(|(flight, date)| !there.contains(&(flight.flight_id.clone(), *date)))
        .map(|(flight, flight_date)| {
            let drawn = draw::schedule(&flight.flight_id, flight_date);
            NewSchedule {
                flight_id: flight.flight_id.clone(),
                flight_date,
                price: drawn.price(flight.base_price),
                seats: drawn.seats.min(flight.total_seats),
            }
        })
        .collect()
}

/// Two days in five have an offer: a dozen in any thirty.
fn has_discount(date: NaiveDate) -> bool {
    matches!(date.num_days_from_ce() % 5, 0 | 2)
}

async fn load_passenger(db: &MySqlPool) -> Result<bool, Error> {
    if accounts::find(db, PASSENGER_EMAIL).await?.is_some() {
        return Ok(false);
    }
    let hash = accounts::hash(PASSENGER_PASSWORD)?;
    let passenger = NewAccount {
        name: "김여행",
        email: PASSENGER_EMAIL,
        phone: Some("010-1234-5678"),
        birth_date: NaiveDate::from_ymd_opt(1995, 5, 5),
        role: Role::User,
    };
    db::retry(async || {
        let mut transaction = db.begin().await?;
        accounts::insert(&mut transaction, &passenger, &hash).await?;
        db::commit(transaction).await
    })
    .await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_thirty_days_have_a_dozen_offers() {
        let first = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        for start in first.iter_days().take(400) {
            assert_eq!(start.iter_days().take(DAYS).filter(|&date| has_discount(date)).count(), 12, "{start}");
        }
    }

    #[test]
    fn schedules_come_day_by_day_and_only_where_they_are_missing() {
        let days: Vec<NaiveDate> = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap().iter_days().take(2).collect();
        let flight = |id: &str, total_seats| ActiveFlight { flight_id: id.to_owned(), base_price: 1000, total_seats };
        let flights = [flight("CJ101", 180), flight("CJ102", 90)];
        let there = HashSet::from([("CJ102".to_owned(), days[0])]);

        let missing = missing_schedules(&days, &flights, &there);
        let keys: Vec<_> = missing.iter().map(|s| (s.flight_id.as_str(), s.flight_date)).collect();
        assert_eq!(keys, [("CJ101", days[0]), ("CJ101", days[1]), ("CJ102", days[1])]);
        assert_eq!(missing[2].seats, 90, "no flight has more free seats than seats");
    }
}
