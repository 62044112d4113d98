//! The outbox beside its relay: what stands in it, what is sent again by hand, and what is forgotten.

use chrono::{DateTime, Utc};
use common::outbox::Topic;
use common::page::Page;
use serde::Serialize;
use serde_json::Value;
use sqlx::MySqlPool;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Metrics, State, store};

/// The outbox of a database.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// Where it is.
    pub db: MySqlPool,
}

/// A piece of news, as operators see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = News)]
pub struct Kept {
    /// What the subscriber knows as `webhook-id`, and the event that it tells of.
    pub id: Uuid,
    /// What it is about.
    #[serde(rename = "type")]
    pub topic: Topic,
    /// What it says.
    #[schema(example = json!({"booking_id": 1, "reason": "OWNER"}))]
    pub data: Value,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    #[schema(example = 10)]
    pub attempts: i32,
    /// When it is tried next, or, if it was delivered or given up, when it is forgotten.
    pub due_at: DateTime<Utc>,
    /// Why it was not delivered when last tried.
    #[schema(required, example = "status 500")]
    pub last_error: Option<String>,
    /// When the subscriber took it.
    #[schema(required)]
    pub delivered_at: Option<DateTime<Utc>>,
}

/// Why news isn't sent again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// There is no such news.
    #[error("there is no such news")]
    NotFound,
    /// It was delivered, or still waits.
    #[error("the news was not given up")]
    NotParked,
    /// The database failed.
    #[error("could not send again")]
    Database(#[from] sqlx::Error),
}

impl Outbox {
    /// The news in `state`, the one due last first.
    pub async fn list(&self, state: State, page: Page) -> sqlx::Result<Vec<Kept>> {
        store::list(&mut *self.db.acquire().await?, state, page).await
    }

    /// Lets a piece of news that was given up be sent again, from its first try on. What its subject's news was since
    /// then has overtaken it.
    pub async fn retry(&self, id: Uuid) -> Result<(), RetryError> {
        let mut connection = self.db.acquire().await?;
        if store::retry(&mut connection, id).await? {
            return Ok(());
        }
        let known = store::exists(&mut connection, id).await?;
        Err(if known { RetryError::NotParked } else { RetryError::NotFound })
    }

    /// Forgets at most `limit` pieces of news that are done with: delivered ones after 7 days, parked ones after 30. If
    /// nobody subscribes (`unread`), what has waited for 7 days, too. Answers whether there may be more.
    pub async fn forget_once(&self, limit: u32, unread: bool) -> sqlx::Result<bool> {
        store::forget(&mut *self.db.acquire().await?, limit, unread).await
    }

    /// Looks at what waits.
    pub async fn look(&self, metrics: &Metrics) -> sqlx::Result<bool> {
        store::measure(&mut *self.db.acquire().await?, metrics).await?;
        Ok(false)
    }
}
