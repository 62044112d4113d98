//! Replay: a kept message of the provider is applied once more, because somebody doubts what came of it.
//!
//! Facts only grow, so that is harmless however often it is done. The provider is asked about the receipt first: what
//! it says today counts for more than what it once wrote.

use common::db;
use common::error::Chain;
use common::events::{self, Cause, Subject};
use serde_json::json;
use uuid::Uuid;

use super::store;
use crate::Orders;
use crate::charges::Facts;
use crate::payments::store::find_by_order;
use crate::payments::{Applied, PaymentStatus};

/// What came of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What came of applying it.
    pub applied: Applied,
    /// Whether the provider was asked and knew of the receipt; else what the message said was applied.
    pub asked: bool,
    /// The payment it is about and where that stands now, if its order is known.
    pub payment: Option<(i64, PaymentStatus)>,
}

impl Orders {
    /// Applies a kept message again. `None`: there is no such message.
    pub async fn replay(&self, cause: &Cause, event_id: Uuid) -> sqlx::Result<Option<Replayed>> {
        let kept = store::find(&mut *self.db.acquire().await?, event_id).await?;
        let Some(kept) = kept.map(|kept| kept.facts) else { return Ok(None) };
        let told = self.told_today(&kept).await;
        let asked = told.is_some();
        let applied = self.apply(cause, &told.unwrap_or_else(|| kept.clone())).await?;
        let payment = self.transact(|| self.write_down_replay(cause, event_id, &kept, applied)).await?;
        Ok(Some(Replayed { applied, asked, payment }))
    }

    /// What the provider says of the receipt now, if it can be asked and means the same order.
    async fn told_today(&self, kept: &Facts) -> Option<Facts> {
        let provider = self.provider.as_ref()?;
        let receipt_id = bootpay::ReceiptId::parse(kept.receipt_id.as_str()).ok()?;
        match provider.receipt(&receipt_id).await {
            Ok(receipt) => receipt.as_ref().map(Facts::from).filter(|facts| facts.order_id == kept.order_id),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the provider couldn't tell about a replayed message's receipt");
                None
            }
        }
    }

    /// A payment's history says that it was looked into, also where nothing came of it.
    async fn write_down_replay(
        &self,
        cause: &Cause,
        event_id: Uuid,
        kept: &Facts,
        applied: Applied,
    ) -> sqlx::Result<Option<(i64, PaymentStatus)>> {
        let mut tx = self.db.begin().await?;
        let Some(payment) = find_by_order(&mut tx, &kept.order_id).await? else { return Ok(None) };
        store::mark_applied(&mut tx, event_id).await?;
        let new = json!({ "event_id": event_id, "applied": applied });
        events::record(&mut tx, cause, Subject::Payment, payment.payment_id, "replayed", &(), &new).await?;
        db::commit(tx).await?;
        Ok(Some((payment.payment_id, payment.status)))
    }
}
