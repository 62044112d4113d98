//! Reconciliation: bookings, claims, counters, payments, charges, refunds and the provider's receipts are held against
//! each other. What can be healed without guessing is healed; the rest is named, with what a person should do.
//!
//! Each [check](CHECKS) is a question to the database whose answer should be empty. The trap is that an answer is a
//! look at rows that others are changing: so nothing is believed, told or healed before it was seen again under the
//! rows' locks, in the order in which everybody takes them.
//!
//! A [`Round`] makes every check once. The payment service does one after the other; `payment-service reconcile` makes
//! one round that looks further back, and prints the [`Report`].

mod check;
mod checks;
mod money;
mod report;
mod rounds;

use std::sync::{Mutex, PoisonError};

pub use check::{Check, Finding, State};
pub use checks::CHECKS;
pub use money::{DayAndFlight, MoneyReport};
pub use report::{Receipts, Report};
pub use rounds::Rounds;

use crate::Orders;
use check::{Audit, Memo};

/// What a round does and looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Whether what can be healed is healed, or only named.
    pub heals: bool,
    /// Whether it looks through all years and asks the provider about every receipt with money on it; else at what is
    /// still to be flown or was touched lately, and about the receipts whose turn it is.
    pub is_thorough: bool,
    /// Only at what belongs to this schedule.
    pub schedule_id: Option<i64>,
}

impl Scope {
    /// What the job does.
    pub const ROUTINE: Self = Self { heals: true, is_thorough: false, schedule_id: None };
}

/// All checks, made one after the other.
#[derive(Debug)]
pub struct Round {
    scope: Scope,
    made: usize,
    failed: Vec<&'static str>,
    findings: Vec<Finding>,
    memo: Memo,
}

impl Round {
    /// A round that begins.
    pub fn new(scope: Scope) -> Self {
        Self { scope, made: 0, failed: Vec::new(), findings: Vec::new(), memo: Memo::default() }
    }

    /// The check that is next; `None`: all are made.
    pub fn next(&self) -> Option<&'static Check> {
        CHECKS.get(self.made)
    }

    /// What came of it.
    pub fn report(self) -> Report {
        Report { findings: self.findings, failed: self.failed, receipts: self.memo.receipts }
    }
}

impl Orders {
    /// Makes the next check of a round. Answers whether another one is left. `tell` hears how many rows were looked at
    /// so far, now and then. A check that fails is left behind, and remembered: whoever goes on makes the next one.
    pub async fn reconcile_next(&self, round: &mut Round, tell: &(dyn Fn(usize) + Send + Sync)) -> sqlx::Result<bool> {
        let Some(check) = round.next() else { return Ok(false) };
        round.made += 1;
        let memo = Mutex::new(std::mem::take(&mut round.memo));
        let audit = Audit { orders: self, scope: round.scope, memo: &memo, tell };
        let findings = (check.make)(&audit).await;
        round.memo = memo.into_inner().unwrap_or_else(PoisonError::into_inner);
        round.findings.extend(findings.inspect_err(|_| round.failed.push(check.code))?);
        Ok(round.next().is_some())
    }
}
