//! Trouble on demand: the provider is down, hangs, or does what it was asked and then loses the answer.
//!
//! The last is what the callers are built for, so it is the one to test with: the money has moved, and nobody knows.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::Operation;

/// What is wrong with the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// It answers 503 and does nothing.
    Refuse,
    /// It accepts the call, does nothing and doesn't answer.
    Hang,
    /// It does what it was asked and doesn't answer.
    LoseAnswer,
    /// It does what it was asked and answers late.
    Slow,
    /// It does what it was asked and answers that it doesn't know whether it did. Look-ups just answer.
    Undecided,
    /// It refuses (400) and does nothing.
    Deny,
}

/// What befalls one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) trouble: Trouble,
    /// How late a slow answer is.
    pub(super) pause: Duration,
}

/// Trouble with some operations for some time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// What is wrong.
    pub mode: Trouble,
    /// For how long, in seconds; until it is ended if not given.
    #[serde(default)]
    pub for_seconds: Option<u64>,
    /// With which operations. If not given: with all, or for [`Trouble::LoseAnswer`] with those that move money.
    #[serde(default)]
    pub only: Option<Vec<Operation>>,
    /// How late answers are in [`Trouble::Slow`], in seconds; 3 if not given.
    #[serde(default)]
    pub seconds: Option<u64>,
}

impl Outage {
    /// Trouble with all it may concern, until it is ended.
    pub fn new(mode: Trouble) -> Self {
        Self { mode, ..Self::default() }
    }

    fn concerns(&self, operation: Operation) -> bool {
        match &self.only {
            Some(only) => only.contains(&operation),
            None => self.mode != Trouble::LoseAnswer || operation.moves_money(),
        }
    }
}

/// An outage that has begun.
#[derive(Clone, Default)]
pub(super) struct Ongoing {
    outage: Outage,
    ends_at: Option<Instant>,
}

impl Ongoing {
    pub(super) fn begin(outage: Outage) -> Self {
        let ends_at = outage.for_seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        Self { outage, ends_at }
    }

    /// What befalls a call of `operation` now.
    pub(super) fn fate(&self, operation: Operation) -> Fate {
        let is_over = self.ends_at.is_some_and(|end| end <= Instant::now());
        if is_over || !self.outage.concerns(operation) {
            return Fate::default();
        }
        let pause = Duration::from_secs(self.outage.seconds.unwrap_or(3));
        Fate { trouble: self.outage.mode, pause }
    }

    /// When it ends by itself.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.ends_at
    }
}
