//! `POST /api/admin/flights-with-schedules`: a flight and the days on which it is flown.

use axum::extract::State;
use axum::http::StatusCode;
use catalogue::Catalogue;
use catalogue::flights::{Plan, PublishError, Published, Season};
use chrono::{NaiveDate, TimeDelta};
use common::auth::Admin;
use common::clock::Clock;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{BodyRefused, Failures, KeyRefused, NotAdministrator, Repeatable};
use common::http::wire::{self, Whole, required, required_text};
use common::http::{Json, RequestId};
use common::idempotency::{Keyed, Once, Told};
use common::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan_refused;
use super::request::{FlightRequest, SEATS};

/// What a seat may cost on a day, in won. Zero stands for the flight's own price.
const PRICES: std::ops::RangeInclusive<i64> = 0..=9_999_999;

/// How long a season may last, its first day not counted.
const LONGEST: TimeDelta = TimeDelta::days(90);

/// A flight, and on which days it is flown.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PublishRequest {
    #[schema(required = true, nullable = false)]
    flight: Option<FlightRequest>,
    #[schema(required = true, nullable = false)]
    schedule: Option<SeasonRequest>,
}

/// How the days are given.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// One day: `date`.
    #[default]
    Single,
    /// Every day from `start_date` to `end_date`.
    Range,
}

/// On which days, and how it is sold on each.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SeasonRequest {
    mode: Option<Mode>,
    /// The day; required for `single`.
    #[schema(example = "2026-12-01")]
    date: Option<String>,
    /// The first day; required for `range`.
    #[schema(example = "2026-12-01")]
    start_date: Option<String>,
    /// The last day; required for `range`. At most 90 days after the first.
    #[schema(example = "2026-12-31")]
    end_date: Option<String>,
    /// What a seat costs, in won; the flight's `base_price` where absent or 0.
    #[schema(minimum = 0, maximum = 9_999_999, example = 320_000)]
    current_price: Option<Whole>,
    /// How many seats are for sale; all of them where absent.
    #[schema(minimum = 1, maximum = 500, example = 180)]
    available_seats: Option<Whole>,
    /// Whether days that are published already are published anew. They never get more free seats than are left.
    overwrite: Option<bool>,
}

/// The flight is published.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlightPublished {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    result: PublishedDays,
}

/// What became of the days.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PublishedDays {
    #[schema(example = "CJ101")]
    flight_id: String,
    /// How many days were published, or published anew.
    #[schema(example = 31)]
    created_schedules: usize,
    /// How many days were published before and stayed as they were.
    #[schema(example = 0)]
    skipped: usize,
    /// Both.
    #[schema(example = 31)]
    total_requested: usize,
}

/// Publish a flight with the days on which it is flown.
///
/// All of it or, if anything is refused, nothing. An existing flight becomes what is said here, and is on sale again. Its route, times and aircraft can't change while
/// somebody has booked it for a day to come.
#[utoipa::path(
    post,
    path = "/api/admin/flights-with-schedules",
    operation_id = "publish_flight",
    tag = "flights",
    params(Repeatable),
    request_body(
        content = PublishRequest,
        example = json!({
            "flight": {
                "flight_id": "CJ901",
                "departure_airport": "ICN",
                "arrival_airport": "NRT",
                "departure_time": "06:30",
                "arrival_time": "09:15",
                "aircraft": "Boeing 737-800",
                "base_price": 320_000,
            },
            "schedule": { "mode": "single", "date": "2026-12-01" },
        }),
    ),
    responses(
        KeyRefused,
        (status = 201, description = "The flight is published.", body = FlightPublished),
        (status = 400, description = "A field is missing or can't be accepted, or an airport is unknown.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Passengers have booked it as it is, or a day is being cancelled.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn publish(
    admin: Admin,
    State(catalogue): State<Catalogue>,
    State(clock): State<Clock>,
    request_id: RequestId,
    Keyed(key, Json(request)): Keyed<Json<PublishRequest>>,
) -> Result<Told<Published>, ApiError> {
    let plan = required(request.flight, "flight")?.read("flight.")?;
    let season = required(request.schedule, "schedule")?.read(&plan, clock.today_in_seoul())?;
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let answer = |published: &Published| (StatusCode::CREATED, FlightPublished::new(&plan, *published));
    let once = Once::new(admin.id, key, answer);
    catalogue.publish(&cause, &plan, &season, &once).await.map_err(refused)
}

impl SeasonRequest {
    /// Reads the days of a flight, from `today` on.
    fn read(self, plan: &Plan, today: NaiveDate) -> Result<Season, ApiError> {
        let day = |text: Option<String>, field| {
            let day = wire::date(&required_text(text, field)?, field)?;
            if day < today {
                return Err(ApiError::invalid(field, "지난 날짜입니다.", "The day has passed."));
            }
            Ok(day)
        };
        let (first, last) = match self.mode.unwrap_or_default() {
            Mode::Single => {
                let day = day(self.date, "schedule.date")?;
                (day, day)
            }
            Mode::Range => (day(self.start_date, "schedule.start_date")?, day(self.end_date, "schedule.end_date")?),
        };
        if !(TimeDelta::zero()..=LONGEST).contains(&(last - first)) {
            return Err(ApiError::invalid(
                "schedule.end_date",
                "시작일부터 90일 이내의 날짜여야 합니다.",
                "Must be from the first day to 90 days after it.",
            ));
        }
        let price = wire::within(self.current_price.unwrap_or(Whole(0)), "schedule.current_price", PRICES)?;
        let most = *SEATS.end().min(&plan.total_seats);
        let seats = self.available_seats.unwrap_or(Whole(plan.total_seats));
        Ok(Season {
            first,
            last,
            price: if price == 0 { plan.base_price } else { Money::won(price) },
            seats: wire::within(seats, "schedule.available_seats", *SEATS.start()..=most)?,
            overwrite: self.overwrite.unwrap_or_default(),
        })
    }
}

impl FlightPublished {
    fn new(plan: &Plan, Published { created, skipped }: Published) -> Self {
        let flight_id = plan.flight_id.to_string();
        let result =
            PublishedDays { flight_id, created_schedules: created, skipped, total_requested: created + skipped };
        Self { success: true, result }
    }
}

/// How a refusal is told.
fn refused(error: PublishError) -> ApiError {
    match error {
        PublishError::Plan(error) => plan_refused(error, "flight."),
        PublishError::Booked(day) => ApiError::new(
            StatusCode::CONFLICT,
            "flight-booked",
            format!("{day} 항공편에 예약이 있어 노선, 시각, 기종을 바꿀 수 없습니다."),
            format!("Passengers have booked the flight of {day}: its route, times and aircraft can't change."),
        ),
        PublishError::TooFewSeats(day) => ApiError::new(
            StatusCode::CONFLICT,
            "too-few-seats",
            format!("{day} 항공편에 이미 그보다 많은 좌석이 판매되었습니다."),
            format!("More seats than that are taken on the flight of {day}."),
        ),
        PublishError::BeingCancelled(day) => ApiError::new(
            StatusCode::CONFLICT,
            "schedule-being-cancelled",
            format!("{day} 항공편은 결항 처리 중입니다. 예약이 모두 취소된 뒤 다시 시도해 주세요."),
            format!("The flight of {day} is being cancelled. Please try again once all its bookings are."),
        ),
        PublishError::Database(error) => error.into(),
    }
}
