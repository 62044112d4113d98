//! `POST /api/admin/payments/{payment_id}/refunds`: a part of the money goes back, and the booking stays.

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{BodyRefused, Failures, KeyRefused, NotAdministrator, Repeatable};
use common::http::wire::{Whole, name, required, required_text, within};
use common::http::{Json, Path, RequestId};
use common::idempotency::{Key, Keyed, Once, Told};
use common::language::Language;
use common::money::Money;
use orders::Orders;
use orders::refunds::{NewRefund, Queued, RefundError};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{LONGEST_NOTE, RefundDone};

/// The largest amount that a column holds.
const MOST: i64 = 2_147_483_647;

/// How much goes back, and why.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PartialRefund {
    /// In won.
    #[schema(required, nullable = false, minimum = 1, example = 50_000)]
    amount: Option<Whole>,
    /// For the history; nothing about persons.
    #[schema(required, nullable = false, max_length = 200, example = "기내식 미제공")]
    reason: Option<String>,
}

/// Refund a part of a payment.
///
/// The booking stays. The refund is queued when this answers, also while the payment provider can't be reached; smaller
/// amounts than the provider refunds are its to refuse. Together with all other refunds of the payment it is never more
/// than was paid, and of a confirmed booking something must stay paid: to give all of it back, cancel the booking.
/// `Idempotency-Key` is required here: nothing else tells a repetition from a second refund of the same amount.
#[utoipa::path(
    post,
    path = "/api/admin/payments/{payment_id}/refunds",
    operation_id = "refund_payment",
    tag = "payments",
    params(("payment_id" = i64, Path, description = "The payment's id.", example = 1), Repeatable),
    request_body(content = PartialRefund, example = json!({ "amount": 50_000, "reason": "기내식 미제공" })),
    responses(
        KeyRefused,
        (status = 201, description = "The refund is queued.", body = RefundDone),
        (status = 400, description = "The amount or the reason can't be accepted; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such payment.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nothing was paid (`payment-not-refundable`), so much isn't left (`refund-exceeds-paid`), it is all that is left of a confirmed booking's money (`cancel-booking-instead`), or the payment isn't booked yet and can only go back as a whole (`payment-not-booked`).", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn refund(
    admin: Admin,
    State(orders): State<Orders>,
    request_id: RequestId,
    language: Language,
    Path(payment_id): Path<i64>,
    Keyed(key, Json(wanted)): Keyed<Json<PartialRefund>>,
) -> Result<Told<Queued>, ApiError> {
    let key = Key::required(key)?;
    let new = wanted.read(payment_id)?;
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let message = language.pick("환불이 접수되었습니다.", "The refund is on its way.");
    let once = Once::new(admin.id, Some(key), |queued: &Queued| {
        (StatusCode::CREATED, RefundDone::new(message, queued.refund.clone()))
    });
    orders.refund_part(&cause, &new, &once).await.map_err(refused)
}

impl PartialRefund {
    fn read(self, payment_id: i64) -> Result<NewRefund, ApiError> {
        let amount = within(required(self.amount, "amount")?, "amount", 1..=MOST)?;
        let note = name(&required_text(self.reason, "reason")?, "reason", LONGEST_NOTE)?;
        Ok(NewRefund { payment_id, amount: Money::won(amount), note })
    }
}

/// How a refusal is told.
fn refused(error: RefundError) -> ApiError {
    match error {
        RefundError::UnknownPayment => {
            ApiError::not_found("payment-not-found", "결제를 찾을 수 없습니다.", "There is no such payment.")
        }
        RefundError::NothingPaid => ApiError::conflict(
            "payment-not-refundable",
            "환불할 금액이 없는 결제입니다.",
            "Nothing was paid, or all of it went back.",
        ),
        RefundError::MoreThanLeft(left) => ApiError::new(
            StatusCode::CONFLICT,
            "refund-exceeds-paid",
            format!("환불 가능한 금액은 {}원입니다.", left.as_won()),
            format!("Only {} won can be refunded.", left.as_won()),
        ),
        RefundError::AllThatIsLeft => ApiError::conflict(
            "cancel-booking-instead",
            "남은 금액을 모두 환불하려면 예약을 취소해야 합니다.",
            "It is all that is left: cancel the booking instead.",
        ),
        RefundError::NotBooked => ApiError::conflict(
            "payment-not-booked",
            "아직 예약되지 않은 결제는 전액만 환불할 수 있습니다.",
            "The payment isn't booked yet: only all of it can be refunded.",
        ),
        RefundError::Database(error) => error.into(),
    }
}
