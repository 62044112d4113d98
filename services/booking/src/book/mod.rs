//! `POST /api/bookings`: seats for one to nine passengers.

mod request;

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use common::auth::User;
use common::clock::Clock;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{BodyRefused, Failures, KeyRefused, NotSignedIn, Repeatable};
use common::http::{Json, RequestId};
use common::idempotency::{Keyed, Once, Told};
use common::language::Language;
use common::money::Money;
use orders::Orders;
use orders::bookings::{BookError, Booked, BookingStatus, Receipt};
use serde::Serialize;
use utoipa::ToSchema;

use crate::chosen;
use crate::seat_map::no_such_schedule;
use request::BookingRequest;

/// The booking that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BookingMade {
    #[schema(example = "좌석을 확보했습니다. 결제가 확인되면 예약이 확정됩니다.")]
    message: &'static str,
    /// Always true.
    #[schema(example = true)]
    success: bool,
    #[schema(example = "CJ4K7Q2M9X")]
    booking_number: String,
    #[schema(example = 1)]
    booking_id: i64,
    /// `CONFIRMED` if a payment was found for it; else `PENDING`, to be paid by `payment_due_at`.
    status: BookingStatus,
    /// Until when it must be paid, while it is pending.
    #[schema(required, example = "2026-11-24T03:15:00Z")]
    payment_due_at: Option<DateTime<Utc>>,
    total_amount: Money,
}

/// Book seats.
///
/// The seats are held at once. A payment of the caller's that waits for this booking (same schedule, number of
/// passengers and total) is taken up: paid, it confirms the booking. Without one the booking is `PENDING` and must
/// be paid by `payment_due_at`. Asking again for a seat that the caller's own live booking has, for the same
/// passengers, answers 200 with that booking.
#[utoipa::path(
    post,
    path = "/api/bookings",
    operation_id = "create_booking",
    tag = "bookings",
    params(Repeatable),
    request_body(
        content = BookingRequest,
        examples(
            ("a documented request" = (
                summary = "one passenger and a seat",
                value = json!({
                    "schedule_id": 10_000_001,
                    "seat_id": "12A",
                    "passengers": [{ "name": "김하늘", "birth_date": "1990-02-03", "phone": "010-1234-5678" }],
                }),
            )),
            ("the browser client's" = (
                summary = "as the browser client asks: two passengers, one seat",
                value = json!({
                    "scheduleId": "10000001",
                    "passengers": [
                        { "name": "김하늘", "nameEn": "KIM HANEUL", "birth": "1990-02-03", "gender": "F" },
                        { "name": "김바다", "nameEn": "KIM BADA", "birth": "1992-07-21", "gender": "M" },
                    ],
                    "seats": ["12A"],
                    "contactInfo": { "email": "haneul@example.com", "phone": "010-1234-5678" },
                    "paymentMethod": "card",
                    "totalAmount": 640_000,
                }),
            )),
        ),
    ),
    responses(
        KeyRefused,
        (status = 201, description = "The booking is made.", body = BookingMade),
        (status = 200, description = "The caller has this very booking already.", body = BookingMade),
        (status = 400, description = "A field is missing or can't be accepted, or the total is not what it costs.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Sold out, seat taken, not on sale, too many unpaid seats held, or the payment is closed.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn book(
    user: User,
    State(orders): State<Orders>,
    State(clock): State<Clock>,
    request_id: RequestId,
    language: Language,
    Keyed(key, Json(request)): Keyed<Json<BookingRequest>>,
) -> Result<Told<Booked>, ApiError> {
    let (wanted, seats_field) = request.read(user.id, clock.today_in_seoul())?;
    let cause = Cause::user(user.id, request_id.as_str().to_owned());
    let once = Once::new(user.id, key, |booked| BookingMade::answer(booked, language));
    orders.book(&cause, &wanted, &once).await.map_err(|error| refused(error, seats_field))
}

impl BookingMade {
    fn answer(booked: &Booked, language: Language) -> (StatusCode, Self) {
        match booked {
            Booked::New(receipt) => (StatusCode::CREATED, Self::new(receipt, language)),
            Booked::Already(receipt) => (StatusCode::OK, Self::new(receipt, language)),
        }
    }

    fn new(receipt: &Receipt, language: Language) -> Self {
        let message = match receipt.status {
            BookingStatus::Pending => language.pick(
                "좌석을 확보했습니다. 결제가 확인되면 예약이 확정됩니다.",
                "Your seats are held. The booking is confirmed once it is paid.",
            ),
            _ => language.pick("예약이 완료되었습니다.", "Your booking is confirmed."),
        };
        Self {
            message,
            success: true,
            booking_number: receipt.booking_number.clone(),
            booking_id: receipt.booking_id,
            status: receipt.status,
            payment_due_at: receipt.payment_due_at,
            total_amount: receipt.total,
        }
    }
}

/// How a refusal is told to a request that named its seats in `seats_field`.
fn refused(error: BookError, seats_field: &'static str) -> ApiError {
    match error {
        BookError::UnknownSchedule => no_such_schedule(),
        BookError::NotOnSale => {
            ApiError::conflict("not-on-sale", "예약할 수 없는 항공편입니다.", "This flight can't be booked any more.")
        }
        BookError::SoldOut => ApiError::conflict("sold-out", "남은 좌석이 부족합니다.", "Not enough seats are left."),
        BookError::NoSuchSeat(seat) => chosen::not_offered(&seat, seats_field),
        BookError::SeatTaken(seat) => chosen::taken(&[seat]),
        BookError::TooManyHeld => ApiError::conflict(
            "too-many-held-seats",
            "결제하지 않은 좌석이 너무 많습니다. 먼저 결제하거나 취소해 주세요.",
            "You hold too many unpaid seats on this flight. Pay for them or cancel them first.",
        ),
        BookError::WrongTotal(total) => ApiError::invalid(
            "totalAmount",
            format!("결제 금액이 다릅니다. 현재 금액은 {}원입니다.", total.as_won()),
            format!("The total has changed: it is {total}."),
        ),
        BookError::PaymentClosed => ApiError::conflict(
            "payment-closed",
            "결제가 실패했거나 환불 중입니다. 다시 결제해 주세요.",
            "Your payment failed or is being refunded. Please pay again.",
        ),
        BookError::Database(error) => error.into(),
    }
}
