//! The checks, one room per family: seats, bookings and their payments, charges and their refunds, the provider, and
//! what waits too long.

mod bookings;
mod charges;
mod provider;
mod seats;
mod waiting;

use super::Check;

/// All checks, in the order in which they are made: a counter is right before seats are claimed by it, and the provider
/// is heard and a payment stands where its charges say before anything follows from that.
pub const CHECKS: &[Check] = &[
    Check::of::<seats::WrongCount>(),
    Check::of::<seats::Stray>(),
    Check::of::<seats::OfOverBooking>(),
    Check::of::<seats::OfOverPayment>(),
    Check::of::<seats::Missing>(),
    Check::of::<provider::Unequal>(),
    Check::of::<provider::Unheard>(),
    Check::of::<charges::WrongStatus>(),
    Check::of::<charges::Surplus>(),
    Check::of::<charges::WrongReserve>(),
    Check::of::<bookings::PaidUnconfirmed>(),
    Check::of::<bookings::PaidTwice>(),
    Check::of::<bookings::CancelledAndPaid>(),
    Check::of::<bookings::Unpaid>(),
    Check::of::<bookings::Unbooked>(),
    Check::of::<provider::Unreturned>(),
    waiting::overdue::<waiting::Refund>(),
    waiting::overdue::<waiting::GivenUpRefund>(),
    waiting::overdue::<waiting::Message>(),
    waiting::overdue::<waiting::Call>(),
    waiting::overdue::<waiting::News>(),
];
