//! Completing: what was flown is over. Seats stay sold and nothing is paid; lists tell apart what is still to come.

use common::db;
use common::events::{self, Cause, Subject};
use serde_json::json;

use super::{BookingStatus, store};
use crate::Orders;

impl Orders {
    /// Completes at most `limit` confirmed bookings whose flight has left. Answers whether there was anything to do.
    ///
    /// It waits until a flight's own day is two days ago: then it has left in every zone, and an operator has had time
    /// to mend a date. Nobody waits for it: what has departed can't be booked or cancelled, whatever its status.
    pub async fn complete_departed_once(&self, limit: u32) -> sqlx::Result<bool> {
        let flown = store::flown(&mut *self.db.acquire().await?, limit).await?;
        for booking_id in &flown {
            self.transact(|| self.complete_booking(*booking_id)).await?;
        }
        Ok(!flown.is_empty())
    }

    async fn complete_booking(&self, booking_id: i64) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        if store::complete(&mut tx, booking_id).await? {
            let (old, new) =
                (json!({ "status": BookingStatus::Confirmed }), json!({ "status": BookingStatus::Completed }));
            events::record(&mut tx, &Cause::system(), Subject::Booking, booking_id, "completed", &old, &new).await?;
        }
        db::commit(tx).await
    }
}
