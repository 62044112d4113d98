//! The inbox: what the provider tells by webhook is kept once its authenticity is established, applied, and applied
//! again if its order appears only later. Only an applied event makes a later equal one a duplicate.

use common::db;
use common::events::Cause;
use serde_json::Value;
use uuid::Uuid;

use super::{Applied, store};
use crate::charges::Facts;
use crate::refunds::{self, Purpose, reason};
use crate::{Orders, charges};

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
        let facts = &delivery.facts;
        let mut connection = self.db.acquire().await?;
        if store::keep_event(&mut connection, Uuid::now_v7(), &delivery.key, facts, &delivery.payload.to_string())
            .await?
        {
            return Ok(Applied::Nothing);
        }
        drop(connection);
        let applied = self.apply(cause, facts).await?;
        if applied != Applied::UnknownOrder {
            store::mark_applied(&mut *self.db.acquire().await?, &delivery.key).await?;
        }
        Ok(applied)
    }

    /// Applies what was kept for an order before the order appeared.
    pub(super) async fn apply_kept(&self, order_id: &str) -> sqlx::Result<()> {
        for event in store::kept_for(&mut *self.db.acquire().await?, order_id).await? {
            self.apply_kept_event(&event).await?;
        }
        Ok(())
    }

    async fn apply_kept_event(&self, event: &store::KeptEvent) -> sqlx::Result<()> {
        if self.apply(&Cause::provider(None), &event.facts).await? != Applied::UnknownOrder {
            store::mark_applied(&mut *self.db.acquire().await?, &event.key).await?;
        }
        Ok(())
    }

    /// Looks through at most `limit` kept messages: those whose order has appeared are applied; money for an order
    /// that hasn't appeared for an hour goes back. Answers whether there was anything to do.
    pub async fn tidy_inbox_once(&self, limit: u32) -> sqlx::Result<bool> {
        let appeared = store::kept_and_known(&mut *self.db.acquire().await?, limit).await?;
        for event in &appeared {
            self.apply_kept_event(event).await?;
        }
        let orphans = store::kept_and_unknown(&mut *self.db.acquire().await?, limit).await?;
        for event in &orphans {
            self.transact(|| self.return_orphan(event)).await?;
        }
        Ok(!appeared.is_empty() || !orphans.is_empty())
    }

    async fn return_orphan(&self, event: &store::KeptEvent) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        charges::store::note(&mut tx, None, &event.facts).await?;
        if event.facts.outcome == charges::Outcome::Paid {
            let purpose = Purpose { payment_id: None, booking_id: None, reason: reason::UNKNOWN_ORDER };
            refunds::queue(&mut tx, &Cause::system(), &event.facts.receipt_id, purpose).await?;
        }
        store::mark_applied(&mut tx, &event.key).await?;
        db::commit(tx).await
    }
}
