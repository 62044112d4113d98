//! `POST /api/payments/attach-booking`: a client says which payment is which booking's.

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{Failures, KeyRefused, NotSignedIn, Repeatable};
use common::http::{Json, RequestId, wire};
use common::idempotency::{Keyed, Once, Told};
use common::language::Language;
use orders::Orders;
use orders::bookings::BookingRef;
use orders::payments::{AttachError, Attached};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::booking_name::BookingName;
use crate::detail::no_such_payment;

/// Which payment is which booking's. Names may also be written with underscores (`order_id`).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttachRequest {
    /// The payment's order id.
    #[serde(alias = "order_id")]
    #[schema(required = true, nullable = false, example = "CJ-ORD-7-10000001-0f3a9c2e")]
    order_id: Option<String>,
    /// The booking, by its id or its number.
    #[serde(alias = "booking_id")]
    #[schema(required = true, nullable = false)]
    booking_id: Option<BookingName>,
}

/// The payment is the booking's.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentAttached {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    #[schema(example = "결제가 예약에 연결되었습니다.")]
    message: &'static str,
}

/// Attach one's payment to one's booking.
///
/// It corrects the guess that the booking call made, but nothing that is paid: a paid link is final. The same pair
/// again is fine, until it is being refunded.
#[utoipa::path(
    post,
    path = "/api/payments/attach-booking",
    operation_id = "attach_booking",
    tag = "payments",
    params(Repeatable),
    request_body(
        content = AttachRequest,
        example = json!({ "orderId": "CJ-ORD-7-10000001-0f3a9c2e", "bookingId": "CJ4K7Q2M9X" }),
    ),
    responses(
        KeyRefused,
        (status = 200, description = "The payment is the booking's.", body = PaymentAttached),
        (status = 400, description = "A field is missing or has the wrong form; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such payment or booking, or it is somebody else's.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The payment is closed or another booking's, the booking is paid or over, or they don't fit. Money that came for nothing is refunded.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn attach(
    user: User,
    State(orders): State<Orders>,
    request_id: RequestId,
    language: Language,
    Keyed(key, Json(request)): Keyed<Json<AttachRequest>>,
) -> Result<Told<Attached>, ApiError> {
    let (order_id, booking) = request.read()?;
    let cause = Cause::user(user.id, request_id.as_str().to_owned());
    let message = language.pick("결제가 예약에 연결되었습니다.", "The payment belongs to the booking now.");
    let once = Once::new(user.id, key, |_| (StatusCode::OK, PaymentAttached { success: true, message }));
    orders.attach(&cause, user.id, &order_id, &booking, &once).await.map_err(refused)
}

impl AttachRequest {
    fn read(self) -> Result<(String, BookingRef), ApiError> {
        let order_id = wire::required_text(self.order_id, "orderId")?;
        let booking = wire::required(self.booking_id.and_then(BookingName::read), "bookingId")?;
        Ok((order_id.trim().to_owned(), booking))
    }
}

/// How a refusal is told.
fn refused(error: AttachError) -> ApiError {
    match error {
        AttachError::UnknownPayment => no_such_payment(),
        AttachError::UnknownBooking => {
            ApiError::not_found("booking-not-found", "예약을 찾을 수 없습니다.", "There is no such booking.")
        }
        AttachError::PaymentClosed => ApiError::conflict(
            "payment-closed",
            "결제가 실패했거나 환불 중입니다.",
            "The payment failed or is being refunded.",
        ),
        AttachError::PaymentTaken => ApiError::conflict(
            "payment-taken",
            "이미 다른 예약에 연결된 결제입니다.",
            "The payment belongs to another booking.",
        ),
        AttachError::BookingPaid => ApiError::conflict(
            "booking-paid",
            "이미 결제된 예약입니다. 중복 결제는 환불됩니다.",
            "The booking is paid already. A second payment is refunded.",
        ),
        AttachError::BookingOver => ApiError::conflict(
            "booking-over",
            "더 이상 결제할 수 없는 예약입니다. 결제된 금액은 환불됩니다.",
            "The booking can't take a payment any more. What was paid is refunded.",
        ),
        AttachError::Mismatch => ApiError::conflict(
            "payment-mismatch",
            "결제 금액 또는 항공편이 예약과 다릅니다.",
            "The payment is over another amount, or for another flight, than the booking.",
        ),
        AttachError::Database(error) => error.into(),
    }
}
