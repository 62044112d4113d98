//! What the provider won't pay ends in the hands of an operator: it is tried anew, or it was paid by other means.

use common::db;
use common::events::{self, Cause, Subject};
use serde_json::json;
use uuid::Uuid;

use super::{Refund, RefundState, store};
use crate::Orders;
use crate::payments::{self, lock_linked};

/// Why an operator can't do that. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no such refund.
    #[error("there is no such refund")]
    UnknownRefund,
    /// It doesn't wait for an operator.
    #[error("the refund doesn't wait for an operator")]
    NotWaiting,
    /// The database failed.
    #[error("could not write it down")]
    Database(#[from] sqlx::Error),
}

impl Orders {
    /// Has a refund tried anew that waits for an operator. What was paid of it in the provider's console meanwhile is
    /// found and not paid again.
    pub async fn retry_refund(&self, cause: &Cause, refund_id: Uuid) -> Result<Refund, OperatorError> {
        self.transact(|| self.retry_refund_once(cause, refund_id)).await
    }

    /// Ends a refund that waits for an operator, who has paid it by other means; `note` says by which.
    pub async fn settle_by_hand(&self, cause: &Cause, refund_id: Uuid, note: &str) -> Result<Refund, OperatorError> {
        let source = store::source(&mut *self.db.acquire().await?, refund_id).await?;
        let receipt_id = source.ok_or(OperatorError::UnknownRefund)?.receipt;
        // Paid in the provider's console is paid by the provider, whatever the operator calls it.
        self.look_at_receipt(&receipt_id).await?;
        loop {
            if let Some((refund, schedule)) = self.transact(|| self.settle_by_hand_once(cause, refund_id, note)).await?
            {
                if let Some(schedule_id) = schedule {
                    self.seats_changed(schedule_id).await;
                }
                return Ok(refund);
            }
        }
    }

    async fn retry_refund_once(&self, cause: &Cause, refund_id: Uuid) -> Result<Refund, OperatorError> {
        let mut tx = self.db.begin().await?;
        let waited = store::retry(&mut tx, refund_id).await?;
        let refund = store::find(&mut tx, refund_id).await?.ok_or(OperatorError::UnknownRefund)?;
        if !waited {
            return Err(OperatorError::NotWaiting);
        }
        let (old, new) = (json!({ "state": RefundState::NeedsOperator }), json!({ "state": RefundState::Pending }));
        events::record(&mut tx, cause, Subject::Refund, refund_id, "retried", &old, &new).await?;
        db::commit(tx).await?;
        Ok(refund)
    }

    /// The refund, and the schedule whose seats may be free now; `None` if the payment was linked to another booking
    /// while we locked the first.
    async fn settle_by_hand_once(
        &self,
        cause: &Cause,
        refund_id: Uuid,
        note: &str,
    ) -> Result<Option<(Refund, Option<i64>)>, OperatorError> {
        let mut tx = self.db.begin().await?;
        let source = store::source(&mut tx, refund_id).await?.ok_or(OperatorError::UnknownRefund)?;
        let (payment, booking) = match source.payment {
            Some(payment_id) => match lock_linked(&mut tx, payment_id, source.booking).await? {
                Some((payment, booking)) => (Some(payment), booking),
                None => return Ok(None),
            },
            None => (None, None),
        };
        let refund = store::find(&mut tx, refund_id).await?.ok_or(OperatorError::UnknownRefund)?;
        let outside = refund.amount.less(store::unaccounted(&mut tx, &source.receipt).await?);
        if !store::settle(&mut tx, refund_id, outside, cause.user_id, note).await? {
            return Err(OperatorError::NotWaiting);
        }
        let came_here = payments::store::came_by(&mut tx, source.payment, &source.receipt).await?;
        let old = json!({ "state": RefundState::NeedsOperator });
        let new = json!({
            "state": RefundState::Succeeded, "amount": refund.amount, "paid_outside": outside, "came_here": came_here,
            "note": note, "payment_id": refund.payment_id, "booking_id": refund.booking_id,
        });
        events::record(&mut tx, cause, Subject::Refund, refund_id, "settled", &old, &new).await?;
        if let Some(payment) = &payment {
            self.follow_charges(&mut tx, cause, payment, booking.as_ref(), &source.receipt).await?;
        }
        let refund = store::find(&mut tx, refund_id).await?.ok_or(OperatorError::UnknownRefund)?;
        db::commit(tx).await?;
        Ok(Some((refund, booking.map(|booking| booking.schedule_id))))
    }
}
