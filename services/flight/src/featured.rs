//! `GET /api/flights/featured`: the best discounts, for the front page.

use axum::extract::State;
use common::clock::Clock;
use common::error::ApiError;
use common::http::Json;
use common::http::openapi::Failures;
use common::money::Money;
use serde::Serialize;
use sqlx::MySqlPool;
use utoipa::ToSchema;

use crate::card::Card;
use crate::offers::{self, Offer};

/// A flight at a discount.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeaturedFlight {
    #[serde(flatten)]
    card: Card,
    /// The same as `price`.
    #[schema(value_type = i64, example = 240_000)]
    discounted_price: Money,
}

/// The best offers: biggest discount first, then the earliest day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeaturedFlights {
    #[schema(max_items = 6)]
    flights: Vec<FeaturedFlight>,
    /// How many there are.
    #[schema(example = 1)]
    total: usize,
}

/// Show the six best offers.
///
/// Flights on sale from today in Seoul on that have a discount; biggest discount first, then the earliest day.
#[utoipa::path(
    get,
    path = "/api/flights/featured",
    operation_id = "list_featured_flights",
    tag = "offers",
    responses(
        (status = 200, description = "The offers.", body = FeaturedFlights),
        Failures,
    ),
)]
pub(crate) async fn featured(
    State(db): State<MySqlPool>,
    State(clock): State<Clock>,
) -> Result<Json<FeaturedFlights>, ApiError> {
    let flights: Vec<_> = offers::best(&db, &clock).await?.into_iter().map(FeaturedFlight::from).collect();
    Ok(Json(FeaturedFlights { total: flights.len(), flights }))
}

impl From<Offer> for FeaturedFlight {
    fn from(offer: Offer) -> Self {
        Self { discounted_price: offer.price(), card: offer.into() }
    }
}
