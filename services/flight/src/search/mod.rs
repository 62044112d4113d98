//! `GET /api/flights/search`: the flights on sale from one airport to another on a day.

mod cached;

use axum::extract::State;
use catalogue::AirportCode;
use chrono::NaiveTime;
use common::error::{ApiError, Problem};
use common::http::openapi::Failures;
use common::http::wire::{date, required_text};
use common::http::{Json, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::card::Card;
use crate::offers::{Journey, Offer};

/// What is searched for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// Where to leave: an IATA code, in any case.
    #[param(required, value_type = String, pattern = "^[A-Za-z]{3}$", example = "ICN")]
    departure: Option<String>,
    /// Where to arrive: an IATA code, in any case.
    #[param(required, value_type = String, pattern = "^[A-Za-z]{3}$", example = "NRT")]
    arrival: Option<String>,
    /// The local day to leave, `YYYY-MM-DD`.
    #[param(required, value_type = String, format = Date, example = "2026-12-01")]
    date: Option<String>,
}

/// A flight found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FlightFound {
    #[serde(flatten)]
    card: Card,
    /// The same as `departureTime`.
    #[schema(value_type = String, example = "06:30:00")]
    departure_time: NaiveTime,
    /// The same as `arrivalTime`.
    #[schema(value_type = String, example = "09:15:00")]
    arrival_time: NaiveTime,
}

/// The flights found, cheapest first, then by departure.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlightsFound {
    flights: Vec<FlightFound>,
    /// How many there are.
    #[schema(example = 1)]
    total: usize,
}

/// Search flights on sale.
///
/// Answers what can be booked now: flights that have departed, are sold out or are not flown are left out. Nothing
/// found, or an airport nobody knows, is an empty list.
#[utoipa::path(
    get,
    path = "/api/flights/search",
    operation_id = "search_flights",
    tag = "flights",
    params(Search),
    responses(
        (status = 200, description = "The flights on sale.", body = FlightsFound),
        (status = 400, description = "A parameter is missing or malformed; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        Failures,
    ),
)]
pub(crate) async fn search(
    State(app): State<App>,
    Query(search): Query<Search>,
) -> Result<Json<FlightsFound>, ApiError> {
    let journey = search.journey()?;
    let flights = cached::search(&app, &journey).await?;
    let Journey { from, to, date } = journey;
    tracing::info!("Flight search request: {from} - {to} on {date} | Found {} flights", flights.len());
    Ok(Json(FlightsFound { total: flights.len(), flights }))
}

impl Search {
    fn journey(self) -> Result<Journey, ApiError> {
        Ok(Journey {
            from: airport(self.departure, "departure")?,
            to: airport(self.arrival, "arrival")?,
            date: date(&required_text(self.date, "date")?, "date")?,
        })
    }
}

fn airport(code: Option<String>, field: &'static str) -> Result<AirportCode, ApiError> {
    required_text(code, field)?.parse().map_err(|_| {
        ApiError::invalid(field, "영문 세 글자의 공항 코드여야 합니다.", "Must be an airport code of three letters.")
    })
}

impl From<Offer> for FlightFound {
    fn from(offer: Offer) -> Self {
        Self { departure_time: offer.departure_time, arrival_time: offer.arrival_time, card: offer.into() }
    }
}
