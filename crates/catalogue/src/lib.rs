//! What the airline flies, as far as more than one service needs to know it: airport codes, when a flight departs,
//! which seats a cabin has, what a schedule costs now, and under which key a search is cached.

mod airport;
mod cabin;
mod departure;
pub mod schedules;
mod search_key;

use common::cache::Cache;
use common::clock::Clock;
use sqlx::MySqlPool;

pub use airport::AirportCode;
pub use cabin::{Cabin, SeatNumber};
pub use departure::departure;
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
