//! Publishing: a flight and the days on which it is flown, in one transaction: all of it or nothing.
//!
//! What passengers have been promised stays: neither the flight nor its days change under a live booking, and no day
//! gets more free seats than its aircraft has left. The flight's row is locked first, so that publishers of one flight
//! come one after the other; then all its days to come, so that no sale happens meanwhile.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use common::db;
use common::events::{self, Cause, Subject};
use common::idempotency::{Once, Told, Tx};
use common::money::Money;
use serde_json::{Value, json};
use sqlx::MySqlConnection;

use super::store::{self, Day};
use super::{Flight, Plan, PlanError, drawn_up, record};
use crate::schedules::ScheduleStatus;
use crate::{Catalogue, Changed, departure};

/// On which days a flight is flown, and how it is sold on each.
#[derive(Clone, Copy, Debug)]
pub struct Season {
    /// The first day.
    pub first: NaiveDate,
    /// The last day, not before the first.
    pub last: NaiveDate,
    /// What a seat costs.
    pub price: Money,
    /// How many seats are for sale.
    pub seats: i64,
    /// Whether days that are published already are published anew.
    pub overwrite: bool,
}

/// What became of a season.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// How many days were published, or published anew.
    pub created: usize,
    /// How many days were published before and stayed as they were.
    pub skipped: usize,
}

/// Why a flight can't be published. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It can't be flown like that.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Its route, times or aircraft would change for passengers who have booked that day, or are paying for it.
    #[error("passengers have booked the flight of {0} as it is")]
    Booked(NaiveDate),
    /// More of its seats are taken on that day than it would have.
    #[error("more seats are taken on {0}")]
    TooFewSeats(NaiveDate),
    /// The airline has cancelled that day, and not all of its bookings have been cancelled yet.
    #[error("the flight of {0} is being cancelled")]
    BeingCancelled(NaiveDate),
    /// The database failed.
    #[error("could not publish the flight")]
    Database(#[from] sqlx::Error),
}

impl Season {
    fn days(&self) -> impl Iterator<Item = NaiveDate> {
        let last = self.last;
        self.first.iter_days().take_while(move |day| *day <= last)
    }
}

impl Catalogue {
    /// Publishes a flight on the days of a season, whether there is such a flight already or not; one that was off sale
    /// is on sale again.
    pub async fn publish(
        &self,
        cause: &Cause,
        plan: &Plan,
        season: &Season,
        once: &Once<'_, Published>,
    ) -> Result<Told<Published>, PublishError> {
        let published = db::retry(|| once.run(&self.db, |tx| self.publish_once(tx, cause, plan, season))).await?;
        self.forget(published.stale).await;
        Ok(published.told)
    }

    async fn publish_once(
        &self,
        mut tx: Tx<'_, Published>,
        cause: &Cause,
        plan: &Plan,
        season: &Season,
    ) -> Result<Changed<Published>, PublishError> {
        let new = drawn_up(&mut tx, plan, season.first).await?;
        let old = insert_or_lock(&mut tx, &new).await?;
        let days = store::lock_days(&mut tx, &new.number, self.first_day().min(season.first)).await?;
        match &old {
            None => record(&mut tx, cause, &new.number, "created", None, &new).await?,
            Some(old) if *old == new => {}
            Some(old) => {
                let zone = store::zone_of(&mut tx, &old.departure_airport).await?.unwrap_or_default();
                let to_come = |day: &&Day| departure(day.flight_date, old.departure_time, &zone) > self.clock.now();
                let to_come: Vec<&Day> = days.values().filter(to_come).collect();
                change(&mut tx, cause, old, &new, &to_come).await?;
                lower(&mut tx, cause, &new, season, &to_come).await?;
                store::tell_schedules(&mut tx, &new.number, self.first_day()).await?;
            }
        }
        let published = fly(&mut tx, cause, &new, season, &days).await?;
        let told = tx.commit(published).await?;
        let shown: Vec<NaiveDate> = days.into_keys().chain(season.days()).collect();
        let stale = old.iter().chain([&new]).flat_map(|flight| flight.searches(&shown)).collect();
        Ok(Changed { told, stale })
    }
}

/// Writes a new flight, or locks the one that has its number and answers what it is.
async fn insert_or_lock(connection: &mut MySqlConnection, new: &Flight) -> sqlx::Result<Option<Flight>> {
    if let Some(old) = store::lock(connection, &new.number).await? {
        return Ok(Some(old));
    }
    if store::insert(connection, new).await? {
        return Ok(None);
    }
    // Somebody else has just made it.
    store::lock(connection, &new.number).await
}

