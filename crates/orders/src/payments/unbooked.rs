//! Money that nobody booked for: it goes back.

use common::db;
use common::events::Cause;

use super::{give_up, store};
use crate::Orders;
use crate::refunds::reason;

impl Orders {
    /// Refunds at most `limit` payments that are paid and that nobody booked for in time. Answers whether there was
    /// anything to do.
    pub async fn refund_unbooked_once(&self, limit: u32) -> sqlx::Result<bool> {
        let unbooked = store::unbooked(&mut *self.db.acquire().await?, self.terms.reconcile_after, limit).await?;
        for payment_id in &unbooked {
            if let Some(schedule_id) = self.transact(|| self.refund_unbooked(*payment_id)).await? {
                self.seats_changed(schedule_id).await;
            }
        }
        Ok(!unbooked.is_empty())
    }

    async fn refund_unbooked(&self, payment_id: i64) -> sqlx::Result<Option<i64>> {
        let mut tx = self.db.begin().await?;
        let unbooked = |p: &store::Locked| p.status.has_money() && p.waits();
        let Some(payment) = store::lock(&mut tx, payment_id).await?.filter(unbooked) else { return Ok(None) };
        give_up(&mut tx, &Cause::system(), &payment, reason::UNBOOKED).await?;
        db::commit(tx).await?;
        Ok(payment.schedule_id)
    }
}
