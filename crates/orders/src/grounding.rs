//! Grounding: the airline doesn't fly a schedule. One transaction stops its sales; then every live booking, and every
//! payment that waits for one, is cancelled and refunded in a transaction of its own, so that nothing is locked for
//! long, and whoever comes next goes on where a crash broke off.
//!
//! The trap is who comes late. `cancelled_at` decides: whoever takes seats looks at the schedule under its lock, so
//! after the first transaction the work only shrinks; and money that comes for what was cancelled goes back.

use std::time::{Duration, Instant};

use common::db;
use common::events::{self, Cause, Subject};
use common::idempotency::{Once, Told, Tx};
use serde_json::json;

use crate::bookings::{self, CancelReason};
use crate::seats;
use crate::{Orders, payments};

/// How far the cancelling of a schedule's bookings has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grounded {
    /// How many bookings the airline has cancelled, in all.
    pub cancelled: i64,
    /// How many are still to be cancelled. The job does, soon.
    pub remaining: i64,
}

/// Why a schedule can't be cancelled. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// There is no such schedule.
    #[error("there is no such schedule")]
    UnknownSchedule,
    /// It has left.
    #[error("the flight has departed")]
    Departed,
    /// The database failed.
    #[error("could not cancel the schedule")]
    Database(#[from] sqlx::Error),
}

/// How much is done between two looks at the time.
const AT_A_TIME: u32 = 20;

impl Orders {
    /// Cancels a schedule for the airline: its sales stop at once; then its bookings are cancelled with full refunds,
    /// for as long as `patience` lasts. What is left then is left to [`ground_once`](Self::ground_once). The same call
    /// again goes on with it. `note` says why, for the history.
    pub async fn ground(
        &self,
        cause: &Cause,
        schedule_id: i64,
        note: Option<&str>,
        patience: Duration,
        once: &Once<'_, Grounded>,
    ) -> Result<Told<Grounded>, GroundError> {
        let since = Instant::now();
        let stop_sales = |tx| self.stop_sales(tx, cause, schedule_id, note);
        if let Some(told) = self.transact(|| once.run(&self.db, stop_sales)).await? {
            return Ok(told);
        }
        self.seats_changed(schedule_id).await;
        while since.elapsed() < patience && self.go_on_grounding(cause, Some(schedule_id), AT_A_TIME).await? {}
        let (cancelled, remaining) =
            bookings::store::count_grounded(&mut *self.db.acquire().await?, schedule_id).await?;
        Ok(once.conclude(&self.db, Grounded { cancelled, remaining }).await?)
    }

    /// Goes on with at most `limit` bookings and payments of schedules that the airline has cancelled. Answers whether
    /// there was anything to do.
    pub async fn ground_once(&self, limit: u32) -> sqlx::Result<bool> {
        self.go_on_grounding(&Cause::system(), None, limit).await
    }

    /// Ends a schedule's sales, if they haven't ended yet. Answers with nothing to tell so far.
    async fn stop_sales(
        &self,
        mut tx: Tx<'_, Grounded>,
        cause: &Cause,
        schedule_id: i64,
        note: Option<&str>,
    ) -> Result<Option<Told<Grounded>>, GroundError> {
        let schedule = seats::lock(&mut tx, schedule_id).await?.ok_or(GroundError::UnknownSchedule)?;
        if !schedule.is_grounded && schedule.departs_at() <= self.clock.now() {
            return Err(GroundError::Departed);
        }
        if !schedule.is_grounded && seats::ground(&mut tx, schedule_id).await? {
            let old = json!({ "status": schedule.status });
            let new = json!({ "status": "CANCELLED", "reason": CancelReason::Airline, "note": note });
            events::record(&mut tx, cause, Subject::Schedule, schedule_id, "cancelled", &old, &new).await?;
        }
        tx.commit_started().await?;
        Ok(None)
    }

    async fn go_on_grounding(&self, cause: &Cause, schedule_id: Option<i64>, limit: u32) -> sqlx::Result<bool> {
        let bookings = bookings::store::to_ground(&mut *self.db.acquire().await?, schedule_id, limit).await?;
        for booking_id in &bookings {
            self.transact(|| self.ground_booking(cause, *booking_id)).await?;
        }
        let payments = payments::store::to_ground(&mut *self.db.acquire().await?, schedule_id, limit).await?;
        for payment_id in &payments {
            self.transact(|| self.ground_payment(cause, *payment_id)).await?;
        }
        Ok(!bookings.is_empty() || !payments.is_empty())
    }

    async fn ground_booking(&self, cause: &Cause, booking_id: i64) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        let live = bookings::store::lock(&mut tx, booking_id).await?.filter(bookings::store::Locked::is_live);
        let Some(booking) = live else { return Ok(()) };
        bookings::cancel::cancel(&mut tx, cause, &booking, CancelReason::Airline).await?;
        db::commit(tx).await
    }

    async fn ground_payment(&self, cause: &Cause, payment_id: i64) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        let waiting = payments::store::lock(&mut tx, payment_id).await?.filter(payments::store::Locked::waits);
        let Some(payment) = waiting else { return Ok(()) };
        payments::give_up(&mut tx, cause, &payment, CancelReason::Airline.as_str()).await?;
        db::commit(tx).await
    }
}
