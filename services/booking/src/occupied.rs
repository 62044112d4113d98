//! `GET /api/bookings/occupied-seats/{schedule_id}`: the seat map's dark side.

use std::collections::BTreeSet;

use axum::extract::State;
use catalogue::SeatNumber;
use common::error::{ApiError, Problem};
use common::http::openapi::Failures;
use common::http::{Json, Path};
use orders::Orders;
use serde::Serialize;
use utoipa::ToSchema;

/// The seats that can't be chosen.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OccupiedSeats {
    /// In the order people count them: `2A` before `10A`.
    #[schema(value_type = Vec<String>, example = json!(["2A", "10A"]))]
    occupied_seats: BTreeSet<SeatNumber>,
}

/// List the seats that are gone.
///
/// Sold ones, held ones and blocked ones, in the order of the cabin. A schedule that doesn't exist has none. The seat map
/// tells the same of every seat, and which there are.
#[utoipa::path(
    get,
    path = "/api/bookings/occupied-seats/{schedule_id}",
    operation_id = "list_occupied_seats",
    tag = "seats",
    params(("schedule_id" = i64, Path, description = "The schedule's id.", example = 10_000_001)),
    responses(
        (status = 200, description = "The seats.", body = OccupiedSeats),
        (status = 404, description = "The id is no number.", body = Problem, content_type = "application/problem+json"),
        Failures,
    ),
)]
pub(crate) async fn occupied_seats(
    State(orders): State<Orders>,
    Path(schedule_id): Path<i64>,
) -> Result<Json<OccupiedSeats>, ApiError> {
    Ok(Json(OccupiedSeats { occupied_seats: orders.occupied_seats(schedule_id).await? }))
}
