//! Seats that requests name: how they are read, and what is said of those that can't be had. Booking them and choosing
//! them afterwards say it in the same words.

use axum::http::StatusCode;
use catalogue::SeatNumber;
use common::error::ApiError;

/// The seat that `field` names.
pub(crate) fn read(label: &str, field: impl Into<String>) -> Result<SeatNumber, ApiError> {
    label.parse().map_err(|_| ApiError::invalid(field.into(), "좌석은 12A처럼 씁니다.", "A seat is written like 12A."))
}

/// 400: `field` names a seat that the request has named before.
pub(crate) fn twice(field: impl Into<String>) -> ApiError {
    ApiError::invalid(field.into(), "같은 좌석을 두 번 선택했습니다.", "A seat is chosen twice.")
}

/// 400: `field` names a seat that isn't there, or that nobody may choose.
pub(crate) fn not_offered(seat: &str, field: impl Into<String>) -> ApiError {
    ApiError::invalid(
        field.into(),
        format!("이 항공기에서 선택할 수 없는 좌석입니다: {seat}."),
        format!("Seat {seat} can't be chosen on this aircraft."),
    )
}

/// 409: others have these seats.
pub(crate) fn taken(seats: &[String]) -> ApiError {
    let list = seats.join(", ");
    let english = match seats {
        [one] => format!("Seat {one} is taken. Please choose another one."),
        _ => format!("Taken already: {list}. Please choose another seat."),
    };
    let korean = format!("{list} 좌석은 이미 예약되었습니다. 다른 좌석을 선택해 주세요.");
    ApiError::new(StatusCode::CONFLICT, "seat-taken", korean, english)
}
