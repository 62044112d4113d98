//! Cancelling: seats go back, and so does the money, in one transaction.

use chrono::TimeDelta;
use common::events::{self, Cause, Subject};
use common::idempotency::{Once, Told, Tx};
use common::money::Money;
use serde_json::json;
use sqlx::MySqlConnection;

use super::cancellation::{assess, obstacle};
use super::store::{self, Locked};
use super::{BookingRef, BookingStatus, CancelReason};
use crate::seats::Seats;
use crate::{Orders, payments};

/// A booking that was just cancelled.
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// Its number, as stored.
    pub booking_number: String,
    /// How much goes back by this cancel; nothing of it has yet.
    pub refund: Money,
    schedule_id: i64,
}

/// Why a booking can't be cancelled. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such booking, or it isn't the caller's.
    #[error("there is no such booking")]
    NotFound,
    /// It is cancelled already, or flown.
    #[error("the booking is not live any more")]
    NotLive,
    /// Its flight has left.
    #[error("the flight has departed")]
    Departed,
    /// The database failed.
    #[error("could not cancel")]
    Database(#[from] sqlx::Error),
}

impl Orders {
    /// Cancels a booking for its owner, who gets back what [`cancellation`](Self::cancellation) says. Of parallel calls,
    /// exactly one cancels.
    pub async fn cancel_own(
        &self,
        cause: &Cause,
        user_id: i64,
        number: &str,
        once: &Once<'_, Cancelled>,
    ) -> Result<Told<Cancelled>, CancelError> {
        self.cancel(cause, number, Canceller::Owner(user_id), once).await
    }

    /// Cancels anybody's booking for an administrator, as [`cancel_own`](Self::cancel_own) does for its owner; what is
    /// left of the money is always refunded in full.
    pub async fn cancel_any(
        &self,
        cause: &Cause,
        number: &str,
        once: &Once<'_, Cancelled>,
    ) -> Result<Told<Cancelled>, CancelError> {
        self.cancel(cause, number, Canceller::Admin, once).await
    }

    async fn cancel(
        &self,
        cause: &Cause,
        number: &str,
        by: Canceller,
        once: &Once<'_, Cancelled>,
    ) -> Result<Told<Cancelled>, CancelError> {
        let reference = BookingRef::Number(number.to_owned());
        let told = self.transact(|| once.run(&self.db, |tx| self.cancel_once(tx, cause, &reference, by))).await?;
        if let Some(cancelled) = told.done() {
            self.seats_changed(cancelled.schedule_id).await;
        }
        Ok(told)
    }

    async fn cancel_once(
        &self,
        mut tx: Tx<'_, Cancelled>,
        cause: &Cause,
        reference: &BookingRef,
        by: Canceller,
    ) -> Result<Told<Cancelled>, CancelError> {
        let (booking_id, owner_id) = store::find(&mut tx, reference).await?.ok_or(CancelError::NotFound)?;
        if !by.may_cancel_for(owner_id) {
            return Err(CancelError::NotFound);
        }
        let booking = store::lock(&mut tx, booking_id).await?.ok_or(CancelError::NotFound)?;
        let schedule = catalogue::schedules::find(&mut tx, booking.schedule_id).await?.ok_or(CancelError::NotFound)?;
        let (departs_at, now) = (schedule.departs_at(), self.clock.now());
        if let Some(obstacle) = obstacle(&booking, departs_at, now) {
            return Err(obstacle.into());
        }
        let refund = match by {
            Canceller::Owner(_) => cancel_by_rule(&mut tx, cause, &booking, departs_at - now).await?,
            Canceller::Admin => cancel(&mut tx, cause, &booking, CancelReason::Admin).await?,
        };
        let cancelled = Cancelled { booking_number: booking.booking_number, refund, schedule_id: booking.schedule_id };
        Ok(tx.commit(cancelled).await?)
    }
}

/// Who wants a booking cancelled.
#[derive(Clone, Copy, Debug)]
enum Canceller {
    Owner(i64),
    Admin,
}

impl Canceller {
    fn may_cancel_for(self, owner_id: i64) -> bool {
        match self {
            Self::Owner(user_id) => user_id == owner_id,
            Self::Admin => true,
        }
    }
}

/// Cancels a locked, live booking: what is left of what was paid goes back, and so do the seats. Answers how much it is.
pub(crate) async fn cancel(
    connection: &mut MySqlConnection,
    cause: &Cause,
    booking: &Locked,
    reason: CancelReason,
) -> sqlx::Result<Money> {
    let linked = payments::store::lock_of_booking(connection, booking.booking_id).await?;
    let refund = payments::refund_linked(connection, cause, &linked, reason.as_str(), None).await?;
    release(connection, booking).await?;
    write_down(connection, cause, booking, reason).await?;
    Ok(refund)
}

/// Cancels a locked, live booking because its owner wants so: of what was paid goes back what the booking's rule says.
async fn cancel_by_rule(
    connection: &mut MySqlConnection,
    cause: &Cause,
    booking: &Locked,
    until_departure: TimeDelta,
) -> sqlx::Result<Money> {
    let (reason, linked) =
        (CancelReason::Owner, payments::store::lock_of_booking(connection, booking.booking_id).await?);
    let owed = assess(connection, booking.booking_id, &linked, until_departure).await?.owed();
    let refund = payments::refund_linked(connection, cause, &linked, reason.as_str(), owed.as_ref()).await?;
    release(connection, booking).await?;
    write_down(connection, cause, booking, reason).await?;
    Ok(refund)
}

/// Cancels a locked booking because its payment was cancelled at the provider: the money is back already.
pub(crate) async fn reverse(connection: &mut MySqlConnection, cause: &Cause, booking: &Locked) -> sqlx::Result<()> {
    release(connection, booking).await?;
    write_down(connection, cause, booking, CancelReason::Reversed).await
}

/// Gives a locked booking's seats back.
pub(super) async fn release(connection: &mut MySqlConnection, booking: &Locked) -> sqlx::Result<()> {
    let pool = Seats(booking.schedule_id);
    inventory::lock(connection, &pool).await?;
    if let Some(hold) = booking.hold_id {
        inventory::release(connection, &pool, hold).await?;
    }
    Ok(())
}

async fn write_down(
    connection: &mut MySqlConnection,
    cause: &Cause,
    booking: &Locked,
    reason: CancelReason,
) -> sqlx::Result<()> {
    store::cancel(connection, booking.booking_id, reason).await?;
    let (old, new) =
        (json!({ "status": booking.status }), json!({ "status": BookingStatus::Cancelled, "reason": reason }));
    events::record(connection, cause, Subject::Booking, booking.booking_id, "cancelled", &old, &new).await
}
