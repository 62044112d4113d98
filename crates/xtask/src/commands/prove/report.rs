//! What was seen, for people: on the terminal, and as a page.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::Arguments;
use super::battles::Battle;
use super::crowd::Seen;
use super::judge::Judgement;
use super::search::Searches;
use crate::machine;
use crate::process::said;
use crate::workspace::Workspace;

/// How much is told of each line that the simulation says; the rest is in its log.
const WIDTH: usize = 150;

/// What came of a battle.
pub(super) struct Outcome {
    pub(super) seen: Seen,
    pub(super) searches: Searches,
    pub(super) judgement: Judgement,
    pub(super) log: Vec<String>,
    /// What the database servers count of themselves.
    pub(super) costs: Vec<String>,
}

/// What came of the simulation.
pub(super) struct Simulated {
    pub(super) lines: Vec<String>,
    pub(super) judgement: Judgement,
}

/// What came of all.
pub(super) struct Report {
    head: String,
    clients: u16,
    battles: Vec<(Battle, Result<Outcome>)>,
    simulation: Option<Result<Simulated>>,
}

impl Report {
    /// Nothing yet. `server` is what the database server is.
    pub(super) async fn new(server: &str, workspace: &Workspace, arguments: &Arguments) -> Self {
        let mut date = Command::new("date");
        date.arg("+%F %H:%M %Z");
        let fire = match arguments.battles() {
            [] => String::new(),
            _ => format!("; seed {}, {} s of fire", arguments.seed, arguments.seconds),
        };
        let head = format!(
            "{}; {} cores, load {:.2} when it began; {server}; {} programs of {}{fire}.",
            said(date).await.unwrap_or_default(),
            machine::cores(),
            machine::load(),
            arguments.profile().name(),
            machine::commit(workspace).await,
        );
        Self { head, clients: arguments.clients, battles: Vec::new(), simulation: None }
    }

    pub(super) fn add(&mut self, battle: Battle, outcome: Result<Outcome>) {
        self.battles.push((battle, outcome));
    }

    pub(super) fn add_simulation(&mut self, simulated: Result<Simulated>) {
        self.simulation = Some(simulated);
    }

    /// Whether all was as it should be.
    pub(super) fn is_good(&self) -> bool {
        let is_good = |outcome: &Result<Outcome>| outcome.as_ref().is_ok_and(|outcome| outcome.judgement.is_good());
        let is_sound = |simulated: &Result<Simulated>| simulated.as_ref().is_ok_and(|it| it.judgement.is_good());
        self.battles.iter().all(|(_, outcome)| is_good(outcome)) && self.simulation.iter().all(is_sound)
    }

    /// Writes it as a page, beside the logs.
    pub(super) fn write(&self, logs: &Path) -> Result<()> {
        let file = logs.join("report.md");
        fs::write(&file, self.markdown()).with_context(|| format!("{} can't be written", file.display()))
    }

    /// A head, and a row for each battle; nothing where none was fought.
    fn rows(&self) -> Vec<[String; 12]> {
        if self.battles.is_empty() {
            return Vec::new();
        }
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
        let mut text = format!("\n{}\n\n{}", self.head, crate::report::table(&self.rows()));
        if let Some(simulated) = &self.simulation {
            let _ = write!(text, "\nThe simulation:\n{}", told(simulated));
        }
        text
    }

    /// As a page.
    fn markdown(&self) -> String {
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
        if let Some(simulated) = &self.simulation {
            let _ = write!(
                page,
                "\n## simulation\n\nThe whole flow by seeds, every statement in its turn.\n\n{}",
                told(simulated)
            );
        }
        page
    }
}

fn told(simulated: &Result<Simulated>) -> String {
    match simulated {
        Ok(simulated) => simulated.summary(),
        Err(error) => format!("- ✘ not run to its end: {error:#}\n"),
    }
}

impl Simulated {
    /// What the program said, and the verdicts.
    fn summary(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let told: String = line.chars().take(WIDTH).collect();
            let _ = writeln!(text, "- {told}");
        }
        let _ = write!(text, "\n{}", self.judgement.told());
        text
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
        let _ = write!(text, "\n{}", judgement.told());
        text
    }
}

impl Judgement {
    /// A line for each verdict.
    fn told(&self) -> String {
        let mut text = String::new();
        for verdict in &self.verdicts {
            let _ = match &verdict.fault {
                None => writeln!(text, "- ✔ {}", verdict.question),
                Some(fault) => writeln!(text, "- ✘ {}: {fault}", verdict.question),
            };
        }
        text
    }
}
