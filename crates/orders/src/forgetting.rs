//! Forgetting: the provider's messages and our calls to it are kept to be looked into, and go thirteen months after they
//! were done with. What is still to be applied or has no outcome stays, however old. What they led to stays, too:
//! charges, payments, refunds and their history have no end.

use common::db;

use crate::{Orders, approvals, payments};

/// How long what is done with is kept.
pub(crate) const KEPT_MONTHS: i32 = 13;

impl Orders {
    /// Forgets at most `limit` messages and as many calls. Answers whether there may be more.
    pub async fn forget_once(&self, limit: u32) -> sqlx::Result<bool> {
        let messages =
            db::retry(async || payments::forget_applied(&mut *self.db.acquire().await?, limit).await).await?;
        let calls = db::retry(async || approvals::forget_ended(&mut *self.db.acquire().await?, limit).await).await?;
        Ok(messages || calls)
    }
}
