//! Who goes on: of all that processes have under way at once, one thing at a time, chosen by the seed.
//!
//! Whoever comes to a gate (a statement on its [wire](crate::wire), or a call that moves money at the
//! [provider](crate::provider)) waits there. Once nobody moves any more, one is let through, and again everybody is waited
//! for. So what happens is a function of the choices and not of the machine's speed.
//!
//! The one trap is a lock: who waits for one inside the server neither answers nor comes to a gate. No pause tells that
//! from slowness, so the server is asked which of its threads wait for a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use tokio::sync::{Notify, oneshot};

use crate::server::Server;
use crate::statement::{first_word, flat, worth_a_turn};

/// How long nobody may move without an explanation.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an answer may take before the server is asked what keeps it.
const PROMPT: Duration = Duration::from_millis(4);

/// What is heard of whoever waits for a lock.
const WAITS: &str = "waits for a lock";

/// How much time passes with every statement: enough for one to be later than another.
const TICK: TimeDelta = TimeDelta::milliseconds(1);

/// Conducts the processes of one simulation. Clones are one and the same.
#[derive(Clone, Debug)]
pub(crate) struct Conductor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    score: Mutex<Score>,
    changed: Notify,
    clock: Clock,
    micros: AtomicI64,
    server: Server,
}

/// Names a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LineId(u64);

/// What becomes of somebody at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Go,
    /// Its process has died here, and nobody hears what it was about to say.
    Break,
    /// It is heard, and then its process has died.
    GoAndBreak,
}

/// Everybody, and where they are.
#[derive(Debug, Default)]
struct Score {
    lines: BTreeMap<LineId, Line>,
    gates: BTreeMap<u64, Gate>,
    next: u64,
    busy: BTreeSet<usize>,
    /// Nobody waits at gates: there is only one of them.
    is_solo: bool,
    /// Threads of the server whose line is gone; until they have noticed, they may hold locks.
    leaving: BTreeSet<u32>,
    heard: Vec<Heard>,
    /// A transaction has ended since the server was asked who waits.
    has_ended: bool,
    /// How often somebody had to wait for a lock.
    lock_waits: usize,
}

/// Somebody who waits for a turn.
#[derive(Debug)]
struct Gate {
    process: usize,
    what: String,
    turn: oneshot::Sender<Verdict>,
}

#[derive(Debug)]
struct Line {
    process: usize,
    thread: u32,
    in_transaction: bool,
    /// What the server is asked and hasn't answered.
    asking: Option<String>,
    /// It waits for a lock.
    is_blocked: bool,
}

/// Something that went over a wire, or happened at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Whose it is.
    pub(crate) process: usize,
    /// A statement, or a call.
    pub(crate) what: String,
    /// The number of the server's refusal, where this is one.
    pub(crate) error: Option<u16>,
}

/// Somebody at a gate, to be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    gate: u64,
    pub(crate) process: usize,
    pub(crate) what: String,
}

impl Conductor {
    /// One whose clock shows `start`.
    pub(crate) fn new(server: Server, start: DateTime<Utc>) -> Self {
        let micros = AtomicI64::new(start.timestamp_micros());
        let score = Mutex::new(Score { is_solo: true, ..Score::default() });
        Self(Arc::new(Shared { score, changed: Notify::new(), clock: Clock::fixed(start), micros, server }))
    }

    /// The clock of all processes.
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What time it is, in microseconds.
    pub(crate) fn micros(&self) -> i64 {
        self.0.micros.load(Ordering::SeqCst)
    }

    /// Lets time pass for the processes and for the database.
    pub(crate) fn pass(&self, time: TimeDelta) {
        self.0.micros.fetch_add(time.num_microseconds().unwrap_or_default(), Ordering::SeqCst);
        self.0.clock.advance(time);
    }

