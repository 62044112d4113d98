//! `GET /api/payments/{payment}`: one payment, its receipts, and what happened to it.

use axum::extract::State;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotSignedIn};
use common::http::{Json, Path};
use common::language::Language;
use orders::Orders;
use orders::payments::{PaymentDetail, PaymentRef};
use serde::Serialize;
use utoipa::ToSchema;

/// One payment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OnePayment {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    payment: PaymentDetail,
}

/// Show a payment.
///
/// With its receipts, and a timeline in plain words. Only its owner learns here that it exists.
#[utoipa::path(
    get,
    path = "/api/payments/{payment}",
    operation_id = "get_payment",
    tag = "payments",
    params(("payment" = String, Path, description = "The payment's order id, or its id.", example = "CJ-ORD-7-10000001-0f3a9c2e")),
    responses(
        (status = 200, description = "The payment.", body = OnePayment),
        (status = 404, description = "There is no such payment, or it is somebody else's.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn detail(
    user: User,
    State(orders): State<Orders>,
    language: Language,
    Path(name): Path<String>,
) -> Result<Json<OnePayment>, ApiError> {
    let found = orders.payment(&PaymentRef::new(name), language).await?;
    let payment = found.filter(|found| found.payment.user_id == user.id).ok_or_else(no_such_payment)?;
    Ok(Json(OnePayment { success: true, payment }))
}

/// 404: no such payment, or not the caller's.
pub(crate) fn no_such_payment() -> ApiError {
    ApiError::not_found("payment-not-found", "결제를 찾을 수 없습니다.", "There is no such payment.")
}
