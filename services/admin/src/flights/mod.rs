//! Flights: listed, created, published with the days on which they are flown, taken off sale.

pub(crate) mod create;
pub(crate) mod deactivate;
pub(crate) mod list;
pub(crate) mod publish;
mod request;

use catalogue::flights::{End, PlanError};
use common::error::ApiError;

/// How a flight that can't be flown as `at` of the request says is told.
fn plan_refused(error: PlanError, at: &str) -> ApiError {
    let field = match error {
        PlanError::UnknownAirport(End::Departure) => "departure_airport",
        PlanError::UnknownAirport(End::Arrival) => "arrival_airport",
        PlanError::Database(error) => return error.into(),
    };
    ApiError::invalid(format!("{at}{field}"), "등록되지 않은 공항입니다.", "There is no such airport.")
}
