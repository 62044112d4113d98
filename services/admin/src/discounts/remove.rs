//! `DELETE /api/admin/discounts/{discount_id}`: the full price again.

use axum::extract::State;
use axum::http::StatusCode;
use catalogue::Catalogue;
use catalogue::discounts::RemoveError;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{Failures, KeyRefused, NotAdministrator, Repeatable};
use common::http::{Path, RequestId};
use common::idempotency::{Key, Once, Told};
use common::language::Language;

use crate::done::Done;

/// Remove a discount.
///
/// What was sold at it stays sold at it.
#[utoipa::path(
    delete,
    path = "/api/admin/discounts/{discount_id}",
    operation_id = "remove_discount",
    tag = "discounts",
    params(("discount_id" = i64, Path, description = "The discount's id.", example = 1), Repeatable),
    responses(
        KeyRefused,
        (status = 200, description = "It is removed.", body = Done),
        (status = 404, description = "There is no such discount, or it doesn't count any more.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn remove(
    admin: Admin,
    State(catalogue): State<Catalogue>,
    request_id: RequestId,
    language: Language,
    Path(discount_id): Path<i64>,
    key: Option<Key>,
) -> Result<Told<i64>, ApiError> {
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let message = language.pick("할인이 삭제되었습니다.", "The discount has been removed.");
    let once = Once::new(admin.id, key, |_| (StatusCode::OK, Done::new(message)));
    catalogue.remove_discount(&cause, discount_id, &once).await.map_err(refused)
}

/// How a refusal is told.
fn refused(error: RemoveError) -> ApiError {
    match error {
        RemoveError::NotFound => ApiError::not_found(
            "discount-not-found",
            "적용 중인 할인을 찾을 수 없습니다.",
            "There is no such discount.",
        ),
        RemoveError::Database(error) => error.into(),
    }
}
