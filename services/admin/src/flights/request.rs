//! Reading a flight, alone or beside the days on which it is flown.

use catalogue::AirportCode;
use catalogue::flights::{AIRLINE, Plan, TOTAL_SEATS};
use common::error::ApiError;
use common::http::wire::{self, Whole, required, required_text};
use common::money::Money;
use serde::Deserialize;
use utoipa::ToSchema;

/// What a seat may cost, in won.
const PRICES: std::ops::RangeInclusive<i64> = 10_000..=9_999_999;

/// How many seats a flight may have for sale.
pub(super) const SEATS: std::ops::RangeInclusive<i64> = 1..=500;

/// A flight, whatever the day.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FlightRequest {
    /// The flight number: letters and digits.
    #[schema(required = true, nullable = false, pattern = "^[A-Za-z0-9]{1,10}$", example = "CJ101")]
    flight_id: Option<String>,
    /// Where it leaves (IATA).
    #[schema(required = true, nullable = false, example = "ICN")]
    departure_airport: Option<String>,
    /// Where it arrives (IATA): another airport.
    #[schema(required = true, nullable = false, example = "NRT")]
    arrival_airport: Option<String>,
    /// When it leaves, by the clocks there: `HH:MM` or `HH:MM:SS`.
    #[schema(required = true, nullable = false, example = "06:30")]
    departure_time: Option<String>,
    /// When it arrives, by the clocks there.
    #[schema(required = true, nullable = false, example = "09:15")]
    arrival_time: Option<String>,
    /// How long it takes; as the clocks of both airports say where absent.
    #[schema(pattern = "^[0-9]{1,2}시간 [0-5]?[0-9]분$", example = "2시간 45분")]
    duration: Option<String>,
    /// What flies.
    #[schema(required = true, nullable = false, max_length = 50, example = "Boeing 737-800")]
    aircraft: Option<String>,
    /// What a seat costs, in won.
    #[schema(required = true, nullable = false, minimum = 10_000, maximum = 9_999_999, example = 320_000)]
    base_price: Option<Whole>,
    /// Who flies; `CloudJet` where absent. Only where days are published with it.
    #[schema(max_length = 50, example = "CloudJet")]
    airline: Option<String>,
    /// How many seats are sold; 180 where absent. Only where days are published with it.
    #[schema(minimum = 1, maximum = 500, example = 180)]
    total_seats: Option<Whole>,
}

impl FlightRequest {
    /// Reads the flight, which stands at `at` in the request, refusing the first field that can't be accepted.
    pub(super) fn read(self, at: &str) -> Result<Plan, ApiError> {
        let field = |name: &str| format!("{at}{name}");
        let flight_id = required_text(self.flight_id, &field("flight_id"))?.parse().map_err(|_| {
            ApiError::invalid(
                field("flight_id"),
                "영문자와 숫자 1~10자여야 합니다.",
                "Must be one to ten letters and digits.",
            )
        })?;
        let departure_airport = airport(self.departure_airport, field("departure_airport"))?;
        let arrival_airport = airport(self.arrival_airport, field("arrival_airport"))?;
        if departure_airport == arrival_airport {
            return Err(ApiError::invalid(
                field("arrival_airport"),
                "출발 공항과 도착 공항이 같습니다.",
                "Must be another airport than the flight departs from.",
            ));
        }
        let departure_time = required_text(self.departure_time, &field("departure_time"))?;
        let arrival_time = required_text(self.arrival_time, &field("arrival_time"))?;
        let base_price = required(self.base_price, &field("base_price"))?;
        let total_seats = self.total_seats.unwrap_or(Whole(TOTAL_SEATS));
        Ok(Plan {
            flight_id,
            airline: wire::name(self.airline.as_deref().unwrap_or(AIRLINE), &field("airline"), 50)?,
            departure_airport,
            arrival_airport,
            departure_time: wire::time(&departure_time, &field("departure_time"))?,
            arrival_time: wire::time(&arrival_time, &field("arrival_time"))?,
            duration: self.duration.map(|text| duration(text, field("duration"))).transpose()?,
            aircraft: wire::name(&self.aircraft.unwrap_or_default(), &field("aircraft"), 50)?,
            base_price: Money::won(wire::within(base_price, &field("base_price"), PRICES)?),
            total_seats: wire::within(total_seats, &field("total_seats"), SEATS)?,
        })
    }
}

fn airport(code: Option<String>, field: String) -> Result<AirportCode, ApiError> {
    let code = required_text(code, &field)?;
    code.parse()
        .map_err(|_| ApiError::invalid(field, "공항 코드는 영문 세 글자입니다.", "An airport code has three letters."))
}

/// A duration as people read it: `2시간 45분`.
fn duration(text: String, field: String) -> Result<String, ApiError> {
    let number = |text: &str| {
        let sound = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| text.parse::<u8>().ok()).flatten()
    };
    let parts = text.strip_suffix('분').and_then(|text| text.split_once("시간 "));
    let sound =
        parts.is_some_and(|(hours, minutes)| number(hours).is_some() && number(minutes).is_some_and(|m| m < 60));
    if sound {
        Ok(text)
    } else {
        Err(ApiError::invalid(field, "'2시간 45분'처럼 써야 합니다.", "Must be written like 2시간 45분."))
    }
}
