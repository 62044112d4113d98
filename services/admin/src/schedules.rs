//! `GET /api/admin/schedules`: what is flown from today on.

use axum::extract::State;
use catalogue::Catalogue;
use catalogue::schedules::ListedSchedule;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::Json;
use common::http::openapi::{Failures, NotAdministrator};
use common::page::Page;
use serde::Serialize;
use utoipa::ToSchema;

/// Flights on their days.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Schedules {
    schedules: Vec<ListedSchedule>,
}

/// List what is flown from today on.
///
/// As planned, by flights on sale, the earliest first. Today is Seoul's.
#[utoipa::path(
    get,
    path = "/api/admin/schedules",
    operation_id = "list_schedules",
    tag = "schedules",
    params(Page),
    responses(
        (status = 200, description = "The schedules.", body = Schedules),
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
) -> Result<Json<Schedules>, ApiError> {
    Ok(Json(Schedules { schedules: catalogue.schedules(page).await? }))
}
