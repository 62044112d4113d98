//! Tidying: what has expired by the clock is written down, and searches learn of the seats. Nothing waits for it:
//! every buyer gives back what has lapsed before taking, and every reader counts it as free.

use common::db;
use common::events::Cause;

use super::{BookingStatus, money, store};
use crate::Orders;
use crate::bookings::cancel;
use crate::seats::Seats;

impl Orders {
    /// Expires at most `limit` bookings whose time is over. Answers whether there was anything to do.
    pub async fn expire_bookings_once(&self, limit: u32) -> sqlx::Result<bool> {
        let overdue = store::overdue(&mut *self.db.acquire().await?, limit).await?;
        for booking_id in &overdue {
            if let Some(schedule_id) = self.transact(|| self.expire_booking(*booking_id)).await? {
                self.seats_changed(schedule_id).await;
            }
        }
        Ok(!overdue.is_empty())
    }

    async fn expire_booking(&self, booking_id: i64) -> sqlx::Result<Option<i64>> {
        let mut tx = self.db.begin().await?;
        let Some(booking) = store::lock(&mut tx, booking_id).await? else { return Ok(None) };
        if booking.status != BookingStatus::Pending || !booking.overdue {
            return Ok(None);
        }
        cancel::release(&mut tx, &booking).await?;
        money::expire(&mut tx, &Cause::system(), &booking).await?;
        db::commit(tx).await?;
        Ok(Some(booking.schedule_id))
    }

    /// Gives back what has lapsed in at most `limit` schedules. Answers whether there was anything to do.
    pub async fn sweep_seats_once(&self, limit: u32) -> sqlx::Result<bool> {
        let pools = inventory::pools_to_sweep(&mut *self.db.acquire().await?, limit).await?;
        let mut swept = false;
        for schedule_id in &pools {
            if self.transact(|| self.sweep(*schedule_id)).await? {
                self.seats_changed(*schedule_id).await;
                swept = true;
            }
        }
        Ok(swept)
    }

    /// Gives back what has lapsed in a schedule. Answers whether it is one: pools of other kinds are others' to sweep.
    async fn sweep(&self, schedule_id: i64) -> sqlx::Result<bool> {
        let mut tx = self.db.begin().await?;
        let is_ours = inventory::lock(&mut tx, &Seats(schedule_id)).await?.is_some();
        db::commit(tx).await?;
        Ok(is_ours)
    }
}
