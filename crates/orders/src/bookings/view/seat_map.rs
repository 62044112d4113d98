//! The seats of a schedule as everybody may see them: which there are, and which are gone. What is a passenger's is none
//! of the map's business, so it is the same for all who ask.
//!
//! The list and the map ask the claims the same question, so they can't tell of different seats. The one trap is the
//! count: a booking may be for passengers without a seat, so fewer may be left to book than are free to choose.

use std::collections::{BTreeMap, BTreeSet};

use catalogue::{Cabin, Place, Position, SeatNumber};
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::{self, CabinOnSale};
use crate::Orders;

common::text_enum! {
    /// Whether a seat can be had.
    pub enum SeatState {
        /// By anybody, as long as any can be booked.
        Free = "free",
        /// Somebody's who hasn't paid yet: it may come back.
        Held = "held",
        /// Somebody's.
        Sold = "sold",
        /// By nobody: the airline keeps it empty.
        Blocked = "blocked",
    }
}

/// The cabin of a schedule, seat by seat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeatMap {
    /// Of which schedule.
    #[schema(example = 10_000_001)]
    pub schedule_id: i64,
    /// The flight number.
    #[schema(example = "CJ101")]
    pub flight_id: String,
    /// The local day the flight leaves.
    #[schema(example = "2026-12-01")]
    pub flight_date: NaiveDate,
    /// What flies.
    #[schema(example = "Boeing 737-800")]
    pub aircraft: String,
    /// The letters of a row from left to right; null is an aisle.
    #[schema(example = json!(["A", "B", "C", null, "D", "E", "F"]))]
    pub columns: Vec<Option<char>>,
    /// The rows, from the front.
    pub rows: Vec<SeatRow>,
    /// How many seats there are of each state.
    pub seats: Seats,
    /// How many passengers can still be booked, with a seat or without: what a search shows. Not the number of free seats,
    /// because a booking may leave its seats to be chosen later.
    #[schema(example = 171)]
    pub available_seats: i64,
}

/// A row of the cabin.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeatRow {
    /// Its number.
    #[schema(example = 12)]
    pub row: u8,
    /// Whether there is an exit at it.
    #[schema(example = true)]
    pub is_exit: bool,
    /// Its seats, from left to right.
    pub seats: Vec<Seat>,
}

/// A seat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Seat {
    /// What it is called where one is chosen.
    #[serde(rename = "seat_id")]
    #[schema(value_type = String, example = "12A")]
    pub id: SeatNumber,
    /// Its letter.
    #[schema(example = "A")]
    pub letter: char,
    /// Where in its row it is.
    pub position: Position,
    /// Whether it can be had.
    pub state: SeatState,
}

/// How many seats there are of each state.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[schema(as = SeatCounts)]
pub struct Seats {
    /// Nobody's.
    #[schema(example = 147)]
    pub free: usize,
    /// Held for somebody who hasn't paid yet.
    #[schema(example = 1)]
    pub held: usize,
    /// Sold.
    #[schema(example = 2)]
    pub sold: usize,
    /// Kept empty.
    #[schema(example = 0)]
    pub blocked: usize,
}

/// The seats that are somebody's, and how.
type Taken = BTreeMap<SeatNumber, SeatState>;

impl Orders {
    /// The seats of a schedule that can't be chosen, in the order people count them. None for an unknown schedule.
    pub async fn occupied_seats(&self, schedule_id: i64) -> sqlx::Result<BTreeSet<SeatNumber>> {
        let Some((on_sale, taken)) = self.look_at_seats(schedule_id).await? else { return Ok(BTreeSet::new()) };
        Ok(taken.into_keys().chain(on_sale.cabin.blocked().iter().copied()).collect())
    }

    /// The seat map of a schedule; `None` if there is no such schedule.
    pub async fn seat_map(&self, schedule_id: i64) -> sqlx::Result<Option<SeatMap>> {
        let Some((on_sale, taken)) = self.look_at_seats(schedule_id).await? else { return Ok(None) };
        let rows = rows(&on_sale.cabin, &taken);
        Ok(Some(SeatMap {
            schedule_id,
            flight_id: on_sale.flight_id,
            flight_date: on_sale.flight_date,
            aircraft: on_sale.aircraft,
            columns: on_sale.cabin.columns().collect(),
            seats: Seats::of(&rows),
            rows,
            available_seats: on_sale.available,
        }))
    }

    async fn look_at_seats(&self, schedule_id: i64) -> sqlx::Result<Option<(CabinOnSale, Taken)>> {
        let mut connection = self.db.acquire().await?;
        let Some(on_sale) = store::cabin_on_sale(&mut connection, schedule_id).await? else { return Ok(None) };
        let taken = inventory::taken_units(&mut connection, schedule_id).await?;
        let state = |is_sold| if is_sold { SeatState::Sold } else { SeatState::Held };
        let taken = taken.iter().filter_map(|taken| Some((taken.unit.parse().ok()?, state(taken.is_sold))));
        Ok(Some((on_sale, taken.collect())))
    }
}

fn rows(cabin: &Cabin, taken: &Taken) -> Vec<SeatRow> {
    let seat = |Place { seat, position, is_blocked }: Place| {
        let untaken = if is_blocked { SeatState::Blocked } else { SeatState::Free };
        let state = taken.get(&seat).copied().unwrap_or(untaken);
        Seat { id: seat, letter: seat.letter(), position, state }
    };
    let row =
        |row| SeatRow { row, is_exit: cabin.is_exit(row), seats: cabin.places(row).into_iter().map(seat).collect() };
    cabin.rows().map(row).collect()
}

impl Seats {
    fn of(rows: &[SeatRow]) -> Self {
        let mut counts = Self::default();
        for seat in rows.iter().flat_map(|row| &row.seats) {
            match seat.state {
                SeatState::Free => counts.free += 1,
                SeatState::Held => counts.held += 1,
                SeatState::Sold => counts.sold += 1,
                SeatState::Blocked => counts.blocked += 1,
            }
        }
        counts
    }
}
