//! `POST /api/bookings/{booking_number}/cancel`: the owner changes their mind.

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{Failures, KeyRefused, NotSignedIn, Repeatable};
use common::http::{Path, RequestId};
use common::idempotency::{Key, Once, Told};
use common::language::Language;
use common::money::Money;
use orders::Orders;
use orders::bookings::{CancelError, Cancelled};
use orders::refunds::RefundState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::detail::no_such_booking;

/// The booking is cancelled.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BookingCancelled {
    #[schema(example = "예약이 취소되었습니다.")]
    message: &'static str,
    /// Always true.
    #[schema(example = true)]
    success: bool,
    #[schema(example = "CJ4K7Q2M9X")]
    booking_number: String,
    /// What goes back because of it.
    refund_amount: Money,
    /// Where that stands: on its way. Null where nothing goes back.
    #[schema(required, example = "PENDING")]
    refund_state: Option<RefundState>,
}

/// Cancel a booking.
///
/// Paid or not, until its flight departs. Its seats are free at once. What was paid is refunded by the terms it was booked
/// under, in full unless they say otherwise; the refund is on its way when this answers, also while the payment provider
/// can't be reached.
#[utoipa::path(
    post,
    path = "/api/bookings/{booking_number}/cancel",
    operation_id = "cancel_booking",
    tag = "bookings",
    params(("booking_number" = String, Path, description = "The booking's number.", example = "CJ4K7Q2M9X"), Repeatable),
    responses(
        KeyRefused,
        (status = 200, description = "It is cancelled.", body = BookingCancelled),
        (status = 404, description = "There is no such booking, it is somebody else's, or it is not live any more.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its flight has departed.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn cancel(
    user: User,
    State(orders): State<Orders>,
    request_id: RequestId,
    language: Language,
    Path(number): Path<String>,
    key: Option<Key>,
) -> Result<Told<Cancelled>, ApiError> {
    let cause = Cause::user(user.id, request_id.as_str().to_owned());
    let once = Once::new(user.id, key, |cancelled| (StatusCode::OK, BookingCancelled::new(cancelled, language)));
    orders.cancel_own(&cause, user.id, &number, &once).await.map_err(refused)
}

impl BookingCancelled {
    fn new(cancelled: &Cancelled, language: Language) -> Self {
        Self {
            message: language.pick("예약이 취소되었습니다.", "The booking has been cancelled."),
            success: true,
            booking_number: cancelled.booking_number.clone(),
            refund_amount: cancelled.refund,
            refund_state: (cancelled.refund > Money::ZERO).then_some(RefundState::Pending),
        }
    }
}

/// How a refusal is told.
fn refused(error: CancelError) -> ApiError {
    match error {
        CancelError::NotFound => no_such_booking(),
        CancelError::NotLive => ApiError::not_found(
            "booking-not-cancellable",
            "취소할 수 있는 예약이 아닙니다.",
            "The booking can't be cancelled any more.",
        ),
        CancelError::Departed => ApiError::conflict(
            "flight-departed",
            "이미 출발한 항공편은 취소할 수 없습니다.",
            "The flight has departed already.",
        ),
        CancelError::Database(error) => error.into(),
    }
}
