//! What a booking looks like to administrators: as its owner sees it, and whose it is.

use orders::bookings::Booking;
use serde::Serialize;
use utoipa::ToSchema;

/// A booking and its customer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnyBooking {
    #[schema(example = 1)]
    user_id: i64,
    /// The name of the account it was made with.
    #[schema(example = "김하늘")]
    customer_name: String,
    /// The e-mail address of the account it was made with.
    #[schema(example = "haneul@example.com")]
    user_email: String,
    #[serde(flatten)]
    booking: Booking,
}

impl From<Booking> for AnyBooking {
    fn from(mut booking: Booking) -> Self {
        let (customer_name, user_email) =
            (std::mem::take(&mut booking.user_name), std::mem::take(&mut booking.user_email));
        Self { user_id: booking.user_id, customer_name, user_email, booking }
    }
}
