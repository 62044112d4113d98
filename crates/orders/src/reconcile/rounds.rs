//! Rounds without end, a check at a time: the job's side of reconciliation.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{CHECKS, Finding, Round, Scope, State};
use crate::{Backlog, Orders};

/// How many times as long as a round takes nothing is done after it: however much there is to look through, the
/// database is busy with it for a twentieth of the time.
const REST: u32 = 19;

/// Round after round, told of by gauges and in the log.
#[derive(Clone, Debug)]
pub struct Rounds {
    orders: Orders,
    backlog: Backlog,
    at_work: Arc<Mutex<AtWork>>,
}

#[derive(Debug)]
struct AtWork {
    round: Round,
    /// When it began.
    begun: Option<Instant>,
    /// Until when none is begun.
    rests_until: Option<Instant>,
    /// What was open when the last round ended: it is told of once, not every minute.
    told: HashSet<(&'static str, String)>,
}

impl Rounds {
    /// Rounds that are still to begin.
    pub fn new(orders: &Orders, backlog: &Backlog) -> Self {
        let round = Round::new(Scope::ROUTINE);
        let at_work = AtWork { round, begun: None, rests_until: None, told: HashSet::new() };
        Self { orders: orders.clone(), backlog: backlog.clone(), at_work: Arc::new(Mutex::new(at_work)) }
    }

    /// Makes the next check. Answers whether the round goes on.
    pub async fn go_on(&self) -> sqlx::Result<bool> {
        let Some(mut round) = self.take() else { return Ok(false) };
        let made = self.orders.reconcile_next(&mut round, &|_| {}).await;
        if round.next().is_some() {
            self.at_work().round = round;
        } else {
            self.tell(round);
        }
        made
    }

    /// The round at work, or a new one; `None`: it is time to rest. Nobody else wants it, because a job's rounds come one
    /// after the other; should this one be broken off, a new one begins.
    fn take(&self) -> Option<Round> {
        let (mut at_work, now) = (self.at_work(), Instant::now());
        if at_work.begun.is_none() && at_work.rests_until.is_some_and(|until| now < until) {
            return None;
        }
        at_work.begun.get_or_insert(now);
        Some(std::mem::replace(&mut at_work.round, Round::new(Scope::ROUTINE)))
    }

    /// Tells what a round found. Of a check that failed nothing new is known: what it found before stays.
    fn tell(&self, round: Round) {
        let report = round.report();
        let failed = &report.failed;
        let count = |code: &str, state| {
            let is_one = |finding: &&Finding| finding.check == code && finding.state == state;
            i64::try_from(report.findings.iter().filter(is_one).count()).unwrap_or(i64::MAX)
        };
        for check in CHECKS {
            let has_failed = failed.contains(&check.code);
            self.backlog.findings.with_label_values(&[check.code, "failed"]).set(has_failed.into());
            if has_failed {
                continue;
            }
            for (state, word) in [(State::Healed, "healed"), (State::Open, "open")] {
                self.backlog.findings.with_label_values(&[check.code, word]).set(count(check.code, state));
            }
        }
        let mut at_work = self.at_work();
        at_work.rests_until = at_work.begun.take().map(|begun| Instant::now() + begun.elapsed() * REST);
        let mut open: HashSet<_> = at_work.told.iter().filter(|(check, _)| failed.contains(check)).cloned().collect();
        for Finding { check, subject, id, what, state, .. } in &report.findings {
            let known = at_work.told.contains(&(*check, id.clone()));
            if *state == State::Open {
                open.insert((*check, id.clone()));
            }
            if *state == State::Healed || !known {
                tracing::warn!(check, subject, id, what, ?state, "불일치 발견 - the books did not agree");
            }
        }
        at_work.told = open;
    }

    fn at_work(&self) -> std::sync::MutexGuard<'_, AtWork> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
