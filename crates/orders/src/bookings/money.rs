//! Where money meets a booking: a payment that is paid and linked confirms it, or is told why it can't.

use common::events::{self, Cause, Subject};
use inventory::{HoldError, HoldId, Want};
use serde_json::json;
use sqlx::MySqlConnection;

use super::store::{self, Locked};
use super::{BookingStatus, CancelReason};
use crate::Orders;
use crate::seats::{self, Seats};

/// What becomes of money that came for a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The booking is confirmed by it.
    Accepted,
    /// The booking is paid for already: it goes back.
    Surplus,
    /// The booking is cancelled, or its seats are gone: it goes back.
    TooLate,
}

/// Confirms a locked booking because a payment of its total is paid, where that is still possible.
///
/// Seats that are still held are sold. A booking whose hold has lapsed is revived if the same seats are free at the
/// same price. One that was cancelled stays cancelled, and nothing is sold of a flight that has left or won't.
pub(crate) async fn accept_payment(
    orders: &Orders,
    connection: &mut MySqlConnection,
    cause: &Cause,
    booking: &Locked,
) -> sqlx::Result<Verdict> {
    let expired = match (booking.status, booking.cancel_reason) {
        (BookingStatus::Confirmed | BookingStatus::Completed, _) => return Ok(Verdict::Surplus),
        (BookingStatus::Pending, _) => false,
        (BookingStatus::Cancelled, Some(CancelReason::Expired)) => true,
        (BookingStatus::Cancelled, _) => return Ok(Verdict::TooLate),
    };
    let over = catalogue::schedules::find(connection, booking.schedule_id)
        .await?
        .is_none_or(|schedule| schedule.is_grounded || schedule.departs_at() <= orders.clock.now());
    if over {
        return Ok(Verdict::TooLate);
    }
    let hold = match booking.hold_id {
        Some(hold) if !expired && inventory::sell(connection, hold).await? == booking.passengers => Some(hold),
        _ => take_again(orders, connection, booking).await?,
    };
    let Some(hold) = hold else {
        if !expired {
            expire(connection, cause, booking).await?;
        }
        return Ok(Verdict::TooLate);
    };
    store::confirm(connection, booking.booking_id, hold).await?;
    let (old, new) = (json!({ "status": booking.status }), json!({ "status": BookingStatus::Confirmed }));
    let action = if expired || booking.overdue { "revived" } else { "confirmed" };
    events::record(connection, cause, Subject::Booking, booking.booking_id, action, &old, &new).await?;
    Ok(Verdict::Accepted)
}

/// Takes the seats of a booking whose hold has lapsed once more, if they are free and cost the same.
async fn take_again(
    orders: &Orders,
    connection: &mut MySqlConnection,
    booking: &Locked,
) -> sqlx::Result<Option<HoldId>> {
    let Some(schedule) = seats::lock(connection, booking.schedule_id).await? else { return Ok(None) };
    if !schedule.is_on_sale(orders.clock.now()) || booking.unit_price != Some(schedule.unit_price()) {
        return Ok(None);
    }
    let hold = HoldId::new();
    let want = Want {
        owner_id: booking.user_id,
        quantity: booking.passengers,
        units: &store::seats_of(connection, booking.booking_id).await?,
        lasts: None,
        yielding: false,
        cap: None,
    };
    match inventory::hold(connection, &Seats(booking.schedule_id), hold, &want).await {
        Ok(()) => {
            inventory::sell(connection, hold).await?;
            Ok(Some(hold))
        }
        Err(HoldError::Database(error)) => Err(error),
        Err(HoldError::NotEnough | HoldError::UnitTaken(_) | HoldError::CapReached) => Ok(None),
    }
}

/// Writes down that a locked booking's time is over.
pub(super) async fn expire(connection: &mut MySqlConnection, cause: &Cause, booking: &Locked) -> sqlx::Result<()> {
    store::cancel(connection, booking.booking_id, CancelReason::Expired).await?;
    let (old, new) = (
        json!({ "status": booking.status }),
        json!({ "status": BookingStatus::Cancelled, "reason": CancelReason::Expired }),
    );
    events::record(connection, cause, Subject::Booking, booking.booking_id, "expired", &old, &new).await
}
