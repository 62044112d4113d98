//! What was seen, for people: on the terminal, and as a page.

use std::fmt::Write as _;
use std::fs;

use anyhow::Result;
use tokio::process::Command;

use super::Arguments;
use super::battles::Battle;
use super::crowd::Seen;
use super::judge::Judgement;
use super::room::Camp;
use super::search::Searches;
use crate::workspace::Profile;

/// What came of a battle.
pub(super) struct Outcome {
    pub(super) seen: Seen,
    pub(super) searches: Searches,
    pub(super) judgement: Judgement,
    pub(super) log: Vec<String>,
    /// What the database servers count of themselves.
    pub(super) costs: Vec<String>,
}

/// What came of all.
pub(super) struct Report {
    head: String,
    clients: u16,
    battles: Vec<(Battle, Result<Outcome>)>,
}

impl Report {
    /// Nothing yet.
    pub(super) async fn new(camp: &Camp<'_>, arguments: &Arguments) -> Self {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or("unknown").to_owned();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let build = if camp.profile == Profile::Release { "release" } else { "debug" };
        let head = format!(
            "{}; {cores} cores, load {load} when it began; {}; {build} programs of {}; seed {}, {} s of fire.",
            said("date", &["+%F %H:%M %Z"]).await,
            camp.server(),
            said("git", &["describe", "--always", "--dirty=, changed", "--exclude=*"]).await,
            arguments.seed,
            arguments.seconds,
        );
        Self { head, clients: arguments.clients, battles: Vec::new() }
    }

    pub(super) fn add(&mut self, battle: Battle, outcome: Result<Outcome>) {
        self.battles.push((battle, outcome));
    }

    /// Whether all was as it should be.
    pub(super) fn is_good(&self) -> bool {
        self.battles.iter().all(|(_, outcome)| outcome.as_ref().is_ok_and(|outcome| outcome.judgement.is_good()))
    }

    fn rows(&self) -> Vec<[String; 12]> {
        let head = [
            "battle",
            "clients",
            "requests",
            "acknowledged",
            "again",
            "replayed",
            "refused",
            "sold",
            "cancelled",
            "refunds",
            "longest without a write",
            "verdict",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        for (battle, outcome) in &self.battles {
            let Ok(Outcome { seen, judgement, .. }) = outcome else {
                let mut row = [const { String::new() }; 12];
                (row[0], row[11]) = (battle.name(), "✘ not fought to its end".to_owned());
                rows.push(row);
                continue;
            };
            let counts = seen.tally.counts();
            rows.push([
                battle.name(),
                self.clients.to_string(),
                counts.requests.to_string(),
                counts.acknowledged.to_string(),
                counts.again.to_string(),
                counts.replayed.to_string(),
                counts.refused.values().sum::<u64>().to_string(),
                judgement.sold.to_string(),
                judgement.cancelled.to_string(),
                judgement.refunds.to_string(),
                format!("{:.1} s", seen.silence.as_secs_f64()),
                if judgement.is_good() { "✔" } else { "✘" }.to_owned(),
            ]);
        }
        rows
    }

    /// For the terminal.
    pub(super) fn text(&self) -> String {
        format!("\n{}\n\n{}", self.head, crate::report::table(&self.rows()))
    }

    /// As a page.
    pub(super) fn markdown(&self) -> String {
        let mut page = format!("# Under fire\n\n{}\n", self.head);
        for (n, row) in self.rows().iter().enumerate() {
            let _ = write!(page, "\n| {} |", row.join(" | "));
            if n == 0 {
                let _ = write!(page, "\n|{}", "---|".repeat(row.len()));
            }
        }
        page.push('\n');
        for (battle, outcome) in &self.battles {
            let _ = write!(page, "\n## {}\n\n{}.\n\n", battle.name(), battle.description().trim_end_matches('.'));
            match outcome {
                Ok(outcome) => page.push_str(&outcome.summary()),
                Err(error) => {
                    let _ = writeln!(page, "Not fought to its end: {error:#}");
                }
            }
        }
        page
    }
}

impl Outcome {
    /// What was done, what clients met, and what the judge says.
    pub(super) fn summary(&self) -> String {
        let Self { seen, searches, judgement, log, costs } = self;
        let counts = seen.tally.counts();
        let mut text = String::new();
        for line in log {
            let _ = writeln!(text, "- {line}");
        }
        let listed = |counts: &std::collections::BTreeMap<String, u64>| {
            counts.iter().map(|(what, times)| format!("{what} × {times}")).collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(
            text,
            "- acknowledged bookings took {} ms in the middle, {} ms in 99 of 100; all was over after {} s",
            counts.percentile(50).as_millis(),
            counts.percentile(99).as_millis(),
            seen.took.as_secs()
        );
        let _ = writeln!(text, "- refused: {}", listed(&counts.refused));
        let _ = writeln!(text, "- no definite answer, so asked again: {}", listed(&counts.troubles));
        let _ = writeln!(
            text,
            "- searches: {} answered, {} told to come back, {} failed; {:.1} s the longest without an answer; when all was sold, one said that {} seats are free",
            searches.answered,
            searches.refused,
            searches.failed,
            searches.silence.as_secs_f64(),
            searches.free_at_last.map_or_else(|| "nobody knows how many".to_owned(), |free| free.to_string())
        );
        let _ = writeln!(text, "- the seats were counted {} times meanwhile", seen.counted);
        for cost in costs {
            let _ = writeln!(text, "- {cost}");
        }
        text.push('\n');
        for verdict in &judgement.verdicts {
            let _ = match &verdict.fault {
                None => writeln!(text, "- ✔ {}", verdict.question),
                Some(fault) => writeln!(text, "- ✘ {}: {fault}", verdict.question),
            };
        }
        text
    }
}

/// What a program says, on one line.
async fn said(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output().await {
        Ok(said) if said.status.success() => String::from_utf8_lossy(&said.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
