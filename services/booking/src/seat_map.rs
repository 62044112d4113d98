//! `GET /api/bookings/seat-map/{schedule_id}`: the cabin, seat by seat, for whoever wants to choose one.

use axum::extract::State;
use axum::response::Response;
use common::error::{ApiError, Problem};
use common::http::openapi::Failures;
use common::http::{Known, Path};
use orders::Orders;
use orders::bookings::SeatMap;

/// Show the seats of a flight.
///
/// Row by row: which seats there are, where in its row each is, where the exits are, and whether a seat is `free`, `held`
/// for somebody who is still to pay, `sold`, or `blocked` by the airline. Those that aren't free are the ones that
/// `occupied-seats` lists. A client that keeps the answer sends its `ETag` as `If-None-Match` the next time, as browsers do
/// by themselves, and gets 304 while nothing has changed.
#[utoipa::path(
    get,
    path = "/api/bookings/seat-map/{schedule_id}",
    operation_id = "show_seat_map",
    tag = "seats",
    params(
        ("schedule_id" = i64, Path, description = "The schedule's id.", example = 10_000_001),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the answer that the client has.", nullable = false),
    ),
    responses(
        (status = 200, description = "The cabin.", body = SeatMap, headers(("ETag" = String, description = "Names exactly this answer."))),
        (status = 304, description = "It is what the client has."),
        (status = 404, description = "There is no such schedule, or the id is no number.", body = Problem, content_type = "application/problem+json"),
        Failures,
    ),
)]
pub(crate) async fn seat_map(
    State(orders): State<Orders>,
    Path(schedule_id): Path<i64>,
    known: Known,
) -> Result<Response, ApiError> {
    let map = orders.seat_map(schedule_id).await?.ok_or_else(no_such_schedule)?;
    known.or_else(&map)
}

/// 404: no such schedule.
pub(crate) fn no_such_schedule() -> ApiError {
    ApiError::not_found("schedule-not-found", "항공편을 찾을 수 없습니다.", "There is no such flight.")
}
