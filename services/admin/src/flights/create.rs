//! `POST /api/admin/flights`: a new flight, without any day yet.

use axum::extract::State;
use axum::http::StatusCode;
use catalogue::Catalogue;
use catalogue::flights::{AIRLINE, CreateError, Plan, TOTAL_SEATS};
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{BodyRefused, Failures, KeyRefused, NotAdministrator, Repeatable};
use common::http::{Json, RequestId};
use common::idempotency::{Keyed, Once, Told};
use common::language::Language;
use serde::Serialize;
use utoipa::ToSchema;

use super::plan_refused;
use super::request::FlightRequest;

/// The flight is there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlightCreated {
    #[schema(example = "항공편이 등록되었습니다.")]
    message: &'static str,
    #[schema(example = "CJ101")]
    flight_id: String,
    /// Always true.
    #[schema(example = true)]
    success: bool,
}

/// Create a flight.
///
/// It is on sale once days are published for it. CloudJet flies it, with 180 seats for sale.
#[utoipa::path(
    post,
    path = "/api/admin/flights",
    operation_id = "create_flight",
    tag = "flights",
    params(Repeatable),
    request_body(
        content = FlightRequest,
        example = json!({
            "flight_id": "CJ901",
            "departure_airport": "ICN",
            "arrival_airport": "NRT",
            "departure_time": "06:30",
            "arrival_time": "09:15",
            "aircraft": "Boeing 737-800",
            "base_price": 320_000,
        }),
    ),
    responses(
        KeyRefused,
        (status = 201, description = "The flight is created.", body = FlightCreated),
        (status = 400, description = "A field is missing or can't be accepted, or an airport is unknown.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The number is in use.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn create(
    admin: Admin,
    State(catalogue): State<Catalogue>,
    request_id: RequestId,
    language: Language,
    Keyed(key, Json(request)): Keyed<Json<FlightRequest>>,
) -> Result<Told<()>, ApiError> {
    let plan = Plan { airline: AIRLINE.to_owned(), total_seats: TOTAL_SEATS, ..request.read("")? };
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let once = Once::new(admin.id, key, |()| (StatusCode::CREATED, FlightCreated::new(&plan, language)));
    catalogue.create_flight(&cause, &plan, &once).await.map_err(refused)
}

impl FlightCreated {
    fn new(plan: &Plan, language: Language) -> Self {
        let message = language.pick("항공편이 등록되었습니다.", "The flight has been created.");
        Self { message, flight_id: plan.flight_id.to_string(), success: true }
    }
}

/// How a refusal is told.
fn refused(error: CreateError) -> ApiError {
    match error {
        CreateError::Taken => ApiError::conflict(
            "flight-exists",
            "이미 등록된 항공편 번호입니다.",
            "There is a flight with this number already.",
        ),
        CreateError::Plan(error) => plan_refused(error, ""),
        CreateError::Database(error) => error.into(),
    }
}
