//! What both a search result and a featured offer show of a flight. Many things have two names, because the
//! original's clients use either.

use chrono::{NaiveDate, NaiveTime};
use common::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::offers::Offer;

/// A flight on a day, as a card on a page shows it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Card {
    /// What is booked: this flight on this day.
    #[schema(example = 10_000_001)]
    pub(crate) schedule_id: i64,
    /// The flight number.
    #[schema(example = "CJ101")]
    flight_id: String,
    /// The same as `flight_id`.
    #[serde(rename = "flightId")]
    #[schema(example = "CJ101")]
    flight_id_camel: String,
    /// Who flies it.
    #[schema(example = "CloudJet")]
    airline: String,
    /// Where it leaves (IATA code).
    #[schema(example = "ICN")]
    departure_airport: String,
    /// The same as `departure_airport`.
    #[serde(rename = "departureAirport")]
    #[schema(example = "ICN")]
    departure_airport_camel: String,
    /// Where it arrives (IATA code).
    #[schema(example = "NRT")]
    arrival_airport: String,
    /// The same as `arrival_airport`.
    #[serde(rename = "arrivalAirport")]
    #[schema(example = "NRT")]
    arrival_airport_camel: String,
    /// Name of the airport where it leaves.
    #[schema(example = "인천국제공항")]
    departure_name: String,
    /// Name of the airport where it arrives.
    #[schema(example = "나리타국제공항")]
    arrival_name: String,
    /// When it leaves, on the clocks there.
    #[serde(rename = "departureTime")]
    #[schema(value_type = String, example = "06:30:00")]
    departure_time: NaiveTime,
    /// When it arrives, on the clocks there.
    #[serde(rename = "arrivalTime")]
    #[schema(value_type = String, example = "09:15:00")]
    arrival_time: NaiveTime,
    /// How long it flies, for people.
    #[schema(example = "2시간 45분")]
    duration: String,
    /// What flies.
    #[schema(example = "Boeing 737-800")]
    aircraft: String,
    /// The price of a seat before any discount, in won.
    original_price: Money,
    /// What a seat costs now, in won.
    #[schema(value_type = i64, example = 240_000)]
    price: Money,
    /// How many seats are free.
    #[schema(example = 150)]
    pub(crate) available_seats: i64,
    /// The local day it leaves.
    #[schema(example = "2026-12-01")]
    date: NaiveDate,
    /// The discount in percent, if there is one.
    #[schema(required, example = 25)]
    discount_percentage: Option<u8>,
    /// Whether there is a discount.
    #[schema(example = true)]
    has_discount: bool,
}

impl From<Offer> for Card {
    fn from(offer: Offer) -> Self {
        Self {
            schedule_id: offer.schedule_id,
            original_price: offer.original_price(),
            price: offer.price(),
            discount_percentage: offer.discount(),
            has_discount: offer.discount().is_some(),
            available_seats: offer.free_seats,
            date: offer.flight_date,
            departure_time: offer.departure_time,
            arrival_time: offer.arrival_time,
            flight_id: offer.flight_id.clone(),
            flight_id_camel: offer.flight_id,
            airline: offer.airline,
            departure_airport: offer.departure_airport.clone(),
            departure_airport_camel: offer.departure_airport,
            arrival_airport: offer.arrival_airport.clone(),
            arrival_airport_camel: offer.arrival_airport,
            departure_name: offer.departure_name,
            arrival_name: offer.arrival_name,
            duration: offer.duration,
            aircraft: offer.aircraft,
        }
    }
}
