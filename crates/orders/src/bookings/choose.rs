//! Choosing seats after booking: each passenger has one, another one or none, until their flight departs.
//!
//! A booking's claims name its seats and not who sits where, so that two of its passengers may swap: nothing becomes free
//! in between. What is claimed anew is claimed before anything else is given up, and all of it or nothing.

use std::collections::{BTreeMap, BTreeSet};

use catalogue::{Cabin, SeatNumber};
use common::events::{self, Cause, Subject};
use common::idempotency::{Once, Told, Tx};
use inventory::ChooseError;
use serde_json::json;

use super::cancellation::{Obstacle, obstacle};
use super::{Booking, BookingRef, store, view};
use crate::Orders;
use crate::seats::{self, Seats};

/// A seat for a passenger, or none.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Whose.
    pub passenger_id: i64,
    /// Which; `None`: they give up the one they have.
    pub seat: Option<SeatNumber>,
}

/// Why passengers can't have the seats chosen for them. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum SeatsError {
    /// There is no such booking, or it isn't the caller's.
    #[error("there is no such booking")]
    NotFound,
    /// It is cancelled or flown, or the airline doesn't fly.
    #[error("the booking is not live any more")]
    NotLive,
    /// Its flight has left.
    #[error("the flight has departed")]
    Departed,
    /// The booking has no such passenger.
    #[error("the booking has no passenger {0}")]
    NoSuchPassenger(i64),
    /// The aircraft has no such seat, or nobody may choose it.
    #[error("the cabin offers no seat {0}")]
    NoSuchSeat(SeatNumber),
    /// Others have these seats, be it on the same booking: all that others have, in their order.
    #[error("seats are taken")]
    Taken(Vec<SeatNumber>),
    /// The database failed.
    #[error("could not change the seats")]
    Database(#[from] sqlx::Error),
}

impl From<Obstacle> for SeatsError {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::NotLive => Self::NotLive,
            Obstacle::Departed => Self::Departed,
        }
    }
}

impl From<ChooseError> for SeatsError {
    fn from(error: ChooseError) -> Self {
        match error {
            // Its hold has run out, and so has the time to pay for it.
            ChooseError::Gone | ChooseError::TooMany => Self::NotLive,
            ChooseError::UnitsTaken(units) => Self::Taken(units.iter().filter_map(|unit| unit.parse().ok()).collect()),
            ChooseError::Database(error) => Self::Database(error),
        }
    }
}

/// The passengers of a booking, and where they sit.
pub(super) type Seating = BTreeMap<i64, Option<SeatNumber>>;

impl Orders {
    /// Seats passengers of a live booking for its owner, paid or not, and answers with the booking. Passengers who aren't
    /// named stay where they are. Of any number of callers who want a seat, one gets it.
    pub async fn choose_seats(
        &self,
        cause: &Cause,
        user_id: i64,
        number: &str,
        choices: &[Choice],
        once: &Once<'_, Booking>,
    ) -> Result<Told<Booking>, SeatsError> {
        let reference = BookingRef::Number(number.to_owned());
        self.transact(|| once.run(&self.db, |tx| self.seat(tx, cause, user_id, &reference, choices))).await
    }

    async fn seat(
        &self,
        mut tx: Tx<'_, Booking>,
        cause: &Cause,
        user_id: i64,
        reference: &BookingRef,
        choices: &[Choice],
    ) -> Result<Told<Booking>, SeatsError> {
        let found = store::find(&mut tx, reference).await?;
        let (booking_id, _) = found.filter(|(_, owner_id)| *owner_id == user_id).ok_or(SeatsError::NotFound)?;
        let booking = store::lock(&mut tx, booking_id).await?.ok_or(SeatsError::NotFound)?;
        let schedule = seats::lock(&mut tx, booking.schedule_id).await?.ok_or(SeatsError::NotFound)?;
        if let Some(obstacle) = obstacle(&booking, schedule.departs_at(), self.clock.now()) {
            return Err(obstacle.into());
        }
        let hold = booking.hold_id.filter(|_| !schedule.is_grounded).ok_or(SeatsError::NotLive)?;

        let before = store::seating(&mut tx, booking_id).await?;
        let after = seated(&before, choices, &schedule.cabin)?;
        if after != before {
            let units = after.values().flatten().map(ToString::to_string).collect();
            inventory::choose(&mut tx, &Seats(booking.schedule_id), hold, &units).await?;
            let moved: Vec<i64> = after.keys().copied().filter(|id| after[id] != before[id]).collect();
            store::seat(&mut tx, booking_id, &moved, &after).await?;
            let told = |seating: &Seating| {
                let seats: BTreeMap<String, _> = moved.iter().map(|id| (id.to_string(), seating[id])).collect();
                json!({ "status": booking.status, "seats": seats })
            };
            let (old, new) = (told(&before), told(&after));
            events::record(&mut tx, cause, Subject::Booking, booking_id, "seats-changed", &old, &new).await?;
        }
        let booking = view::read(&mut tx, booking_id).await?.ok_or(SeatsError::NotFound)?;
        Ok(tx.commit(booking).await?)
    }
}

/// Where everybody sits once the choices are made. Who stays where they are needs no seat that can be chosen.
fn seated(before: &Seating, choices: &[Choice], cabin: &Cabin) -> Result<Seating, SeatsError> {
    let mut after = before.clone();
    for Choice { passenger_id, seat } in choices {
        let has = after.get_mut(passenger_id).ok_or(SeatsError::NoSuchPassenger(*passenger_id))?;
        if let Some(seat) = seat.filter(|seat| *has != Some(*seat) && !cabin.offers(*seat)) {
            return Err(SeatsError::NoSuchSeat(seat));
        }
        *has = *seat;
    }
    let mut seats = BTreeSet::new();
    let twice: Vec<SeatNumber> = after.values().copied().flatten().filter(|seat| !seats.insert(*seat)).collect();
    if twice.is_empty() { Ok(after) } else { Err(SeatsError::Taken(twice)) }
}
