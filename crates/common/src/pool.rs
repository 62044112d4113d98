//! What is measured about the pool of connections: how many there are, and how long one is waited for.
//!
//! The pool tells of a wait that ended well as a tracing event; of one that ended with nothing it only gives an error,
//! so whoever handles errors [tells](tell) of it the same way. [`Waits`] counts both.

use std::error::Error as StdError;

use sqlx::MySqlPool;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::metrics::{Error, Registry};

/// What the pool says of waits is said to this target.
const WAITED: &str = "sqlx::pool::acquire";
/// What we say of waits that ended with nothing.
const TIMED_OUT: &str = "common::pool::timed_out";

crate::metrics! {
    /// How long a connection is waited for.
    pub(crate) struct Waits {
        /// Seconds until a connection was there.
        waited: Histogram = "cloudjet_db_acquire_seconds",
        /// Waits for a connection that were given up.
        timed_out: IntCounter = "cloudjet_db_acquire_timeouts_total",
    }
}

impl Waits {
    /// The layer that counts what is told.
    pub(crate) fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(self) -> impl Layer<S> {
        let told = Targets::new().with_target(WAITED, LevelFilter::DEBUG).with_target(TIMED_OUT, LevelFilter::DEBUG);
        self.with_filter(told)
    }
}

impl<S: Subscriber> Layer<S> for Waits {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == TIMED_OUT {
            self.timed_out.inc();
        } else {
            event.record(&mut Seconds(&self.waited));
        }
    }
}

struct Seconds<'h>(&'h crate::metrics::Histogram);

impl Visit for Seconds<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "acquired_after_secs" {
            self.0.observe(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Tells of an error if it is, or comes from, a wait for a connection that was given up.
pub(crate) fn tell(error: &(dyn StdError + 'static)) {
    let gave_up = |e: &(dyn StdError + 'static)| matches!(e.downcast_ref(), Some(sqlx::Error::PoolTimedOut));
    if std::iter::successors(Some(error), |&e| e.source()).any(gave_up) {
        tracing::debug!(target: TIMED_OUT, "no connection was free in time");
    }
}

/// Declares how many connections a pool has, in use and idle.
///
/// # Errors
/// When a pool was declared before.
pub fn watch(pool: &MySqlPool, metrics: &Registry) -> Result<(), Error> {
    let (all, idle, used) = (pool.clone(), pool.clone(), pool.clone());
    let most = f64::from(pool.options().get_max_connections());
    metrics.ask("cloudjet_db_connections_max", "Connections the pool may have.", move || most)?;
    metrics.ask("cloudjet_db_connections", "Connections the pool has.", move || f64::from(all.size()))?;
    metrics.ask("cloudjet_db_connections_idle", "Connections that nobody uses.", move || f64::from(resting(&idle)))?;
    metrics.ask("cloudjet_db_connections_in_use", "Connections that somebody uses.", move || {
        f64::from(used.size().saturating_sub(resting(&used)))
    })
}

fn resting(pool: &MySqlPool) -> u32 {
    u32::try_from(pool.num_idle()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[sqlx::test(migrations = false)]
    async fn waits_are_measured_and_those_in_vain_are_counted(_: MySqlPoolOptions, database: MySqlConnectOptions) {
        let metrics = Registry::default();
        let waits = Waits::new(&metrics).unwrap();
        let pool = crate::db::pool_options().max_connections(1).connect_lazy_with(database);
        watch(&pool, &metrics).unwrap();
        let _heard = tracing::subscriber::set_default(tracing_subscriber::registry().with(waits.layer()));

        let only = pool.acquire().await.unwrap();
        // From here on, who waits for nothing but time has waited.
        tokio::time::pause();
        let refused = crate::error::ApiError::from(pool.acquire().await.unwrap_err());
        assert_eq!(refused.status(), 503);
        let text = metrics.text().unwrap();
        for line in [
            "cloudjet_db_acquire_seconds_count 1",
            "cloudjet_db_acquire_timeouts_total 1",
            "cloudjet_db_connections_max 1",
            "cloudjet_db_connections 1",
            "cloudjet_db_connections_in_use 1",
            "cloudjet_db_connections_idle 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        drop(only);
    }
}
