//! `GET /api/admin/flights`: what is on sale.

use axum::extract::State;
use catalogue::Catalogue;
use catalogue::flights::ListedFlight;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::Json;
use common::http::openapi::{Failures, NotAdministrator};
use common::page::Page;
use serde::Serialize;
use utoipa::ToSchema;

/// Flights on sale.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Flights {
    flights: Vec<ListedFlight>,
}

/// List the flights on sale.
///
/// By their time of departure.
#[utoipa::path(
    get,
    path = "/api/admin/flights",
    operation_id = "list_flights",
    tag = "flights",
    params(Page),
    responses(
        (status = 200, description = "The flights.", body = Flights),
        (status = 400, description = "The part of the list makes no sense.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn list(_: Admin, State(catalogue): State<Catalogue>, page: Page) -> Result<Json<Flights>, ApiError> {
    Ok(Json(Flights { flights: catalogue.flights(page).await? }))
}
