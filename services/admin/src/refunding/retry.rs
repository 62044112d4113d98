//! `POST /api/admin/refunds/{refund_id}/retry`: the provider is asked once more.

use axum::extract::State;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{Failures, NotAdministrator};
use common::http::{Json, Path, RequestId};
use common::language::Language;
use orders::Orders;
use uuid::Uuid;

use super::{RefundDone, refused};

/// Try a refund anew.
///
/// One that waits for an operator, because the provider refused it. What was paid of it in the provider's console
/// meanwhile is found, and not paid again.
#[utoipa::path(
    post,
    path = "/api/admin/refunds/{refund_id}/retry",
    operation_id = "retry_refund",
    tag = "payments",
    params(("refund_id" = Uuid, Path, description = "The refund's id.", example = "019aa4c0-0000-7000-8000-000000000001")),
    responses(
        (status = 200, description = "It is tried anew.", body = RefundDone),
        (status = 404, description = "There is no such refund.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It doesn't wait for an operator.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn retry(
    admin: Admin,
    State(orders): State<Orders>,
    request_id: RequestId,
    language: Language,
    Path(refund_id): Path<Uuid>,
) -> Result<Json<RefundDone>, ApiError> {
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let refund = orders.retry_refund(&cause, refund_id).await.map_err(refused)?;
    Ok(Json(RefundDone::new(language.pick("환불을 다시 시도합니다.", "The refund is tried again."), refund)))
}
