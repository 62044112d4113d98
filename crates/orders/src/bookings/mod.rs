//! Bookings: an order for seats on one schedule, for one to nine passengers.
//!
//! `PENDING` ──paid──► `CONFIRMED` ──departed──► `COMPLETED`; from the first two also ──► `CANCELLED`. A pending
//! booking reads `CANCELLED` from its deadline on; the job that writes it down only tidies. One without a deadline is
//! pinned: the provider is deciding about its money.

mod book;
pub(crate) mod cancel;
mod cancellation;
mod choose;
mod complete;
mod expire;
mod money;
mod pin;
pub(crate) mod store;
mod view;

use std::fmt;

use catalogue::SeatNumber;
use chrono::{DateTime, NaiveDate, Utc};
use common::money::Money;

pub use book::{BookError, Booked};
pub use cancel::{CancelError, Cancelled};
pub use cancellation::{Cancellation, Obstacle};
pub use choose::{Choice, SeatsError};
pub(crate) use money::{Verdict, accept_payment};
pub(crate) use pin::{Deadline, pin, unpin};
pub use view::seat_map::{SeatMap, SeatState};
pub use view::{BookedPassenger, Booking, Filter, NamedBooking};

common::text_enum! {
    /// Where a booking stands.
    pub enum BookingStatus {
        /// Seats are held, payment is due.
        Pending = "PENDING",
        /// Paid; seats are sold.
        Confirmed = "CONFIRMED",
        /// Over; seats are free again.
        Cancelled = "CANCELLED",
        /// Flown.
        Completed = "COMPLETED",
    }
}

impl BookingStatus {
    /// Whether its seats are sold.
    pub(crate) fn is_sold(self) -> bool {
        matches!(self, Self::Confirmed | Self::Completed)
    }
}

common::text_enum! {
    /// Why a booking was cancelled.
    pub enum CancelReason {
        /// It wasn't paid in time.
        Expired = "EXPIRED",
        /// Its owner cancelled it.
        Owner = "OWNER",
        /// An administrator cancelled it.
        Admin = "ADMIN",
        /// The airline doesn't fly.
        Airline = "AIRLINE",
        /// Its payment was cancelled in the provider's console.
        Reversed = "REVERSED",
    }
}

common::text_enum! {
    /// A passenger's gender, as the original's passenger list has it.
    pub enum Gender {
        /// Female.
        F = "F",
        /// Male.
        M = "M",
    }
}

/// The most passengers one booking can have.
pub const MOST_PASSENGERS: usize = 9;

/// A booking number: `CJ` and eight letters or digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingNumber(String);

impl BookingNumber {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    fn draw(chance: &common::chance::Chance) -> Self {
        Self(format!("CJ{}", chance.text(Self::ALPHABET, 8)))
    }

    /// The number as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BookingNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a request names a booking: clients know both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookingRef {
    /// By `booking_id`.
    Id(i64),
    /// By `booking_number`, in any case.
    Number(String),
}

/// Somebody who is to fly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passenger {
    /// Name in Korean, or the only one.
    pub name_kor: String,
    /// Name in English, where it was asked for.
    pub name_eng: Option<String>,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Gender, where it was asked for.
    pub gender: Option<Gender>,
    /// Phone, where it was given.
    pub phone: Option<String>,
    /// The seat chosen for them.
    pub seat: Option<SeatNumber>,
}

/// What somebody wants to book.
#[derive(Clone, Debug)]
pub struct NewBooking {
    /// For whose account.
    pub user_id: i64,
    /// On which schedule.
    pub schedule_id: i64,
    /// Who flies: 1 to [`MOST_PASSENGERS`].
    pub passengers: Vec<Passenger>,
    /// How they are reached; as their account is, where the request doesn't say.
    pub contact: Option<Contact>,
    /// How they want to pay, as the client calls it.
    pub payment_method: String,
    /// What the client believes it costs in all. Only compared.
    pub total: Option<Money>,
}

/// How passengers are reached.
#[derive(Clone, Debug)]
pub struct Contact {
    /// An e-mail address.
    pub email: String,
    /// A telephone number; empty, where none is known.
    pub phone: String,
}

impl NewBooking {
    fn seats(&self) -> Vec<String> {
        self.passengers.iter().filter_map(|p| p.seat).map(|seat| seat.to_string()).collect()
    }

    pub(crate) fn quantity(&self) -> u32 {
        u32::try_from(self.passengers.len()).unwrap_or(u32::MAX)
    }
}

/// A booking as the answer to making it.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its id.
    pub booking_id: i64,
    /// Its number.
    pub booking_number: String,
    /// Where it stands.
    pub status: BookingStatus,
    /// Until when it must be paid, while it is pending.
    pub payment_due_at: Option<DateTime<Utc>>,
    /// What it costs in all.
    pub total: Money,
    /// The search that shows the seats it has taken just now.
    pub(crate) search_key: Option<String>,
}
