//! `GET /api/flights/promotions`, also `/api/promotions`: the featured offers in the words of the original's
//! promotions. Clients of old look for the price, the discount and the cities under other names; they find them.

use axum::extract::State;
use chrono::{NaiveDate, NaiveTime};
use common::clock::Clock;
use common::error::ApiError;
use common::http::Json;
use common::http::openapi::Failures;
use common::money::Money;
use serde::Serialize;
use sqlx::MySqlPool;
use utoipa::ToSchema;

use crate::offers::{self, Offer};

/// A flight at a discount.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Promotion {
    /// What is booked: this flight on this day.
    #[schema(example = 10_000_001)]
    schedule_id: i64,
    /// The flight number.
    #[schema(example = "CJ101")]
    flight_id: String,
    /// Who flies it.
    #[schema(example = "CloudJet")]
    airline: String,
    /// Where it leaves (IATA code).
    #[schema(example = "ICN")]
    departure_airport: String,
    /// Where it arrives (IATA code).
    #[schema(example = "NRT")]
    arrival_airport: String,
    /// Name of the airport where it leaves.
    #[schema(example = "인천국제공항")]
    departure_name: String,
    /// Name of the airport where it arrives.
    #[schema(example = "나리타국제공항")]
    arrival_name: String,
    /// The city where it leaves.
    #[schema(example = "서울")]
    departure_city: String,
    /// The city where it arrives.
    #[schema(example = "도쿄")]
    arrival_city: String,
    /// The local day it leaves.
    #[schema(example = "2026-12-01")]
    flight_date: NaiveDate,
    /// When it leaves, on the clocks there.
    #[schema(value_type = String, example = "06:30:00")]
    departure_time: NaiveTime,
    /// When it arrives, on the clocks there.
    #[schema(value_type = String, example = "09:15:00")]
    arrival_time: NaiveTime,
    /// How long it flies, for people.
    #[schema(example = "2시간 45분")]
    duration: String,
    /// What flies.
    #[schema(example = "Boeing 737-800")]
    aircraft: String,
    /// How many seats are free.
    #[schema(example = 150)]
    available_seats: i64,
    /// The price of a seat before the discount, in won.
    original_price: Money,
    /// The same as `original_price`.
    base_price: Money,
    /// What a seat costs now, in won.
    #[schema(value_type = i64, example = 240_000)]
    discounted_price: Money,
    /// The same as `discounted_price`.
    #[schema(value_type = i64, example = 240_000)]
    current_price: Money,
    /// The discount in percent.
    #[schema(example = 25)]
    discount_percentage: u8,
    /// The same as `discount_percentage`.
    #[schema(example = 25)]
    discount_percent: u8,
}

/// The best offers: biggest discount first, then the earliest day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Promotions {
    #[schema(max_items = 6)]
    promotions: Vec<Promotion>,
    /// How many there are.
    #[schema(example = 1)]
    total: usize,
}

/// Show the six best offers as promotions.
///
/// The same flights as the featured ones, in the same order.
#[utoipa::path(
    get,
    path = "/api/flights/promotions",
    operation_id = "list_promotions",
    tag = "offers",
    responses(
        (status = 200, description = "The offers.", body = Promotions),
        Failures,
    ),
)]
pub(crate) async fn promotions(
    State(db): State<MySqlPool>,
    State(clock): State<Clock>,
) -> Result<Json<Promotions>, ApiError> {
    let promotions: Vec<_> = offers::best(&db, &clock).await?.into_iter().map(Promotion::from).collect();
    Ok(Json(Promotions { total: promotions.len(), promotions }))
}

/// Show the six best offers as promotions.
///
/// The same as `/api/flights/promotions`.
#[utoipa::path(
    get,
    path = "/api/promotions",
    operation_id = "list_promotions_short",
    tag = "offers",
    responses(
        (status = 200, description = "The offers.", body = Promotions),
        Failures,
    ),
)]
pub(crate) async fn promotions_alias(db: State<MySqlPool>, clock: State<Clock>) -> Result<Json<Promotions>, ApiError> {
    promotions(db, clock).await
}

impl From<Offer> for Promotion {
    fn from(offer: Offer) -> Self {
        let (original_price, discounted_price) = (offer.original_price(), offer.price());
        // Only what has a discount is a promotion.
        let discount = offer.discount().unwrap_or_default();
        Self {
            schedule_id: offer.schedule_id,
            flight_id: offer.flight_id,
            airline: offer.airline,
            departure_airport: offer.departure_airport,
            arrival_airport: offer.arrival_airport,
            departure_name: offer.departure_name,
            arrival_name: offer.arrival_name,
            departure_city: offer.departure_city,
            arrival_city: offer.arrival_city,
            flight_date: offer.flight_date,
            departure_time: offer.departure_time,
            arrival_time: offer.arrival_time,
            duration: offer.duration,
            aircraft: offer.aircraft,
            available_seats: offer.free_seats,
            original_price,
            base_price: original_price,
            discounted_price,
            current_price: discounted_price,
            discount_percentage: discount,
            discount_percent: discount,
        }
    }
}
