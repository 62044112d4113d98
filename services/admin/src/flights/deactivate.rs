//! `DELETE /api/admin/flights/{flight_id}`: a flight is not sold any more.

use axum::extract::State;
use axum::http::StatusCode;
use catalogue::Catalogue;
use catalogue::flights::DeactivateError;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{Failures, KeyRefused, NotAdministrator, Repeatable};
use common::http::{Path, RequestId};
use common::idempotency::{Key, Once, Told};
use common::language::Language;

use crate::done::Done;

/// Take a flight off sale.
///
/// On all its days. Bookings that were made stay as they are. Publishing it anew puts it on sale again.
#[utoipa::path(
    delete,
    path = "/api/admin/flights/{flight_id}",
    operation_id = "deactivate_flight",
    tag = "flights",
    params(("flight_id" = String, Path, description = "The flight's number.", example = "CJ101"), Repeatable),
    responses(
        KeyRefused,
        (status = 200, description = "It is off sale.", body = Done),
        (status = 404, description = "There is no such flight, or it is off sale already.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn deactivate(
    admin: Admin,
    State(catalogue): State<Catalogue>,
    request_id: RequestId,
    language: Language,
    Path(flight_id): Path<String>,
    key: Option<Key>,
) -> Result<Told<()>, ApiError> {
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let message = language.pick("항공편 판매가 중지되었습니다.", "The flight is off sale.");
    let once = Once::new(admin.id, key, |()| (StatusCode::OK, Done::new(message)));
    catalogue.deactivate_flight(&cause, &flight_id, &once).await.map_err(refused)
}

/// How a refusal is told.
fn refused(error: DeactivateError) -> ApiError {
    match error {
        DeactivateError::NotFound => ApiError::not_found(
            "flight-not-found",
            "판매 중인 항공편을 찾을 수 없습니다.",
            "There is no such flight on sale.",
        ),
        DeactivateError::Database(error) => error.into(),
    }
}
