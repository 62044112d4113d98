//! What was measured, beside what is wanted.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::load::Load;
use crate::machine::Machine;
use crate::report::{self, Style, paint};
use crate::visit::{Restarts, Seen, Traffic};

const MEBIBYTE: f64 = (1 << 20) as f64;

/// From a start to readiness, in milliseconds.
const START: f64 = 50.0;

/// Resident memory of a service that nobody asks anything, in MiB.
const IDLE: f64 = 12.0;

/// Resident memory of a service at 64 busy connections, in MiB, and what each password's hash takes besides.
const BUSY: f64 = 32.0;
const HASH: f64 = 19.0;

/// A figure and how much it may be.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Figure {
    value: f64,
    goal: f64,
}

impl Figure {
    pub(super) fn start(median: Duration) -> Self {
        Self { value: milliseconds(median), goal: START }
    }

    pub(super) fn idle(bytes: u64) -> Self {
        Self { value: mebibytes(bytes), goal: IDLE }
    }

    /// `hashes` are those that may run at once.
    fn busy(bytes: u64, hashes: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "there is one for each core")]
        let hashes = hashes as f64;
        Self { value: mebibytes(bytes), goal: BUSY + HASH * hashes }
    }

    fn is_met(self) -> bool {
        self.value <= self.goal
    }
}

/// The figure to the goal's precision, and whether it is met.
impl fmt::Display for Figure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_met() { "✔" } else { "✘" };
        write!(to, "{:.1} {mark}", self.value)
    }
}

/// A service before anybody asks it anything.
#[derive(Serialize)]
pub(super) struct Quiet {
    pub(super) service: &'static str,
    pub(super) start_ms: Figure,
    pub(super) idle_mib: Figure,
}

/// A service under load.
#[derive(Serialize)]
pub(super) struct Busy {
    service: &'static str,
    traffic: &'static str,
    peak_mib: Figure,
    after_mib: f64,
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    failed: usize,
    failure: Option<String>,
}

impl Busy {
    /// What `load` of this `traffic` did to its service, which had `after` bytes when it was over.
    pub(super) fn new(traffic: &Traffic, load: Load, after: u64) -> Self {
        let hashes = if traffic.hashes { std::thread::available_parallelism().map_or(1, usize::from) } else { 0 };
        Self {
            service: traffic.service,
            traffic: traffic.name,
            peak_mib: Figure::busy(load.peak, hashes),
            after_mib: mebibytes(after),
            requests_per_second: load.rate(),
            p50_ms: milliseconds(load.percentile(50)),
            p99_ms: milliseconds(load.percentile(99)),
            failed: load.failed,
            failure: load.failure,
        }
    }
}

/// Everything.
#[derive(Serialize)]
pub(super) struct Figures {
    pub(super) machine: Machine,
    pub(super) connections: usize,
    pub(super) seconds: u64,
    pub(super) quiet: Vec<Quiet>,
    pub(super) busy: Vec<Busy>,
    pub(super) rolled: Vec<Restarts>,
}

impl Figures {
    /// Whether every goal is met.
    fn are_met(&self) -> bool {
        self.quiet.iter().all(|row| row.start_ms.is_met() && row.idle_mib.is_met())
            && self.busy.iter().all(|row| row.peak_mib.is_met())
            && self.rolled.iter().all(|row| row.seen.lost == 0)
    }

    fn reasons(&self) -> impl Iterator<Item = String> {
        let busy = self.busy.iter().map(|row| (row.service, &row.failure));
        let rolled = self.rolled.iter().map(|row| (row.service, &row.seen.reason));
        busy.chain(rolled).filter_map(|(service, reason)| Some(format!("{service}: {}", reason.as_ref()?)))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cores, processor, memory_gib, kernel, load_before, database, cache, commit, build } =
            &self.machine;
        writeln!(to, "{build} build of {commit}, on {cores} cores of {processor}, {memory_gib} GiB, Linux {kernel},")?;
        writeln!(to, "with {database} and {cache} on the same machine; its load before: {load_before:.2}")?;

        heading(to, &format!("Started and left alone (goals: ready within {START} ms, at most {IDLE} MiB)"))?;
        let mut rows = vec![["", "start to ready, ms", "memory, MiB"].map(str::to_owned)];
        rows.extend(
            self.quiet.iter().map(|row| [row.service.to_owned(), row.start_ms.to_string(), row.idle_mib.to_string()]),
        );
        to.write_str(&report::table(&rows))?;

        let Self { connections, seconds, .. } = self;
        let goal = format!("at most {BUSY} MiB, and {HASH} for each hash that may run");
        heading(to, &format!("{connections} busy connections for {seconds} s (goal: {goal})"))?;
        let mut rows = vec![
            ["", "asked for", "memory, MiB", "afterwards", "requests/s", "p50, ms", "p99, ms", "failed"]
                .map(str::to_owned),
        ];
        rows.extend(self.busy.iter().map(Busy::cells));
        to.write_str(&report::table(&rows))?;

        heading(
            to,
            &format!("Two instances restarted by turns, under {connections} busy connections (goal: none lost)"),
        )?;
        let mut rows = vec![["", "restarts", "answered", "of them sent again", "lost"].map(str::to_owned)];
        rows.extend(self.rolled.iter().map(restarted));
        to.write_str(&report::table(&rows))?;

        for reason in self.reasons() {
            writeln!(to, "  {reason}")?;
        }
        let verdict = if self.are_met() { "Every goal is met." } else { "Not every goal is met." };
        write!(to, "\n{}", paint(Style::Bold, verdict))
    }
}

impl Busy {
    fn cells(&self) -> [String; 8] {
        [
            self.service.to_owned(),
            self.traffic.to_owned(),
            self.peak_mib.to_string(),
            format!("{:.1}", self.after_mib),
            format!("{:.0}", self.requests_per_second),
            format!("{:.1}", self.p50_ms),
            format!("{:.1}", self.p99_ms),
            self.failed.to_string(),
        ]
    }
}

fn restarted(row: &Restarts) -> [String; 5] {
    let Restarts { service, times, seen: Seen { answered, sent_again, lost, .. } } = row;
    let mark = if *lost == 0 { "✔" } else { "✘" };
    let [times, answered, sent_again] = [times, answered, sent_again].map(ToString::to_string);
    [(*service).to_owned(), times, answered, sent_again, format!("{lost} {mark}")]
}

fn heading(to: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    writeln!(to, "\n{}\n", paint(Style::Bold, text))
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read, with one decimal")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / MEBIBYTE
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_up_to_its_last_byte() {
        assert!(Figure::idle(12 << 20).is_met());
        assert!(!Figure::idle((12 << 20) + 4096).is_met());
        assert!(Figure::busy(70 << 20, 2).is_met());
        assert_eq!(Figure::start(Duration::from_micros(50_100)).to_string(), "50.1 ✘");
    }
}
