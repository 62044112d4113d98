//! What a customer reads of the answers: the fields that clients rely on, and none besides.

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct SignedUp {
    pub(crate) success: bool,
}

#[derive(Deserialize)]
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) user: SessionUser,
}

#[derive(Deserialize)]
pub(crate) struct SessionUser {
    pub(crate) id: i64,
    pub(crate) email: String,
}

#[derive(Deserialize)]
pub(crate) struct Found {
    pub(crate) flights: Vec<Flight>,
    pub(crate) total: usize,
}

#[derive(Deserialize)]
pub(crate) struct Flight {
    pub(crate) schedule_id: i64,
    #[serde(rename = "flight_id")]
    pub(crate) number: String,
    pub(crate) price: i64,
    pub(crate) available_seats: i64,
}

#[derive(Deserialize)]
pub(crate) struct Occupied {
    pub(crate) occupied_seats: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Booked {
    pub(crate) success: bool,
    pub(crate) booking_number: String,
    pub(crate) status: String,
    pub(crate) total_amount: i64,
}

#[derive(Deserialize)]
pub(crate) struct Bookings {
    pub(crate) bookings: Vec<Booking>,
}

#[derive(Deserialize)]
pub(crate) struct Booking {
    #[serde(rename = "booking_number")]
    pub(crate) number: String,
    pub(crate) status: String,
    pub(crate) passengers: Vec<Passenger>,
}

#[derive(Deserialize)]
pub(crate) struct Passenger {
    pub(crate) seat_number: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Cancelled {
    pub(crate) success: bool,
    pub(crate) booking_number: String,
}
