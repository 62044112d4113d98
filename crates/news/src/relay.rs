//! The relay: takes news out of the outbox and sends it, in all replicas at once. Who takes a piece has it for a minute,
//! four times as long as the subscriber may think; who dies with it lets somebody else send it again.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use common::chance::Chance;
use common::clock::Clock;
use common::db;
use futures_util::future::join_all;
use sqlx::MySqlPool;
use tracing::Instrument;

use crate::subscriber::Outcome;
use crate::{Metrics, News, Subscriber, pauses, store};

/// Delivers news to the subscriber.
#[derive(Clone, Debug)]
pub struct Relay {
    db: MySqlPool,
    subscriber: Subscriber,
    clock: Clock,
    chance: Chance,
    metrics: Metrics,
    /// Until when the subscriber is left alone. Each replica is told so by itself.
    rests_until: Arc<Mutex<DateTime<Utc>>>,
}

impl Relay {
    /// A relay between the outbox in `db` and `subscriber`.
    pub fn new(db: MySqlPool, subscriber: Subscriber, clock: Clock, chance: Chance, metrics: Metrics) -> Self {
        Self { db, subscriber, clock, chance, metrics, rests_until: Arc::default() }
    }

    /// Sends at most `limit` pieces of news, side by side. Answers whether there was anything to do.
    pub async fn relay_once(&self, limit: u32) -> sqlx::Result<bool> {
        if self.clock.now() < *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(false);
        }
        let due = store::due(&mut *self.db.acquire().await?, limit).await?;
        let turns = join_all(due.iter().map(|due| self.take_turn(due))).await;
        turns.into_iter().collect::<sqlx::Result<()>>()?;
        Ok(!due.is_empty())
    }

    async fn take_turn(&self, due: &store::Due) -> sqlx::Result<()> {
        if due.position != due.head {
            return db::retry(|| store::wait_behind(&self.db, due)).await;
        }
        let Some(news) = store::take(&mut *self.db.acquire().await?, due.position).await? else { return Ok(()) };
        let span = tracing::info_span!("news", otel.kind = "client", otel.name = %news.topic, news_id = %news.id);
        if let Some(origin) = &news.origin {
            origin.continue_in(&span);
        }
        let outcome = self.subscriber.send(&news, self.clock.now()).instrument(span).await;
        self.metrics.deliveries.with_label_values(&[outcome.word()]).inc();
        self.settle(&news, outcome).await
    }

    /// Writes down what came of a piece of news.
    async fn settle(&self, news: &News, outcome: Outcome) -> sqlx::Result<()> {
        let asks = match outcome {
            Outcome::Delivered => return db::retry(|| store::deliver(&self.db, news)).await,
            Outcome::Refused { asks, .. } => asks,
            Outcome::Gone | Outcome::Unanswered(_) => None,
        };
        if let Some(rest) = outcome.rest() {
            self.rest(rest);
        }
        let wait = pauses::after(news.attempts, self.chance.fraction(), asks).filter(|_| outcome != Outcome::Gone);
        let (news_id, topic, attempts, error) = (news.id, news.topic, news.attempts, outcome.told());
        if let Some(wait) = wait {
            tracing::warn!(%news_id, %topic, attempts, error, wait_seconds = wait.num_seconds(), "news not delivered yet");
            store::postpone(&mut *self.db.acquire().await?, news, wait, &error).await
        } else {
            tracing::error!(%news_id, %topic, attempts, error, "news given up, an operator can send it again");
            db::retry(|| store::park(&self.db, news, &error)).await
        }
    }

    fn rest(&self, time: TimeDelta) {
        let until = self.clock.now() + time;
        let mut rests_until = self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        *rests_until = until.max(*rests_until);
    }
}
