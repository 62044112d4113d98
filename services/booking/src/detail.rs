//! `GET /api/bookings/{booking_number}`: one booking, for its owner or an administrator.

use axum::extract::State;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotSignedIn};
use common::http::{Json, Path};
use orders::Orders;
use orders::bookings::{BookingRef, NamedBooking};
use serde::Serialize;
use utoipa::ToSchema;

/// One booking.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OneBooking {
    booking: NamedBooking,
}

/// Show a booking.
///
/// Only its owner and administrators learn that it exists.
#[utoipa::path(
    get,
    path = "/api/bookings/{booking_number}",
    operation_id = "get_booking",
    tag = "bookings",
    params(("booking_number" = String, Path, description = "The booking's number.", example = "CJ4K7Q2M9X")),
    responses(
        (status = 200, description = "The booking.", body = OneBooking),
        (status = 404, description = "There is no such booking, or it is somebody else's.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn detail(
    user: User,
    State(orders): State<Orders>,
    Path(number): Path<String>,
) -> Result<Json<OneBooking>, ApiError> {
    let booking = orders
        .booking(&BookingRef::Number(number))
        .await?
        .filter(|booking| booking.user_id == user.id || user.is_admin())
        .ok_or_else(no_such_booking)?;
    Ok(Json(OneBooking { booking: booking.into() }))
}

/// 404: no such booking, or not the caller's.
pub(crate) fn no_such_booking() -> ApiError {
    ApiError::not_found("booking-not-found", "예약을 찾을 수 없습니다.", "There is no such booking.")
}
