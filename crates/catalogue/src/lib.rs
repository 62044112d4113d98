//! What the airline flies, as far as more than one service needs to know it: airport codes, when a flight departs,
//! which seats a cabin has, what a schedule costs now, and under which key a search is cached.

mod airport;
mod cabin;
mod departure;
pub mod schedules;
mod search_key;

pub use airport::AirportCode;
pub use cabin::{Cabin, SeatNumber};
pub use departure::departure;
pub use search_key::search_key;
