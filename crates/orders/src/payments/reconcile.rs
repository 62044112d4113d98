//! Finding out what nobody told us: payments that were never finished, and money that nobody booked for.

use common::db;
use common::events::{self, Cause, Subject};
use serde_json::json;

use super::{PaymentStatus, give_up, store};
use crate::refunds::reason;
use crate::side_by_side::side_by_side;
use crate::{Orders, approvals};

impl Orders {
    /// Asks the provider about at most `limit` payments that nobody finished. What it knows is applied; what it
    /// definitely knows nothing of has expired; what it can't tell is asked again later. Answers whether there was
    /// anything to do.
    pub async fn ask_about_payments_once(&self, limit: u32) -> sqlx::Result<bool> {
        let Some(provider) = &self.provider else { return Ok(false) };
        let terms = self.terms;
        let (after, interval) = (terms.reconcile_after, terms.reconcile_interval);
        let unfinished = store::to_ask_about(&mut *self.db.acquire().await?, after, interval, limit).await?;
        side_by_side(unfinished, |(payment_id, order_id)| self.ask_about_payment(provider, payment_id, order_id)).await
    }

    /// Asks about a payment, if it can be taken. Answers whether it could.
    async fn ask_about_payment(
        &self,
        provider: &bootpay::Client,
        payment_id: i64,
        order_id: String,
    ) -> sqlx::Result<bool> {
        let interval = self.terms.reconcile_interval;
        if !store::take_to_ask(&mut *self.db.acquire().await?, payment_id, interval).await? {
            return Ok(false);
        }
        if self.apply_answer(provider.order(&order_id).await).await? {
            self.transact(|| self.expire_payment(payment_id)).await?;
        }
        Ok(true)
    }

    /// Nobody will finish this payment, as far as the provider knows. A late success still counts.
    async fn expire_payment(&self, payment_id: i64) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        let Some(payment) = store::lock(&mut tx, payment_id).await?.filter(|p| p.status == PaymentStatus::Requested)
        else {
            return Ok(());
        };
        if approvals::is_under_way(&mut tx, payment_id).await? {
            return Ok(());
        }
        store::set_status(&mut tx, payment_id, PaymentStatus::Expired, None).await?;
        let (old, new) = (json!({ "status": payment.status }), json!({ "status": PaymentStatus::Expired }));
        events::record(&mut tx, &Cause::system(), Subject::Payment, payment_id, "expired", &old, &new).await?;
        db::commit(tx).await
    }

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
