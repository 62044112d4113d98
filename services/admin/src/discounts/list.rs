//! `GET /api/admin/discounts`: what is discounted.

use axum::extract::State;
use catalogue::Catalogue;
use catalogue::discounts::ListedDiscount;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::Json;
use common::http::openapi::{Failures, NotAdministrator};
use common::page::Page;
use serde::Serialize;
use utoipa::ToSchema;

/// Discounts that count.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Discounts {
    discounts: Vec<ListedDiscount>,
}

/// List the discounts.
///
/// Those that count, newest first.
#[utoipa::path(
    get,
    path = "/api/admin/discounts",
    operation_id = "list_discounts",
    tag = "discounts",
    params(Page),
    responses(
        (status = 200, description = "The discounts.", body = Discounts),
        (status = 400, description = "The part of the list makes no sense.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn list(
    _: Admin,
    State(catalogue): State<Catalogue>,
    page: Page,
) -> Result<Json<Discounts>, ApiError> {
    Ok(Json(Discounts { discounts: catalogue.discounts(page).await? }))
}
