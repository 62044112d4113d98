//! What the airline sells and gets paid for: bookings and their passengers, payments, the provider's charges, and
//! refunds. The rules and their SQL, and no HTTP.
//!
//! Three things to know. Locks are taken in one order, everywhere: booking, payment, schedule, claims. No remote
//! call happens inside a transaction. And every run of the flow ends as {confirmed and paid once} or {released and
//! not charged, or refunded}: the transaction that makes {paid and linked} true, whichever comes second, confirms
//! the booking or queues the refund.

pub mod approvals;
pub mod bookings;
pub mod charges;
pub mod config;
mod forgetting;
pub mod grounding;
mod metrics;
pub mod payments;
mod provider;
pub mod reconcile;
pub mod refunds;
mod seats;
mod side_by_side;

use chrono::TimeDelta;
use common::cache::Cache;
use common::chance::Chance;
use common::clock::Clock;
use sqlx::MySqlPool;

pub use metrics::{Backlog, Metrics, Shelf};

/// The order desk: what every rule here works with.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Where the truth is.
    pub db: MySqlPool,
    /// Searches in it are dropped when seats change.
    pub cache: Cache,
    /// Tells departures from the past.
    pub clock: Clock,
    /// Draws booking numbers and order ids.
    pub chance: Chance,
    /// Where payments are looked up and refunded; `None` where the provider isn't configured.
    pub provider: Option<bootpay::Client>,
    /// The airline's terms.
    pub terms: Terms,
    /// Where changes are counted.
    pub metrics: Metrics,
}

/// How long and how much: the airline's terms of sale.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long unpaid seats are held.
    pub hold: TimeDelta,
    /// How long, at most, seats of a payment whose outcome the provider doesn't tell are held on.
    pub pin: TimeDelta,
    /// How many seats of one flight a person may hold unpaid.
    pub held_seats: i64,
    /// After so many unpaid payments begun for one flight, the next reserves nothing any more.
    pub unpaid_inits: i64,
    /// How long unpaid payments are counted for that, and how long a payment waits for its booking call.
    pub memory: TimeDelta,
    /// After how long a payment nobody finished is looked into, and one nobody booked for is refunded.
    pub reconcile_after: TimeDelta,
    /// How long the provider is not asked about the same payment again.
    pub reconcile_interval: TimeDelta,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            hold: TimeDelta::minutes(15),
            pin: TimeDelta::hours(2),
            held_seats: 20,
            unpaid_inits: 5,
            memory: TimeDelta::minutes(30),
            reconcile_after: TimeDelta::minutes(30),
            reconcile_interval: TimeDelta::seconds(60),
        }
    }
}

impl Orders {
    /// Drops the searches that show a schedule's free seats. Called after the commit that changed them.
    async fn seats_changed(&self, schedule_id: i64) {
        let key = async {
            let mut connection = self.db.acquire().await?;
            catalogue::schedules::search_key_of(&mut connection, schedule_id).await
        };
        match key.await {
            Ok(Some(key)) => self.cache.forget(&key).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, schedule_id, "a search may show old seats until it expires"),
        }
    }
}
