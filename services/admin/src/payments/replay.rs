//! `POST /api/admin/provider-events/{event_id}/replay`: a message of the provider is applied once more.

use axum::extract::State;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{Failures, NotAdministrator};
use common::http::{Json, Path, RequestId};
use common::language::Language;
use orders::Orders;
use orders::payments::{Applied, PaymentStatus, Replayed};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What came of applying a message again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventReplayed {
    #[schema(example = "이벤트를 다시 반영했습니다.")]
    message: &'static str,
    /// Always true.
    #[schema(example = true)]
    success: bool,
    event_id: Uuid,
    /// `DONE`: what it says is on file now, or was before; `NOTHING`: it says nothing that changes anything;
    /// `WRONG_AMOUNT`: its money goes back; `UNKNOWN_ORDER`: nobody made its order yet.
    result: Applied,
    /// Whether the provider was asked and what it says of the receipt now was applied, instead of the message.
    #[schema(example = true)]
    provider_asked: bool,
    /// The payment it is about, if its order is known.
    #[schema(required, example = 1)]
    payment_id: Option<i64>,
    /// Where that payment stands now.
    #[schema(required)]
    payment_status: Option<PaymentStatus>,
}

/// Apply a message of the payment provider again.
///
/// What the provider says of the receipt now is applied, where it can be asked; else what the message says. Facts only
/// grow, so this may be done any number of times.
#[utoipa::path(
    post,
    path = "/api/admin/provider-events/{event_id}/replay",
    operation_id = "replay_provider_event",
    tag = "payments",
    params(("event_id" = Uuid, Path, description = "The message's id.", example = "019aa5f0-6f3c-7c1e-9d43-5b1d0e7c2a11")),
    responses(
        (status = 200, description = "What came of it.", body = EventReplayed),
        (status = 404, description = "There is no such message. Applied ones are kept for 13 months.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn replay(
    admin: Admin,
    State(orders): State<Orders>,
    request_id: RequestId,
    language: Language,
    Path(event_id): Path<Uuid>,
) -> Result<Json<EventReplayed>, ApiError> {
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let replayed = orders.replay(&cause, event_id).await?.ok_or_else(no_such_event)?;
    Ok(Json(EventReplayed::of(event_id, replayed, language)))
}

impl EventReplayed {
    fn of(event_id: Uuid, Replayed { applied, asked, payment }: Replayed, language: Language) -> Self {
        let message = match applied {
            Applied::Done => language.pick("이벤트를 다시 반영했습니다.", "The message has been applied again."),
            Applied::Nothing => {
                language.pick("반영할 내용이 없습니다.", "The message says nothing that changes anything.")
            }
            Applied::WrongAmount => language
                .pick("주문과 다른 금액이 결제되어 환불됩니다.", "Another amount was paid than ordered: it goes back."),
            Applied::UnknownOrder => language.pick("아직 없는 주문입니다.", "Nobody has made this order yet."),
        };
        let (payment_id, payment_status) = payment.unzip();
        Self { message, success: true, event_id, result: applied, provider_asked: asked, payment_id, payment_status }
    }
}

/// 404: nothing like that was told, or it is long ago.
fn no_such_event() -> ApiError {
    ApiError::not_found("event-not-found", "이벤트를 찾을 수 없습니다.", "There is no such message.")
}
