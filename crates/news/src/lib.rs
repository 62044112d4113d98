//! News for the outside: what the [outbox](common::outbox) holds goes to whoever subscribed, as webhooks in the form of
//! Standard Webhooks. What subscribers are promised stands in `docs/news.md`.
//!
//! Two promises pull at each other. At least once: a piece of news is done with only when the subscriber has said so,
//! so one whose answer got lost is sent again, under the same id. In order: of one subject, a later piece never overtakes
//! an earlier one that still waits. So only the first that waits of each subject, its *head*, is ever sent, and what is
//! behind it waits with it; subjects don't wait for each other. A head that was given up is parked: it blocks nothing
//! any more, and is kept for an operator.

pub mod config;
mod outbox;
mod pauses;
mod relay;
mod signature;
mod store;
mod subscriber;

use common::outbox::Topic;
use common::telemetry::trace::Origin;

pub use outbox::{Kept, Outbox, RetryError};
pub use relay::Relay;
pub use signature::{BadSecret, Secrets};
pub use subscriber::Subscriber;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

common::text_enum! {
    /// Where a piece of news stands.
    pub enum State {
        /// It is to be delivered, now or again later.
        Waiting = "WAITING",
        /// The subscriber has it.
        Delivered = "DELIVERED",
        /// It was given up, and waits for an operator.
        Parked = "PARKED",
    }
}

common::metrics! {
    /// What is counted and measured of news. What waits is the same in every replica, as last
    /// [looked at](Outbox::look).
    pub struct Metrics {
        /// Tries to deliver news: delivered, refused, slowed (the subscriber can't take more), gone or unanswered.
        pub(crate) deliveries: IntCounterVec = "cloudjet_outbox_deliveries_total" by ["outcome"],
        /// News that is to be delivered.
        pub(crate) waiting: IntGauge = "cloudjet_outbox_waiting",
        /// News that was given up, and is kept for an operator.
        pub(crate) parked: IntGauge = "cloudjet_outbox_parked",
        /// Seconds since the oldest news happened that is still to be delivered; 0 where none is.
        pub(crate) oldest: IntGauge = "cloudjet_outbox_oldest_age_seconds",
    }
}

/// A piece of news whose turn it is.
#[derive(Debug)]
pub(crate) struct News {
    position: i64,
    id: Uuid,
    subject: String,
    subject_id: String,
    topic: Topic,
    data: Value,
    happened_at: DateTime<Utc>,
    attempts: i32,
    origin: Option<Origin>,
}

impl News {
    /// What is sent: the same for every try.
    fn body(&self) -> String {
        #[derive(Serialize)]
        struct Body<'n> {
            r#type: Topic,
            timestamp: DateTime<Utc>,
            data: &'n Value,
        }
        let body = Body { r#type: self.topic, timestamp: self.happened_at, data: &self.data };
        serde_json::to_string(&body).unwrap_or_default()
    }
}
