//! What a round came to, for people and for programs.

use std::fmt;

use common::money::Money;
use serde::Serialize;

use super::{Finding, State};
use crate::charges::Facts;

/// What a round came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was found, in the order of the checks.
    pub findings: Vec<Finding>,
    /// The checks that failed: of them nothing is known.
    pub failed: Vec<&'static str>,
    /// What the provider was asked.
    pub receipts: Receipts,
}

/// What the provider was asked, and whether its sums are ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Receipts {
    /// How many receipts were compared with our charges.
    pub compared: u64,
    /// How often the provider couldn't tell.
    pub unanswered: u64,
    /// Charged on those receipts, by our books.
    pub charged_here: Money,
    /// Charged on those receipts, by the provider's.
    pub charged_there: Money,
    /// Given back of them, by our books, and what is on its way.
    pub returned_here: Money,
    /// Given back of them, by the provider's.
    pub returned_there: Money,
}

impl Receipts {
    pub(super) fn compare(&mut self, charged: Money, returned: Money, there: &Facts) {
        let add = |sum: &mut Money, more: Money| *sum = Money::won(sum.as_won() + more.as_won());
        self.compared += 1;
        add(&mut self.charged_here, charged);
        add(&mut self.charged_there, there.amount);
        add(&mut self.returned_here, returned);
        add(&mut self.returned_there, there.cancelled);
    }
}

impl Report {
    /// How many findings are in this state.
    pub fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }

    /// Whether everything agrees by now, as far as could be seen.
    pub fn is_settled(&self) -> bool {
        self.count(State::Healed) == self.findings.len() && self.failed.is_empty() && self.receipts.unanswered == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { check, subject, id, what, state, to_do } in &self.findings {
            let state = match state {
                State::Healed => "healed  ",
                State::Healable => "healable",
                State::Open => "OPEN    ",
            };
            writeln!(f, "{state}  {check}  {subject} {id}: {what}")?;
            if let Some(to_do) = to_do {
                writeln!(f, "          -> {to_do}")?;
            }
        }
        for check in &self.failed {
            writeln!(f, "FAILED    {check}")?;
        }
        let receipts = &self.receipts;
        if receipts.compared > 0 {
            writeln!(
                f,
                "{} receipts compared: {} charged here and {} there, {} given back here and {} there.",
                receipts.compared,
                receipts.charged_here,
                receipts.charged_there,
                receipts.returned_here,
                receipts.returned_there
            )?;
        }
        if receipts.unanswered > 0 {
            writeln!(f, "{} times the provider gave no answer: not all could be compared.", receipts.unanswered)?;
        }
        let [healed, healable, open] = [State::Healed, State::Healable, State::Open].map(|state| self.count(state));
        match (self.findings.is_empty(), healable) {
            (true, _) if self.failed.is_empty() => writeln!(f, "Everything agrees."),
            (_, 0) => writeln!(f, "{healed} healed, {open} open."),
            _ => writeln!(f, "{healable} healable, {open} open; nothing was changed."),
        }
    }
}
