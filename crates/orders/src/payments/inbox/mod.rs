//! The inbox: what the provider tells by webhook is kept once its authenticity is established, applied, and applied
//! again if its order appears only later. Only an applied event makes a later equal one a duplicate.

mod replay;
mod store;

use common::db;
use common::events::Cause;
use serde_json::Value;
use uuid::Uuid;

use super::Applied;
use crate::charges::Facts;
use crate::refunds::{self, Purpose, reason};
use crate::{Orders, charges};
pub use replay::Replayed;
pub(crate) use store::{forget_applied, measure_unapplied};

/// An authentic message of the provider.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What makes two deliveries the same event.
    pub key: String,
    /// What it says.
    pub facts: Facts,
    /// The message as it came, as JSON.
    pub payload: Value,
}

impl Orders {
    /// Keeps a message and applies it.
    pub async fn receive(&self, cause: &Cause, delivery: &Delivery) -> sqlx::Result<Applied> {
        let kept = store::keep(&mut *self.db.acquire().await?, Uuid::now_v7(), delivery).await?;
        match kept {
            Some(event_id) => self.apply_kept(cause, event_id, &delivery.facts).await,
            None => Ok(Applied::Nothing),
        }
    }

    /// Applies what was kept for an order before the order appeared.
    pub(super) async fn catch_up(&self, order_id: &str) -> sqlx::Result<()> {
        let waiting = store::waiting_for(&mut *self.db.acquire().await?, order_id).await?;
        for kept in waiting {
            self.apply_kept(&Cause::provider(None), kept.event_id, &kept.facts).await?;
        }
        Ok(())
    }

    /// Applies a kept message, which is done with unless nobody knows its order.
    async fn apply_kept(&self, cause: &Cause, event_id: Uuid, facts: &Facts) -> sqlx::Result<Applied> {
        let applied = self.apply(cause, facts).await?;
        if applied != Applied::UnknownOrder {
            store::mark_applied(&mut *self.db.acquire().await?, event_id).await?;
        }
        Ok(applied)
    }

    /// Looks through at most `limit` kept messages: those whose order has appeared are applied; money for an order
    /// that hasn't appeared for an hour goes back. Answers whether there was anything to do.
    pub async fn tidy_inbox_once(&self, limit: u32) -> sqlx::Result<bool> {
        let applicable = store::applicable(&mut *self.db.acquire().await?, limit).await?;
        for kept in &applicable {
            self.apply_kept(&Cause::provider(None), kept.event_id, &kept.facts).await?;
        }
        let orphaned = store::orphaned(&mut *self.db.acquire().await?, limit).await?;
        for kept in &orphaned {
            self.transact(|| self.return_orphan(kept)).await?;
        }
        Ok(!applicable.is_empty() || !orphaned.is_empty())
    }

    async fn return_orphan(&self, kept: &store::Kept) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        charges::store::note(&mut tx, None, &kept.facts).await?;
        if kept.facts.outcome == charges::Outcome::Paid {
            let purpose = Purpose { payment_id: None, booking_id: None, reason: reason::UNKNOWN_ORDER };
            refunds::queue(&mut tx, &Cause::system(), &kept.facts.receipt_id, purpose).await?;
        }
        store::mark_applied(&mut tx, kept.event_id).await?;
        db::commit(tx).await
    }
}
