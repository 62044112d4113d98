//! What a seed stands for: a plan of what is tried, in what company, and where a process dies.
//!
//! A plan knows kinds of steps only; whom and what each concerns is drawn when its turn comes, from a seed of the step's
//! own. So a step can be taken out of a plan and the others still draw as they did, which is how a story is shortened.

use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::jobs::Job;
use crate::provider::Weather;

/// How many bursts a plan has.
const BURSTS: usize = 30;

/// Draws.
#[derive(Debug)]
pub(crate) struct Dice(StdRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n.max(1))
    }

    /// Whether it is so, which it is once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these, if there are any.
    pub(crate) fn of<'t, T>(&mut self, things: &'t [T]) -> Option<&'t T> {
        things.get(self.below(things.len()))
    }

    fn seed(&mut self) -> u64 {
        self.0.random()
    }

    /// One of these, each as often as its weight says.
    fn weighted<T: Copy>(&mut self, choices: &[(usize, T)]) -> Option<T> {
        let mut left = self.below(choices.iter().map(|choice| choice.0).sum());
        for (weight, choice) in choices {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return Some(*choice),
            }
        }
        None
    }
}

/// A kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Somebody does what comes next for them: books, begins to pay, pays, confirms.
    GoOn,
    /// Somebody books.
    Book,
    /// Somebody begins to pay.
    Begin,
    /// Somebody comes out of the payment window: paid, declined, or agreed.
    Window,
    /// The provider tells of a receipt, as it is or as it was.
    Tell,
    /// Somebody confirms what they agreed to.
    Confirm,
    /// Somebody says which payment is which booking's.
    Attach,
    /// Somebody cancels their booking.
    Cancel,
    /// An administrator cancels somebody's booking.
    CancelAny,
    /// An administrator gives back a part.
    RefundPart,
    /// The airline doesn't fly.
    Ground,
    /// Somebody asks again, under the same key.
    Again,
    /// Somebody at the airline cancels in the provider's console.
    Console,
    /// A job's turn.
    Job(Job),
    /// The books are held against each other.
    Reconcile,
    /// Time passes.
    Pass,
}

const KINDS: [(usize, Kind); 24] = [
    (44, Kind::GoOn),
    (8, Kind::Book),
    (6, Kind::Begin),
    (5, Kind::Window),
    (9, Kind::Tell),
    (7, Kind::Confirm),
    (4, Kind::Attach),
    (8, Kind::Cancel),
    (5, Kind::CancelAny),
    (5, Kind::RefundPart),
    (1, Kind::Ground),
    (8, Kind::Again),
    (1, Kind::Console),
    (3, Kind::Job(Job::ExpireBookings)),
    (1, Kind::Job(Job::GiveBackSeats)),
    (1, Kind::Job(Job::CancelGrounded)),
    (3, Kind::Job(Job::ResumeCalls)),
    (2, Kind::Job(Job::AskAboutPayments)),
    (1, Kind::Job(Job::RefundUnbooked)),
    (4, Kind::Job(Job::PayRefunds)),
    (1, Kind::Job(Job::TidyInbox)),
    (1, Kind::Job(Job::RelayNews)),
    (1, Kind::Reconcile),
    (5, Kind::Pass),
];

/// What people do to each other who quarrel about one thing.
const QUARREL: [(usize, Kind); 14] = [
    (4, Kind::GoOn),
    (6, Kind::Tell),
    (5, Kind::Confirm),
    (4, Kind::Cancel),
    (2, Kind::CancelAny),
    (3, Kind::RefundPart),
    (2, Kind::Attach),
    (3, Kind::Again),
    (2, Kind::Job(Job::ExpireBookings)),
    (2, Kind::Job(Job::ResumeCalls)),
    (2, Kind::Job(Job::AskAboutPayments)),
    (2, Kind::Job(Job::PayRefunds)),
    (1, Kind::Console),
    (2, Kind::Pass),
];

