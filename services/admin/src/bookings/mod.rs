//! Everybody's bookings: to look through, to find, to cancel.

pub(crate) mod cancel;
pub(crate) mod list;
pub(crate) mod search;
mod shape;

use serde::Serialize;
use utoipa::ToSchema;

use shape::AnyBooking;

/// Bookings, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AnyBookings)]
pub(crate) struct Bookings {
    bookings: Vec<AnyBooking>,
}

impl From<Vec<orders::bookings::Booking>> for Bookings {
    fn from(bookings: Vec<orders::bookings::Booking>) -> Self {
        Self { bookings: bookings.into_iter().map(AnyBooking::from).collect() }
    }
}
