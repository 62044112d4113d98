//! What was called: for the log, and for tests that count.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::Operation;

/// How many calls are remembered one by one. All are counted.
const REMEMBERED: usize = 500;

/// One call of the provider's API.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Counts from 1.
    pub number: u64,
    /// When it came.
    pub at: DateTime<Utc>,
    /// What was asked.
    pub operation: Operation,
    /// The address, without the host.
    pub path: String,
    /// The answer's HTTP status; none while it isn't answered, and for ever if the caller gave up.
    pub status: Option<u16>,
    /// How long it took, once it has ended.
    pub duration_ms: Option<u64>,
}

/// The calls since the simulator started.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Calls {
    /// How many in all.
    pub total: u64,
    /// How many of each operation.
    pub counts: BTreeMap<Operation, u64>,
    /// The last 500, oldest first.
    pub calls: VecDeque<Call>,
}

impl Calls {
    /// How many calls of one operation came in.
    pub fn count(&self, operation: Operation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or(0)
    }

    pub(super) fn begin(&mut self, operation: Operation, path: String, at: DateTime<Utc>) -> u64 {
        self.total += 1;
        *self.counts.entry(operation).or_default() += 1;
        if self.calls.len() == REMEMBERED {
            self.calls.pop_front();
        }
        self.calls.push_back(Call { number: self.total, at, operation, path, status: None, duration_ms: None });
        self.total
    }

    pub(super) fn end(&mut self, number: u64, status: Option<u16>, duration_ms: u64) {
        if let Some(call) = self.calls.iter_mut().rfind(|call| call.number == number) {
            call.status = status;
            call.duration_ms = Some(duration_ms);
        }
    }
}