const WEATHERS: [(usize, Weather); 5] = [
    (80, Weather::Fair),
    (5, Weather::Away),
    (4, Weather::FailsBefore),
    (7, Weather::FailsAfter),
    (4, Weather::Undecided),
];

/// A step of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) weather: Weather,
    /// Whether it concerns what its burst is about.
    pub(crate) is_quarrel: bool,
    /// What else it draws.
    pub(crate) seed: u64,
}

/// Where a process dies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    /// Which of the burst's.
    pub(crate) step: usize,
    /// At which of its turns, from 0.
    pub(crate) turn: usize,
    /// Whether it is heard before it dies.
    pub(crate) is_heard: bool,
}

/// Steps that are under way at once.
#[derive(Clone, Debug)]
pub(crate) struct Burst {
    pub(crate) steps: Vec<Step>,
    pub(crate) crash: Option<Crash>,
    /// One turn in so many goes to somebody else.
    pub(crate) patience: usize,
    /// What it is about: steps of a burst like to concern the same person and thing.
    pub(crate) seed: u64,
}

/// All that is tried in one run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) bursts: Vec<Burst>,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let bursts = (0..BURSTS).map(|_| Burst::draw(&mut dice)).collect();
        Self { seed, bursts }
    }

    /// How many steps it has.
    pub(crate) fn steps(&self) -> usize {
        self.bursts.iter().map(|burst| burst.steps.len()).sum()
    }

    /// The same plan without so many bursts from one on.
    pub(crate) fn without(&self, from: usize, many: usize) -> Self {
        let bursts = self.bursts.iter().enumerate().filter(|(at, _)| !(from..from + many).contains(at));
        Self { bursts: bursts.map(|(_, burst)| burst.clone()).collect(), ..*self }
    }
}

impl Burst {
    fn draw(dice: &mut Dice) -> Self {
        let is_quarrel = dice.one_in(3);
        let together =
            if is_quarrel { 2 + dice.below(2) } else { dice.weighted(&[(8, 1), (5, 2), (2, 3)]).unwrap_or(1) };
        let steps: Vec<Step> = (0..together).map(|_| Step::draw(dice, is_quarrel)).collect();
        let crash = dice.one_in(5).then(|| Crash {
            step: dice.below(together),
            // Early in whatever it is, or as far as in the longest of them.
            turn: if dice.one_in(2) { dice.below(12) } else { dice.below(40) },
            is_heard: dice.one_in(2),
        });
        Self { steps, crash, patience: [1, 2, 3, 6][dice.below(4)], seed: dice.seed() }
    }
}

impl Step {
    fn draw(dice: &mut Dice, is_quarrel: bool) -> Self {
        let kinds: &[(usize, Kind)] = if is_quarrel { &QUARREL } else { &KINDS };
        let kind = dice.weighted(kinds).unwrap_or(Kind::Pass);
        let weather = dice.weighted(&WEATHERS).unwrap_or_default();
        Self { kind, weather, is_quarrel, seed: dice.seed() }
    }
}

/// How long is waited when time passes: mostly not long enough for a hold to lapse.
pub(crate) fn while_of(dice: &mut Dice) -> TimeDelta {
    let minutes = dice.weighted(&[(4, 1), (2, 5), (4, 16), (1, 32), (1, 125)]).unwrap_or(1);
    TimeDelta::minutes(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_always_the_same_plan_and_another_is_another() {
        let plan = |seed| format!("{:?}", Plan::of(seed).bursts);
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn what_is_taken_out_changes_nothing_else() {
        let (plan, show) = (Plan::of(3), |burst: &Burst| format!("{burst:?}"));
        let shorter = plan.without(2, 3);
        assert_eq!(shorter.bursts.len(), plan.bursts.len() - 3);
        assert_eq!(show(&shorter.bursts[1]), show(&plan.bursts[1]));
        assert_eq!(show(&shorter.bursts[2]), show(&plan.bursts[5]));
    }
}
