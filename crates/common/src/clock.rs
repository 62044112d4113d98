//! Time as an argument: whoever needs to know what time it is takes a [`Clock`], so a test can say when it is.
//!
//! The rules of holds and deadlines use the database's own `now(6)` instead, because only one clock may decide
//! them for all replicas; this clock answers the calendar ("today") and compares against departures.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;

/// Tells the time: the system's, or one that a test sets and moves.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `instant` until it is moved. Clones share the same hands.
    pub fn fixed(instant: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(AtomicI64::new(instant.timestamp_micros()))))
    }

    /// The instant it is now.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Some(micros) => DateTime::from_timestamp_micros(micros.load(Ordering::SeqCst)).unwrap_or_default(),
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
            None => Utc::now(),
        }
    }

    /// Moves a fixed clock on (or back). The system's clock doesn't move for anybody.
    pub fn advance(&self, by: TimeDelta) {
        if let Some(micros) = &self.0 {
            micros.fetch_add(by.num_microseconds().unwrap_or_default(), Ordering::SeqCst);
        }
    }

    /// The calendar day it is in Seoul, which is what "today" means in searches and offers.
    pub fn today_in_seoul(&self) -> NaiveDate {
        self.now().with_timezone(&Seoul).date_naive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_in_seoul_nine_hours_before_it_begins_in_utc() {
        let clock = Clock::fixed("2026-12-01T14:59:59Z".parse().unwrap());
        assert_eq!(clock.today_in_seoul().to_string(), "2026-12-01");
        clock.advance(TimeDelta::seconds(1));
        assert_eq!(clock.today_in_seoul().to_string(), "2026-12-02");
    }
}
