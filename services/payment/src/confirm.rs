//! `POST /api/payments/confirm`: the buyer has agreed in the payment window, and the card is to be charged if the
//! booking still has its seats.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bootpay::ReceiptId;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{BodyRefused, Failures, KeyRefused, NotSignedIn, Repeatable};
use common::http::{Json, RequestId, wire};
use common::idempotency::{Keyed, Once};
use common::language::Language;
use common::money::Money;
use orders::Orders;
use orders::approvals::{Approval, ApproveError};
use orders::bookings::{BookingRef, NamedBooking};
use orders::payments::PaymentStatus;
use serde::{Deserialize, Serialize};
use sqlx::MySqlPool;
use utoipa::ToSchema;

use crate::init::not_configured;

/// When it is worth asking again while the outcome is being found out.
const SOON: Duration = Duration::from_secs(2);

/// Which payment, and what the payment window called it. Names may also be written with underscores (`order_id`).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfirmRequest {
    /// The payment's order id.
    #[serde(alias = "order_id")]
    #[schema(required = true, nullable = false, example = "CJ-ORD-7-10000001-0f3a9c2e")]
    order_id: Option<String>,
    /// The receipt that the payment window named when the buyer had agreed.
    #[serde(alias = "receipt_id")]
    #[schema(required = true, nullable = false, max_length = 64, example = "624c1c5c1fc19202e4746ce5")]
    receipt_id: Option<String>,
}

/// A booking and the payment for it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PaymentConfirmed {
    /// Always true. Whether the booking is confirmed says its status.
    #[schema(example = true)]
    success: bool,
    #[schema(example = "결제가 완료되어 예약이 확정되었습니다.")]
    message: &'static str,
    booking: NamedBooking,
    payment: PaymentForIt,
}

/// The payment for a booking.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PaymentForIt {
    #[schema(example = 1)]
    payment_id: i64,
    #[schema(example = "CJ-ORD-7-10000001-0f3a9c2e")]
    order_id: String,
    #[schema(example = "PAID")]
    status: PaymentStatus,
    amount: Money,
}

