//! `GET /api/flights/airports`, also `/api/airports`: where one can fly.

mod store;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use common::error::ApiError;
use common::http::Json;
use common::http::openapi::Failures;
use serde::Serialize;
use sqlx::MySqlPool;
use utoipa::ToSchema;

/// Airports come and go by the year, but whoever adds one wants to see it soon.
const MAX_AGE: &str = "public, max-age=60";

/// An airport.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Airport {
    /// Its IATA code.
    #[serde(rename = "airport_code")]
    #[schema(example = "ICN")]
    code: String,
    /// Its name.
    #[serde(rename = "airport_name")]
    #[schema(example = "인천국제공항")]
    name: String,
    /// The city it serves.
    #[schema(example = "서울")]
    city: String,
    /// The country it is in.
    #[schema(example = "대한민국")]
    country: String,
}

/// All airports, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Airports {
    airports: Vec<Airport>,
}

/// List the airports.
///
/// All of them, by name.
#[utoipa::path(
    get,
    path = "/api/flights/airports",
    operation_id = "list_airports",
    tag = "airports",
    responses(
        (status = 200, description = "All airports.", body = Airports),
        Failures,
    ),
)]
pub(crate) async fn airports(State(db): State<MySqlPool>) -> Result<impl IntoResponse, ApiError> {
    let airports = store::airports(&db).await?;
    Ok(([(CACHE_CONTROL, MAX_AGE)], Json(Airports { airports })))
}

/// List the airports.
///
/// The same as `/api/flights/airports`, at the address that the browser client calls.
#[utoipa::path(
    get,
    path = "/api/airports",
    operation_id = "list_airports_short",
    tag = "airports",
    responses(
        (status = 200, description = "All airports.", body = Airports),
        Failures,
    ),
)]
pub(crate) async fn airports_alias(db: State<MySqlPool>) -> Result<impl IntoResponse, ApiError> {
    airports(db).await
}
