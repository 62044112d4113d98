//! What a booking looks like to administrators.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use common::money::Money;
use orders::bookings::{BookedPassenger, Booking, BookingStatus, CancelReason, Gender};
use serde::Serialize;
use utoipa::ToSchema;

/// A booking with its customer, what was sold and who flies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AnyBooking)]
pub(crate) struct BookingShape {
    #[schema(example = 1)]
    booking_id: i64,
    #[schema(example = "CJ4K7Q2M9X")]
    booking_number: String,
    #[schema(example = 1)]
    user_id: i64,
    /// The name of the account it was made with.
    #[schema(example = "김하늘")]
    customer_name: String,
    /// The e-mail address of the account it was made with.
    #[schema(example = "haneul@example.com")]
    user_email: String,
    #[schema(example = 10_000_001)]
    schedule_id: i64,
    /// The first passenger's seat; null where none was chosen.
    #[schema(example = "12A")]
    seat_number: Option<String>,
    total_amount: Money,
    #[schema(example = "haneul@example.com")]
    contact_email: String,
    #[schema(example = "010-1234-5678")]
    contact_phone: String,
    #[schema(example = "card")]
    payment_method: String,
    status: BookingStatus,
    /// Why it was cancelled, if it was.
    cancel_reason: Option<CancelReason>,
    /// Until when it must be paid, while it is pending.
    payment_due_at: Option<DateTime<Utc>>,
    #[schema(example = "2026-11-24T03:00:00Z")]
    created_at: DateTime<Utc>,
    #[schema(example = "2026-12-01")]
    flight_date: NaiveDate,
    #[schema(example = "CJ101")]
    flight_id: String,
    #[schema(example = "CloudJet")]
    airline: String,
    #[schema(example = "ICN")]
    departure_airport: String,
    #[schema(example = "NRT")]
    arrival_airport: String,
    #[schema(value_type = String, example = "06:30:00")]
    departure_time: NaiveTime,
    #[schema(value_type = String, example = "09:15:00")]
    arrival_time: NaiveTime,
    #[schema(example = "2시간 45분")]
    duration: String,
    #[schema(example = "Boeing 737-800")]
    aircraft: String,
    #[schema(example = "인천국제공항")]
    departure_name: String,
    #[schema(example = "나리타국제공항")]
    arrival_name: String,
    passengers: Vec<PassengerShape>,
}

/// A passenger.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AnyPassenger)]
pub(crate) struct PassengerShape {
    #[schema(example = "김하늘")]
    name_kor: String,
    /// Null where it wasn't asked for.
    name_eng: Option<String>,
    #[schema(example = "1990-02-03")]
    birth_date: NaiveDate,
    /// Null where it wasn't asked for.
    gender: Option<Gender>,
    /// Null where none was chosen.
    seat_number: Option<String>,
}

impl From<Booking> for BookingShape {
    fn from(booking: Booking) -> Self {
        Self {
            booking_id: booking.booking_id,
            booking_number: booking.booking_number,
            user_id: booking.user_id,
            customer_name: booking.user_name,
            user_email: booking.user_email,
            schedule_id: booking.schedule_id,
            seat_number: booking.seat_number,
            total_amount: booking.total_amount,
            contact_email: booking.contact_email,
            contact_phone: booking.contact_phone,
            payment_method: booking.payment_method,
            status: booking.status,
            cancel_reason: booking.cancel_reason,
            payment_due_at: booking.payment_due_at,
            created_at: booking.created_at,
            flight_date: booking.flight_date,
            flight_id: booking.flight_id,
            airline: booking.airline,
            departure_airport: booking.departure_airport,
            arrival_airport: booking.arrival_airport,
            departure_time: booking.departure_time,
            arrival_time: booking.arrival_time,
            duration: booking.duration,
            aircraft: booking.aircraft,
            departure_name: booking.departure_name,
            arrival_name: booking.arrival_name,
            passengers: booking.passengers.into_iter().map(PassengerShape::from).collect(),
        }
    }
}

impl From<BookedPassenger> for PassengerShape {
    fn from(passenger: BookedPassenger) -> Self {
        Self {
            name_kor: passenger.name_kor,
            name_eng: passenger.name_eng,
            birth_date: passenger.birth_date,
            gender: passenger.gender,
            seat_number: passenger.seat_number,
        }
    }
}
