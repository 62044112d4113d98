//! `POST /api/admin/refunds/{refund_id}/settle`: somebody has paid it by other means.

use axum::extract::State;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{BodyRefused, Failures, NotAdministrator};
use common::http::wire::{name, required_text};
use common::http::{Json, Path, RequestId};
use common::language::Language;
use orders::Orders;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{LONGEST_NOTE, RefundDone, refused};

/// How it was paid.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Settlement {
    /// For the history; no bank data, nothing about persons.
    #[schema(required, nullable = false, max_length = 200, example = "계좌 이체 완료")]
    note: Option<String>,
}

/// Settle a refund by hand.
///
/// One that waits for an operator, who has paid it outside the payment provider, for example to a bank account. It
/// succeeds with that, and the provider isn't asked again.
#[utoipa::path(
    post,
    path = "/api/admin/refunds/{refund_id}/settle",
    operation_id = "settle_refund",
    tag = "payments",
    params(("refund_id" = Uuid, Path, description = "The refund's id.", example = "019aa4c0-0000-7000-8000-000000000001")),
    request_body(content = Settlement, example = json!({ "note": "계좌 이체 완료" })),
    responses(
        (status = 200, description = "It is settled.", body = RefundDone),
        (status = 400, description = "The note is missing, too long, or has markup in it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such refund.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It doesn't wait for an operator.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn settle(
    admin: Admin,
    State(orders): State<Orders>,
    request_id: RequestId,
    language: Language,
    Path(refund_id): Path<Uuid>,
    Json(settlement): Json<Settlement>,
) -> Result<Json<RefundDone>, ApiError> {
    let note = name(&required_text(settlement.note, "note")?, "note", LONGEST_NOTE)?;
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let refund = orders.settle_by_hand(&cause, refund_id, &note).await.map_err(refused)?;
    Ok(Json(RefundDone::new(language.pick("환불을 완료 처리했습니다.", "The refund is settled."), refund)))
}
