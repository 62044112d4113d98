//! `PUT /api/bookings/{booking_number}/seats`: passengers choose seats after booking, change them, or give them up.

use std::collections::HashSet;

use axum::extract::State;
use axum::http::StatusCode;
use catalogue::SeatNumber;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{BodyRefused, Failures, KeyRefused, NotSignedIn, Repeatable};
use common::http::wire::{Id, required};
use common::http::{Json, Path, RequestId};
use common::idempotency::{Keyed, Once, Told};
use common::language::Language;
use orders::Orders;
use orders::bookings::{Booking, Choice, MOST_PASSENGERS, NamedBooking, SeatsError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chosen;
use crate::detail::no_such_booking;

/// Seats for passengers of a booking.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SeatsRequest {
    /// One to nine of them; passengers who aren't named stay where they are.
    #[schema(required = true, nullable = false, min_items = 1, max_items = 9)]
    seats: Option<Vec<SeatRequest>>,
}

/// A seat for a passenger. Whoever misspells `seat_id` is told so: it would give the seat up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeatRequest {
    /// The passenger's id, as the booking shows it.
    #[schema(required = true, nullable = false, example = 1)]
    passenger_id: Option<Id>,
    /// The seat. Null, or nothing, gives up the one they have.
    #[schema(example = "12A")]
    seat_id: Option<String>,
}

/// The passengers sit where they wanted to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeatsChanged {
    #[schema(example = "좌석을 변경했습니다.")]
    message: &'static str,
    /// Always true.
    #[schema(example = true)]
    success: bool,
    booking: NamedBooking,
}

/// Choose, change or give up seats.
///
/// Of one's own booking, paid or not, until its flight departs; no seat costs more than another. All of it happens or
/// nothing: what is new is taken before anything is given up, so nobody loses a seat to a change that is refused, and two
/// passengers of a booking may swap. Sent again, it changes nothing more.
#[utoipa::path(
    put,
    path = "/api/bookings/{booking_number}/seats",
    operation_id = "choose_seats",
    tag = "seats",
    params(("booking_number" = String, Path, description = "The booking's number.", example = "CJ4K7Q2M9X"), Repeatable),
    request_body(
        content = SeatsRequest,
        examples(
            ("a seat" = (
                summary = "a seat for one passenger",
                value = json!({ "seats": [{ "passenger_id": 1, "seat_id": "12A" }] }),
            )),
            ("a swap" = (
                summary = "two passengers swap seats, and a third gives theirs up",
                value = json!({
                    "seats": [
                        { "passenger_id": 1, "seat_id": "12B" },
                        { "passenger_id": 2, "seat_id": "12A" },
                        { "passenger_id": 3, "seat_id": null },
                    ],
                }),
            )),
        ),
    ),
    responses(
        KeyRefused,
        (status = 200, description = "They sit there now.", body = SeatsChanged),
        (status = 400, description = "A field is missing or can't be accepted: the booking has no such passenger, or the aircraft no such seat.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such booking, or it is somebody else's.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Seats are taken, the booking is not live any more, or its flight has departed.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn choose(
    user: User,
    State(orders): State<Orders>,
    request_id: RequestId,
    language: Language,
    Path(number): Path<String>,
    Keyed(key, Json(request)): Keyed<Json<SeatsRequest>>,
) -> Result<Told<Booking>, ApiError> {
    let choices = request.read()?;
    let cause = Cause::user(user.id, request_id.as_str().to_owned());
    let once = Once::new(user.id, key, |booking| (StatusCode::OK, SeatsChanged::new(booking, language)));
    let told = orders.choose_seats(&cause, user.id, &number, &choices, &once).await;
    told.map_err(|error| refused(error, &choices))
}

impl SeatsRequest {
    fn read(self) -> Result<Vec<Choice>, ApiError> {
        let requested = required(self.seats, "seats")?;
        if !(1..=MOST_PASSENGERS).contains(&requested.len()) {
            return Err(ApiError::invalid(
                "seats",
                "좌석은 1개에서 9개까지 지정할 수 있습니다.",
                "There must be one to nine seats.",
            ));
        }
        let (mut people, mut seats) = (HashSet::new(), HashSet::new());
        let mut choices = Vec::with_capacity(requested.len());
        for (n, request) in requested.into_iter().enumerate() {
            let choice = request.read(n)?;
            if !people.insert(choice.passenger_id) {
                return Err(ApiError::invalid(
                    passenger_field(n),
                    "같은 승객을 두 번 지정했습니다.",
                    "A passenger is named twice.",
                ));
            }
            if choice.seat.is_some_and(|seat| !seats.insert(seat)) {
                return Err(chosen::twice(seat_field(n)));
            }
            choices.push(choice);
        }
        Ok(choices)
    }
}

impl SeatRequest {
    fn read(self, n: usize) -> Result<Choice, ApiError> {
        let Id(passenger_id) = required(self.passenger_id, &passenger_field(n))?;
        let seat = self.seat_id.map(|label| chosen::read(&label, seat_field(n))).transpose()?;
        Ok(Choice { passenger_id, seat })
    }
}

fn passenger_field(n: usize) -> String {
    format!("seats[{n}].passenger_id")
}

fn seat_field(n: usize) -> String {
    format!("seats[{n}].seat_id")
}

impl SeatsChanged {
    fn new(booking: &Booking, language: Language) -> Self {
        Self {
            message: language.pick("좌석을 변경했습니다.", "The seats have been changed."),
            success: true,
            booking: booking.clone().into(),
        }
    }
}

/// How a refusal of `choices` is told.
fn refused(error: SeatsError, choices: &[Choice]) -> ApiError {
    let of = |wanted: &dyn Fn(&Choice) -> bool| choices.iter().position(wanted).unwrap_or_default();
    match error {
        SeatsError::NotFound => no_such_booking(),
        SeatsError::NotLive => ApiError::conflict(
            "booking-not-changeable",
            "좌석을 변경할 수 있는 예약이 아닙니다.",
            "The booking can't be changed any more.",
        ),
        SeatsError::Departed => ApiError::conflict(
            "flight-departed",
            "이미 출발한 항공편의 좌석은 변경할 수 없습니다.",
            "The flight has departed already.",
        ),
        SeatsError::NoSuchPassenger(id) => ApiError::invalid(
            passenger_field(of(&|choice| choice.passenger_id == id)),
            "이 예약에 없는 승객입니다.",
            "The booking has no such passenger.",
        ),
        SeatsError::NoSuchSeat(seat) => {
            chosen::not_offered(&seat.to_string(), seat_field(of(&|choice| choice.seat == Some(seat))))
        }
        SeatsError::Taken(seats) => taken(&seats, choices),
        SeatsError::Database(error) => error.into(),
    }
}

/// 409: names the seats, and the fields that asked for them.
fn taken(seats: &[SeatNumber], choices: &[Choice]) -> ApiError {
    let refusal = chosen::taken(&seats.iter().map(ToString::to_string).collect::<Vec<_>>());
    let asked = choices.iter().enumerate().filter(|(_, choice)| choice.seat.is_some_and(|seat| seats.contains(&seat)));
    asked.fold(refusal, |refusal, (n, _)| {
        refusal.naming(seat_field(n), "이미 예약된 좌석입니다.", "This seat is taken.")
    })
}