/// Makes a locked flight another one, if no passenger of a day to come minds.
async fn change(
    connection: &mut MySqlConnection,
    cause: &Cause,
    old: &Flight,
    new: &Flight,
    to_come: &[&Day],
) -> Result<(), PublishError> {
    let promised = to_come.iter().find(|day| day.is_promised());
    if let Some(day) = promised.filter(|_| new.breaks_promises_of(old)) {
        return Err(PublishError::Booked(day.flight_date));
    }
    let crowded = to_come.iter().find(|day| day.taken > new.total_seats);
    if let Some(day) = crowded.filter(|_| new.total_seats < old.total_seats) {
        return Err(PublishError::TooFewSeats(day.flight_date));
    }
    store::update(connection, new).await?;
    record(connection, cause, &new.number, "changed", Some(old), new).await?;
    Ok(())
}

/// Takes seats that a smaller aircraft doesn't have from the days to come that aren't published anew.
async fn lower(
    connection: &mut MySqlConnection,
    cause: &Cause,
    flight: &Flight,
    season: &Season,
    to_come: &[&Day],
) -> sqlx::Result<()> {
    let mut changes = Vec::new();
    for day in to_come {
        let is_rewritten = season.overwrite && (season.first..=season.last).contains(&day.flight_date);
        let most = day.seats_of(flight.total_seats, flight.total_seats);
        if !is_rewritten && most.available < day.available_seats {
            store::set_seats(connection, day.schedule_id, most).await?;
            let old = json!({ "available_seats": day.available_seats });
            let new = json!({ "available_seats": most.available, "capacity": day.capacity_with(most) });
            changes.push((day.schedule_id, old, new));
        }
    }
    events::record_all(connection, cause, Subject::Schedule, "lowered", &changes).await
}

/// Publishes the days of a season, of which `days` are those that are published already, all of them locked.
async fn fly(
    connection: &mut MySqlConnection,
    cause: &Cause,
    flight: &Flight,
    season: &Season,
    days: &BTreeMap<NaiveDate, Day>,
) -> Result<Published, PublishError> {
    let new: Vec<NaiveDate> = season.days().filter(|day| !days.contains_key(day)).collect();
    let known: Vec<&Day> = season.days().filter_map(|day| days.get(&day)).collect();
    publish_new(connection, cause, flight, season, &new).await?;
    if !season.overwrite {
        return Ok(Published { created: new.len(), skipped: known.len() });
    }
    if let Some(day) = known.iter().find(|day| day.is_cancelled && day.live_bookings > 0) {
        return Err(PublishError::BeingCancelled(day.flight_date));
    }
    publish_anew(connection, cause, flight, season, &known).await?;
    Ok(Published { created: new.len() + known.len(), skipped: 0 })
}

async fn publish_new(
    connection: &mut MySqlConnection,
    cause: &Cause,
    flight: &Flight,
    season: &Season,
    days: &[NaiveDate],
) -> sqlx::Result<()> {
    let Some(first) = days.first() else { return Ok(()) };
    store::insert_days(connection, &flight.number, season, days).await?;
    let ids = store::ids_from(connection, &flight.number, *first).await?;
    let changes: Vec<_> = ids
        .into_iter()
        .filter(|(_, day)| days.contains(day))
        .map(|(id, day)| {
            let (price, seats) = (season.price, season.seats);
            (id, Value::Null, json!({ "flight_date": day, "current_price": price, "available_seats": seats }))
        })
        .collect();
    events::record_all(connection, cause, Subject::Schedule, "published", &changes).await
}

async fn publish_anew(
    connection: &mut MySqlConnection,
    cause: &Cause,
    flight: &Flight,
    season: &Season,
    days: &[&Day],
) -> sqlx::Result<()> {
    let mut changes = Vec::with_capacity(days.len());
    for day in days {
        let seats = day.seats_of(season.seats, flight.total_seats);
        store::publish_anew(connection, day.schedule_id, season.price, seats).await?;
        let old = state(day.current_price, day.available_seats, day.status);
        let mut new = state(season.price, seats.available, ScheduleStatus::Active);
        new["capacity"] = json!(day.capacity_with(seats));
        changes.push((day.schedule_id, old, new));
    }
    events::record_all(connection, cause, Subject::Schedule, "published-anew", &changes).await
}

/// What history tells of a day.
fn state(price: Money, free: i64, status: ScheduleStatus) -> Value {
    json!({ "current_price": price, "available_seats": free, "status": status })
}