/// Confirm a payment.
///
/// For a booking that was made first: the payment window, opened with `separately_confirmed`, stops before the card is
/// charged and names a receipt. If the booking still has its seats, and the receipt is for it and over its price, the
/// card is charged and the booking is confirmed. The same call again gets the same answer; after 202, 503 or no answer
/// at all it goes on where the first one stopped, and never charges twice.
#[utoipa::path(
    post,
    path = "/api/payments/confirm",
    operation_id = "confirm_payment",
    tag = "payments",
    params(Repeatable),
    request_body(
        content = ConfirmRequest,
        example = json!({ "orderId": "CJ-ORD-7-10000001-0f3a9c2e", "receiptId": "624c1c5c1fc19202e4746ce5" }),
    ),
    responses(
        KeyRefused,
        (status = 200, description = "The payment is made, and the booking is confirmed.", body = PaymentConfirmed),
        (
            status = 202,
            description = "The payment provider hasn't said what became of it, and it is being found out. The booking keeps its seats until then. Ask again after `Retry-After`.",
            body = PaymentConfirmed,
            headers(("Retry-After" = u64, description = "Seconds after which to ask again.")),
        ),
        (status = 400, description = "A field is missing or has the wrong form; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such payment of the caller's, or no such receipt.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The payment was declined, the receipt is for something else or not agreed to, or the booking can't take it: expired, cancelled, paid, or its flight is not flown. Nothing was taken for it, or what was is refunded.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn confirm(
    user: User,
    State(orders): State<Orders>,
    State(db): State<MySqlPool>,
    request_id: RequestId,
    language: Language,
    Keyed(key, Json(request)): Keyed<Json<ConfirmRequest>>,
) -> Result<Response, ApiError> {
    let (order_id, receipt_id) = request.read()?;
    let cause = Cause::user(user.id, request_id.as_str().to_owned());
    let once = Once::new(user.id, key, |confirmed: &PaymentConfirmed| (StatusCode::OK, confirmed.clone()));
    if let Some(told) = once.start(&db).await? {
        return Ok(told.into_response());
    }
    match approve(&orders, &cause, user.id, &order_id, &receipt_id, language).await {
        Ok((confirmed, false)) => Ok(once.conclude(&db, confirmed).await?.into_response()),
        unfinished => {
            once.give_up(&db).await?;
            unfinished.map(|(confirmed, _)| still_open(confirmed)).map_err(refused)
        }
    }
}

/// The booking and its payment after asking for the approval, and whether its outcome is still open.
async fn approve(
    orders: &Orders,
    cause: &Cause,
    user_id: i64,
    order_id: &str,
    receipt_id: &ReceiptId,
    language: Language,
) -> Result<(PaymentConfirmed, bool), ApproveError> {
    let approval = orders.approve(cause, user_id, order_id, receipt_id).await?;
    let booking = orders.booking(&BookingRef::Id(approval.booking_id)).await?.ok_or(ApproveError::NoBooking)?;
    let is_open = approval.is_open;
    Ok((PaymentConfirmed::new(approval, booking.into(), language), is_open))
}

impl ConfirmRequest {
    fn read(self) -> Result<(String, ReceiptId), ApiError> {
        let order_id = wire::required_text(self.order_id, "orderId")?;
        let receipt_id = wire::required_text(self.receipt_id, "receiptId")?;
        let receipt_id = ReceiptId::parse(receipt_id.trim()).map_err(|_| {
            ApiError::invalid(
                "receiptId",
                "공백 없는 영문, 숫자, 기호 1~64자여야 합니다.",
                "Must be 1 to 64 visible ASCII characters.",
            )
        })?;
        Ok((order_id.trim().to_owned(), receipt_id))
    }
}

impl PaymentConfirmed {
    fn new(approval: Approval, booking: NamedBooking, language: Language) -> Self {
        let Approval { payment_id, order_id, status, amount, is_open, .. } = approval;
        let message = if is_open {
            language.pick(
                "결제 결과를 확인하고 있습니다. 좌석은 그대로 유지되며, 잠시 후 다시 확인해 주세요.",
                "We are finding out what became of the payment. Your seats are kept; please check again shortly.",
            )
        } else {
            language
                .pick("결제가 완료되어 예약이 확정되었습니다.", "The payment is made, and the booking is confirmed.")
        };
        Self { success: true, message, booking, payment: PaymentForIt { payment_id, order_id, status, amount } }
    }
}

/// Nobody knows yet: it is worth asking again.
fn still_open(confirmed: PaymentConfirmed) -> Response {
    let soon = [(RETRY_AFTER, HeaderValue::from(SOON.as_secs()))];
    (StatusCode::ACCEPTED, soon, Json(confirmed)).into_response()
}

/// How a refusal is told.
fn refused(error: ApproveError) -> ApiError {
    match error {
        ApproveError::NotConfigured => not_configured(),
        ApproveError::ProviderAway(error) => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "provider-unavailable",
            "결제사에 연결할 수 없습니다. 결제되지 않았으니 잠시 후 다시 시도해 주세요.",
            "The payment provider can't be reached. Nothing was charged; please try again shortly.",
        )
        .retry_after(SOON)
        .because(error),
        ApproveError::UnknownPayment => {
            ApiError::not_found("payment-not-found", "결제를 찾을 수 없습니다.", "There is no such payment.")
        }
        ApproveError::UnknownReceipt => {
            ApiError::not_found("receipt-not-found", "결제 내역을 찾을 수 없습니다.", "There is no such receipt.")
        }
        ApproveError::NoBooking => ApiError::conflict(
            "payment-without-booking",
            "예약이 연결되지 않은 결제입니다. 먼저 예약해 주세요.",
            "The payment is for no booking yet. Please book first.",
        ),
        ApproveError::NotPayable => ApiError::conflict(
            "booking-not-payable",
            "결제를 기다리는 예약이 아닙니다. 결제된 금액이 있으면 환불됩니다.",
            "The booking doesn't wait for a payment (any more). Whatever was charged is refunded.",
        ),
        ApproveError::BookingPaid => ApiError::conflict(
            "booking-paid",
            "이미 결제된 예약입니다. 중복 결제는 환불됩니다.",
            "The booking is paid already. A second payment is refunded.",
        ),
        ApproveError::UnderWay => ApiError::conflict(
            "payment-under-way",
            "이 예약의 다른 결제가 진행 중입니다. 잠시 후 확인해 주세요.",
            "Another payment for this booking is under way. Please check in a moment.",
        )
        .retry_after(SOON),
        ApproveError::NotOnSale => {
            ApiError::conflict("not-on-sale", "예약할 수 없는 항공편입니다.", "This flight can't be booked any more.")
        }
        ApproveError::PaymentClosed => ApiError::conflict(
            "payment-closed",
            "취소되었거나 환불 중인 결제입니다.",
            "The payment is cancelled or being refunded.",
        ),
        ApproveError::Mismatch => ApiError::conflict(
            "receipt-mismatch",
            "결제 금액 또는 주문 번호가 예약과 다릅니다. 이 주문으로 결제된 금액은 환불됩니다.",
            "The receipt is over another amount, or for another order. Whatever was charged for this order is refunded.",
        ),
        ApproveError::NotAgreed => ApiError::conflict(
            "payment-not-agreed",
            "결제창에서 결제를 먼저 진행해 주세요.",
            "Please finish the payment window first.",
        ),
        ApproveError::Declined => ApiError::conflict(
            "payment-declined",
            "결제가 승인되지 않았습니다. 다른 결제 수단으로 다시 시도해 주세요.",
            "The payment was declined. Please try again, perhaps with another card.",
        ),
        ApproveError::Database(error) => error.into(),
    }
}
