//! What the airline flies, as far as more than one service needs to know it: airport codes, when a flight departs,
//! which seats a cabin has, what a schedule costs now, and under which key a search is cached.

mod airport;
mod cabin;
mod departure;
pub mod discounts;
mod duration;
mod flight_number;
pub mod flights;
pub mod schedules;
mod search_key;

use common::cache::Cache;
use common::clock::Clock;
use common::idempotency::Told;
use sqlx::MySqlPool;

pub use airport::AirportCode;
pub use cabin::{Cabin, Place, Position, SeatNumber};
pub use departure::departure;
use duration::duration;
pub use flight_number::{FlightNumber, NoFlightNumber};
pub use search_key::search_key;

/// The catalogue's desk: what every change of it works with.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Where the truth is.
    pub db: MySqlPool,
    /// Searches in it are dropped when what they show changes.
    pub cache: Cache,
    /// Tells days to come from past ones.
    pub clock: Clock,
}

/// What is told of a change, and the searches that show what was before it.
#[derive(Debug)]
struct Changed<T> {
    told: Told<T>,
    stale: Vec<String>,
}

impl<T> From<Told<T>> for Changed<T> {
    fn from(told: Told<T>) -> Self {
        Self { told, stale: Vec::new() }
    }
}

impl Catalogue {
    /// Drops searches that show what has changed. Called after the commit that changed it.
    async fn forget(&self, searches: Vec<String>) {
        for key in searches {
            self.cache.forget(&key).await;
        }
    }
}
