//! Pinning: while the provider decides about a booking's money, its seats are held and its deadline is away, so that it
//! reads `PENDING` for everybody and nothing can lapse. Its owner may still cancel it.
//!
//! A pin is whoever set it to end: there is at most one for a booking, and it keeps what the booking falls back to.

use chrono::{DateTime, Utc};
use common::events::{self, Cause, Subject};
use serde_json::json;
use sqlx::MySqlConnection;

use super::store::{self, Locked};

/// Until when a booking could be paid, and until when its seats were held: what it falls back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) payment_due_at: Option<DateTime<Utc>>,
    pub(crate) held_until: Option<DateTime<Utc>>,
}

/// Pins a locked booking that can be paid. `None`: its seats are gone.
pub(crate) async fn pin(
    connection: &mut MySqlConnection,
    cause: &Cause,
    booking: &Locked,
) -> sqlx::Result<Option<Deadline>> {
    let Some(hold) = booking.hold_id else { return Ok(None) };
    let held_until = inventory::end_of(connection, hold).await?;
    if !inventory::keep(connection, hold).await? {
        return Ok(None);
    }
    let payment_due_at = store::stop_clock(connection, booking.booking_id).await?;
    let (old, new) = (json!({ "payment_due_at": payment_due_at }), json!({ "payment_due_at": null }));
    events::record(connection, cause, Subject::Booking, booking.booking_id, "pinned", &old, &new).await?;
    Ok(Some(Deadline { payment_due_at, held_until }))
}

/// Ends the pin of a locked booking. What has been sold or given back meanwhile stays so; what is still held lapses
/// when it would have without the pin, which may be at once.
pub(crate) async fn unpin(
    connection: &mut MySqlConnection,
    cause: &Cause,
    booking: &Locked,
    deadline: Deadline,
) -> sqlx::Result<()> {
    if let Some(due) = deadline.payment_due_at {
        store::restart_clock(connection, booking.booking_id, due).await?;
    }
    if let (Some(hold), Some(end)) = (booking.hold_id, deadline.held_until)
        && inventory::end_at(connection, hold, end).await?
    {
        let (old, new) = (json!({ "payment_due_at": null }), json!({ "payment_due_at": deadline.payment_due_at }));
        events::record(connection, cause, Subject::Booking, booking.booking_id, "unpinned", &old, &new).await?;
    }
    Ok(())
}
