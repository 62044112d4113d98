//! A search through the cache.
//!
//! The cache holds what rarely changes, above all prices, and every service that changes something forgets the
//! key. But an operator changes rows by hand, and holds lapse, without telling anybody. So each search asks the
//! database one light question beside the cache, which schedules are on sale and with how many seats; its answer
//! overrides what was cached, and a schedule more or less makes that worthless.

use std::collections::HashMap;

use catalogue::search_key;
use common::error::ApiError;

use super::FlightFound;
use crate::App;
use crate::offers::{self, Journey};

/// The flights on sale for a journey, cheapest first.
pub(super) async fn search(app: &App, journey: &Journey) -> Result<Vec<FlightFound>, ApiError> {
    let App { db, cache, clock, search_ttl } = app;
    let key = search_key(journey.from.as_str(), journey.to.as_str(), journey.date);
    let ((cached, ticket), free_seats) =
        tokio::join!(cache.read::<Vec<FlightFound>>(&key), offers::free_seats(db, clock, journey));
    let free_seats = free_seats?;
    if free_seats.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(flights) = cached.and_then(|flights| brought_up_to_date(flights, free_seats)) {
        return Ok(flights);
    }
    // Only what was read after the ticket was taken may be stored, so nothing of the light answer is used here.
    let flights: Vec<_> = offers::of_journey(db, clock, journey).await?.into_iter().map(FlightFound::from).collect();
    cache.fill(ticket, &flights, search_ttl.0).await;
    Ok(flights)
}

/// The cached flights with the seats that are free now, or nothing if other schedules are on sale now.
fn brought_up_to_date(mut flights: Vec<FlightFound>, mut free_seats: HashMap<i64, i64>) -> Option<Vec<FlightFound>> {
    for flight in &mut flights {
        flight.card.available_seats = free_seats.remove(&flight.card.schedule_id)?;
    }
    free_seats.is_empty().then_some(flights)
}