    fn score(&self) -> MutexGuard<'_, Score> {
        // Every change is a single step, so a panic elsewhere leaves it whole.
        self.0.score.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Score) -> T) -> T {
        let changed = change(&mut self.score());
        self.0.changed.notify_waiters();
        self.0.changed.notify_one();
        changed
    }

    /// From now on there is only one at a time, who waits at no gate; or there are several.
    pub(crate) fn solo(&self, is_solo: bool) {
        self.change(|score| score.is_solo = is_solo);
    }

    /// A process has something to do, or has done it.
    pub(crate) fn busy(&self, process: usize, is_busy: bool) {
        self.change(|score| if is_busy { score.busy.insert(process) } else { score.busy.remove(&process) });
    }

    /// How often somebody had to wait for a lock.
    pub(crate) fn lock_waits(&self) -> usize {
        self.score().lock_waits
    }

    /// What has been heard since this was last asked.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.score().heard)
    }

    pub(crate) fn connected(&self, process: usize, thread: u32) -> LineId {
        self.change(|score| {
            score.next += 1;
            let line = Line { process, thread, in_transaction: false, asking: None, is_blocked: false };
            score.lines.insert(LineId(score.next), line);
            LineId(score.next)
        })
    }

    pub(crate) fn disconnected(&self, line: LineId) {
        self.change(|score| {
            if let Some(line) = score.lines.remove(&line) {
                score.leaving.insert(line.thread);
            }
        });
    }

    /// A statement waits for its turn, if it has to.
    pub(crate) async fn arrive(&self, line: LineId, statement: &str) -> Verdict {
        let Some(what) = worth_a_turn(statement) else { return Verdict::Go };
        let Some(process) = self.score().lines.get(&line).map(|line| line.process) else { return Verdict::Break };
        self.wait(process, what).await
    }

    /// Waits for a turn.
    pub(crate) async fn wait(&self, process: usize, what: String) -> Verdict {
        let (turn, verdict) = oneshot::channel();
        let goes_on = self.change(|score| {
            if score.is_solo {
                score.heard.push(Heard { process, what: what.clone(), error: None });
                return true;
            }
            score.next += 1;
            score.gates.insert(score.next, Gate { process, what, turn });
            false
        });
        let verdict = if goes_on { Verdict::Go } else { verdict.await.unwrap_or(Verdict::Break) };
        if verdict != Verdict::Break {
            self.pass(TICK);
        }
        verdict
    }

    /// The server is asked.
    pub(crate) fn asks(&self, line: LineId, statement: &str) {
        self.change(|score| {
            if let Some(line) = score.lines.get_mut(&line) {
                line.asking = Some(statement.to_owned());
                line.in_transaction |= first_word(statement) == "begin";
            }
        });
    }

    /// The server has answered.
    pub(crate) fn answered(&self, line: LineId, error: Option<u16>) {
        self.change(|score| {
            let Some(line) = score.lines.get_mut(&line) else { return };
            line.is_blocked = false;
            let Some(statement) = line.asking.take() else { return };
            let ends = !line.in_transaction || matches!(first_word(&statement).as_str(), "commit" | "rollback");
            line.in_transaction &= !ends;
            score.has_ended |= ends;
            if error.is_some() {
                score.heard.push(Heard { process: line.process, what: flat(&statement), error });
            }
        });
    }

    /// Waits until nobody moves: who has something to do waits at a gate, or for a lock.
    pub(crate) async fn settle(&self) -> Result<()> {
        let since = Instant::now();
        loop {
            let changed = self.0.changed.notified();
            if self.score().is_settled() {
                if !self.has_blocked() {
                    return Ok(());
                }
                // Who has just been given a lock may be told of as waiting for it still.
                let has_ended = self.change(|score| std::mem::take(&mut score.has_ended));
                if has_ended {
                    tokio::time::sleep(PROMPT).await;
                }
                if self.look_for_locks().await? && !has_ended {
                    return Ok(());
                }
                continue;
            }
            if tokio::time::timeout(PROMPT, changed).await.is_err() {
                self.look_for_locks().await?;
                self.look_for_the_leaving().await?;
            }
            if since.elapsed() > PATIENCE {
                bail!("nobody moves, and no lock explains it: {:#?}", self.score());
            }
        }
    }

    fn has_blocked(&self) -> bool {
        self.score().lines.values().any(|line| line.is_blocked)
    }

    /// Asks the server who waits for a lock. Answers whether it is as we knew.
    async fn look_for_locks(&self) -> Result<bool> {
        let waiting = self.0.server.waiting().await?;
        Ok(self.change(|score| {
            let mut as_known = true;
            for line in score.lines.values_mut().filter(|line| line.asking.is_some()) {
                let is_blocked = waiting.contains(&line.thread);
                as_known &= line.is_blocked == is_blocked;
                if is_blocked && !line.is_blocked {
                    score.lock_waits += 1;
                    score.heard.push(Heard { process: line.process, what: WAITS.to_owned(), error: None });
                }
                line.is_blocked = is_blocked;
            }
            as_known
        }))
    }

    /// Asks the server which of those whose line is gone are still there.
    async fn look_for_the_leaving(&self) -> Result<()> {
        if self.score().leaving.is_empty() {
            return Ok(());
        }
        let there = self.0.server.threads().await?;
        self.change(|score| score.leaving.retain(|thread| there.contains(&u64::from(*thread))));
        Ok(())
    }

    /// Those who wait at gates, in an order that doesn't depend on who came first.
    pub(crate) fn ready(&self) -> Vec<Ready> {
        let score = self.score();
        let mut ready: Vec<_> = score
            .gates
            .iter()
            .map(|(gate, at)| Ready { gate: *gate, process: at.process, what: at.what.clone() })
            .collect();
        ready.sort_by(|a, b| (a.process, &a.what, a.gate).cmp(&(b.process, &b.what, b.gate)));
        ready
    }

    /// Whether somebody waits for a lock, or hasn't noticed yet that it is over.
    pub(crate) fn is_held_up(&self) -> bool {
        let score = self.score();
        !score.busy.is_empty() || score.lines.values().any(|line| line.asking.is_some())
    }

    /// Lets somebody through a gate.
    pub(crate) fn let_go(&self, ready: &Ready, verdict: Verdict) {
        self.change(|score| {
            let Some(gate) = score.gates.remove(&ready.gate) else { return };
            if verdict != Verdict::Break {
                score.heard.push(Heard { process: gate.process, what: gate.what, error: None });
            }
            // Whoever waited may be dead.
            let _ = gate.turn.send(verdict);
        });
    }

    /// A process has died: whoever of it waits never goes on.
    pub(crate) fn died(&self, process: usize) {
        self.change(|score| {
            score.busy.remove(&process);
            score.gates.retain(|_, gate| gate.process != process);
        });
    }
}

impl Score {
    fn is_settled(&self) -> bool {
        if !self.leaving.is_empty() {
            return false;
        }
        let at_gate = |process: usize| self.gates.values().any(|gate| gate.process == process);
        let lines = self.lines.values().all(|line| match &line.asking {
            Some(_) => line.is_blocked,
            None => !line.in_transaction || at_gate(line.process),
        });
        let busy = self.busy.iter().all(|&process| {
            at_gate(process) || self.lines.values().any(|line| line.process == process && line.is_blocked)
        });
        lines && busy
    }
}
