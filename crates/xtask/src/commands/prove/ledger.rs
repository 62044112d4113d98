//! What clients were told, by which they may hold the airline to its word, and what they met on the way.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;

/// How many surprises are told in full.
const TOLD: usize = 10;

/// The last that a client was told of its booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Its seats are held.
    Pending,
    /// It is paid, and its seats are sold.
    Confirmed,
    /// It is cancelled as its client asked, and so much goes back.
    Cancelled(i64),
    /// Its time is over.
    Lapsed,
}

/// A booking that was acknowledged.
#[derive(Debug)]
pub(super) struct Booking {
    pub(super) user: u64,
    pub(super) schedule: u64,
    pub(super) number: String,
    pub(super) seats: usize,
    /// The seat its first passenger chose.
    pub(super) seat: Option<String>,
    pub(super) total: i64,
    pub(super) word: Word,
    /// Whether its client agreed to pay for it at the provider.
    pub(super) agreed: bool,
}

/// What all clients met.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Clone, Default)]
pub(super) struct Counts {
    /// Requests that were sent, repetitions included.
    pub(super) requests: u64,
    /// Writes that were acknowledged.
    pub(super) acknowledged: u64,
    /// Requests that were sent again under the same key.
    pub(super) again: u64,
    /// Those that were told then what had been done before.
    pub(super) replayed: u64,
    /// Definite refusals, by their code.
    pub(super) refused: BTreeMap<String, u64>,
    /// Answers that promise nothing, and answers that never came, by what they were.
    pub(super) troubles: BTreeMap<String, u64>,
    /// Answers that no client should ever get.
    pub(super) surprises: Vec<String>,
    pub(super) surprised: u64,
    /// How long acknowledged bookings took, from the first request on.
    latencies: Vec<Duration>,
}

impl Tally {
    /// What it is by now.
    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer that no client should ever get.
    pub(super) fn surprise(&self, what: String) {
        let mut counts = self.counts();
        counts.surprised += 1;
        if counts.surprises.len() < TOLD {
            counts.surprises.push(what);
        }
    }

    /// An answer that promises nothing, or none.
    pub(super) fn trouble(&self, what: impl Into<String>) {
        *self.counts().troubles.entry(what.into()).or_default() += 1;
    }

    /// A definite no.
    pub(super) fn refuse(&self, code: &str) {
        *self.counts().refused.entry(code.to_owned()).or_default() += 1;
    }

    /// A booking that was asked for at `since` and acknowledged now.
    pub(super) fn took(&self, since: Instant) {
        self.counts().latencies.push(since.elapsed());
    }
}

impl Counts {
    /// How long an acknowledged booking took that was slower than so many of a hundred.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        latencies
            .get((latencies.len() * percent / 100).min(latencies.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}

/// When a write was acknowledged last, to whomever, and how long none was.
pub(super) struct Pulse(Mutex<(Instant, Duration)>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new((Instant::now(), Duration::ZERO)))
    }
}

impl Pulse {
    /// Now.
    pub(super) fn beat(&self) {
        let mut pulse = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, longest) = *pulse;
        *pulse = (Instant::now(), longest.max(last.elapsed()));
    }

    /// The longest time in which there was nothing.
    pub(super) fn longest(&self) -> Duration {
        let (last, longest) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        longest.max(last.elapsed())
    }
}

/// Whether what was asked may be asked again under its key, because the answer promises nothing: the codes that
/// services/README.md lists, and no others.
pub(super) fn may_be_asked_again(status: StatusCode, code: &str) -> bool {
    match status.as_u16() {
        // Too many, too early, or the outcome is still being found out.
        202 | 429 => true,
        408 => code == "request-timeout",
        409 => matches!(code, "idempotency-key-in-flight" | "payment-under-way"),
        502 => code == "upstream-broken",
        503 => matches!(code, "unavailable" | "overloaded" | "upstream-unavailable" | "provider-unavailable"),
        504 => matches!(code, "timeout" | "outcome-unknown" | "upstream-timeout"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_ours_is_no_reason_to_ask_again() {
        assert!(may_be_asked_again(StatusCode::GATEWAY_TIMEOUT, "outcome-unknown"));
        assert!(!may_be_asked_again(StatusCode::INTERNAL_SERVER_ERROR, "internal"));
        assert!(!may_be_asked_again(StatusCode::CONFLICT, "sold-out"));
    }

    #[test]
    fn percentiles_of_nothing_are_nothing() {
        let mut counts = Counts::default();
        assert_eq!(counts.percentile(99), Duration::ZERO);
        counts.latencies = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(counts.percentile(50), Duration::from_millis(51));
        assert_eq!(counts.percentile(99), Duration::from_millis(100));
    }
}
