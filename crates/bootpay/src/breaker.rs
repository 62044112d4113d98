//! Fail fast: when the provider has been away several times in a row, callers needn't each find out by waiting.
//!
//! For a short rest calls are refused before anything is sent. Then one call at a time may try, and the first answer
//! of whatever kind, a refusal as well, ends it. Work that must get done may insist: it is never refused, and what
//! becomes of it counts like the rest.
//!
//! The trap is a trial that is dropped half-way because its caller hung up: it has proved nothing, and must leave its
//! place to the next. Hence [`Pass`], which notices.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What one client and its clones know of the provider's health.
pub(crate) struct Breaker {
    /// How many outages in a row are believed.
    limit: u32,
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
enum State {
    /// All calls go through.
    Closed { outages: u32 },
    /// None does before `rested_at`, and one at a time after it.
    Open { rested_at: Instant, is_tried: bool },
}

/// Leave to make one call, and the duty to say how it ended.
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
}

impl Breaker {
    /// One that opens after `limit` outages in a row, for `rest` at a time.
    pub(crate) fn new(limit: u32, rest: Duration) -> Self {
        Self { limit, rest, state: Mutex::new(State::Closed { outages: 0 }) }
    }

    /// Leave to call at `now`, if there is any; always for who `insists`.
    pub(crate) fn admit(&self, insists: bool, now: Instant) -> Option<Pass<'_>> {
        let mut state = self.state();
        let is_trial = match *state {
            State::Closed { .. } => false,
            State::Open { rested_at, is_tried: false } if rested_at <= now => {
                *state = State::Open { rested_at, is_tried: true };
                true
            }
            State::Open { .. } if insists => false,
            State::Open { .. } => return None,
        };
        Some(Pass { breaker: self, is_trial })
    }

    /// Whether calls are being refused.
    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.state(), State::Open { .. })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a single step, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The call ended at `now`: in an outage, or with an answer of whatever kind.
    pub(crate) fn ended(self, in_outage: bool, now: Instant) {
        let Breaker { limit, rest, .. } = *self.breaker;
        let opened = State::Open { rested_at: now + rest, is_tried: false };
        let mut state = self.breaker.state();
        *state = match *state {
            _ if !in_outage => State::Closed { outages: 0 },
            State::Closed { outages } if outages + 1 < limit => State::Closed { outages: outages + 1 },
            State::Closed { .. } => opened,
            State::Open { .. } if self.is_trial => opened,
            // A call from before it opened, or one that insisted. It must not keep others from trying for longer.
            still @ State::Open { .. } => still,
        };
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // After an end there is nothing left to give back, and nothing is.
        if self.is_trial
            && let State::Open { is_tried, .. } = &mut *self.breaker.state()
        {
            *is_tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(3);

    /// One that opens after three outages, has seen two, and the time.
    fn tried_twice() -> (Breaker, Instant) {
        let (breaker, now) = (Breaker::new(3, REST), Instant::now());
        for _ in 0..2 {
            breaker.admit(false, now).unwrap().ended(true, now);
        }
        (breaker, now)
    }

    fn open() -> (Breaker, Instant) {
        let (breaker, now) = tried_twice();
        breaker.admit(false, now).unwrap().ended(true, now);
        (breaker, now)
    }

    #[test]
    fn opens_after_so_many_outages_in_a_row() {
        let (breaker, now) = tried_twice();
        assert!(!breaker.is_open());

        breaker.admit(false, now).unwrap().ended(true, now);

        assert!(breaker.is_open());
        assert!(breaker.admit(false, now).is_none());
        assert!(breaker.admit(false, now + REST - Duration::from_millis(1)).is_none());
    }

    #[test]
    fn an_answer_between_outages_starts_the_count_anew() {
        let (breaker, now) = tried_twice();
        breaker.admit(false, now).unwrap().ended(false, now);

        for _ in 0..2 {
            breaker.admit(false, now).unwrap().ended(true, now);
        }

        assert!(!breaker.is_open());
    }

    #[test]
    fn one_at_a_time_tries_after_the_rest() {
        let (breaker, opened) = open();
        let now = opened + REST;

        let trial = breaker.admit(false, now).unwrap();
        assert!(breaker.admit(false, now).is_none());

        trial.ended(true, now);
        assert!(breaker.admit(false, now + REST - Duration::from_millis(1)).is_none());
        let trial = breaker.admit(false, now + REST).unwrap();
        trial.ended(false, now + REST);
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_trial_that_is_dropped_leaves_its_place() {
        let (breaker, opened) = open();
        let now = opened + REST;

        drop(breaker.admit(false, now).unwrap());

        assert!(breaker.is_open());
        assert!(breaker.admit(false, now).is_some());
    }

    #[test]
    fn who_insists_is_never_refused_and_ends_it_too() {
        let (breaker, now) = open();

        breaker.admit(true, now).unwrap().ended(true, now);
        assert!(breaker.admit(false, now).is_none());

        breaker.admit(true, now).unwrap().ended(false, now);
        assert!(breaker.admit(false, now).is_some());
    }

    #[test]
    fn outages_of_those_who_insist_dont_put_the_trial_off() {
        let (breaker, opened) = open();
        let late = opened + REST - Duration::from_millis(1);

        breaker.admit(true, late).unwrap().ended(true, late);

        assert!(breaker.admit(false, opened + REST).is_some());
    }
}
