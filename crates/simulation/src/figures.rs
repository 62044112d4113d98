//! How much of what there was in a run: a simulation in which nothing meets and nobody dies proves little.

use std::ops::AddAssign;

/// How many of what there were in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Things that were tried.
    pub steps: usize,
    /// Times that several were under way at once.
    pub meetings: usize,
    /// Turns in which somebody else went on than before.
    pub switches: usize,
    /// Statements and calls that waited for their turn.
    pub turns: usize,
    /// Times that somebody waited for a lock.
    pub locks: usize,
    /// Transactions that lost a claim to another, and ran anew.
    pub collisions: usize,
    /// Processes that died.
    pub crashes: usize,
    /// Bookings that were confirmed, and charges that were taken.
    pub sold: usize,
    /// Refunds that were paid.
    pub refunds: usize,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.meetings += other.meetings;
        self.switches += other.switches;
        self.turns += other.turns;
        self.locks += other.locks;
        self.collisions += other.collisions;
        self.crashes += other.crashes;
        self.sold += other.sold;
        self.refunds += other.refunds;
    }
}
