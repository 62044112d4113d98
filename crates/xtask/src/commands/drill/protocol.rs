//! What was done and seen, line by line, for a table at the end.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::report::{self, Style, paint};

/// The lines so far.
#[derive(Default)]
pub(super) struct Protocol(Vec<Line>);

enum Line {
    /// A rehearsal begins.
    Rehearsal(String),
    /// Something was done, and took so long.
    Done { what: String, took: Duration, saw: String },
    /// Something is true, or isn't.
    Fact { what: String, holds: bool, saw: String },
}

impl Protocol {
    /// Begins a rehearsal.
    pub(super) fn begin(&mut self, rehearsal: &str) {
        report::note(format_args!("\n{}", paint(Style::Bold, rehearsal)));
        self.0.push(Line::Rehearsal(rehearsal.to_owned()));
    }

    /// Does a step: what it is worth to the next ones, after what was seen of it.
    ///
    /// # Errors
    /// Those of `work`. Nothing can be rehearsed after a step that failed.
    pub(super) async fn step<T>(&mut self, what: &str, work: impl Future<Output = Result<(T, String)>>) -> Result<T> {
        let started = Instant::now();
        let done = report::step(what, work).await;
        let took = started.elapsed();
        match done {
            Ok((worth, saw)) => {
                self.0.push(Line::Done { what: what.to_owned(), took, saw });
                Ok(worth)
            }
            Err(error) => {
                self.0.push(Line::Fact { what: what.to_owned(), holds: false, saw: format!("{error:#}") });
                Err(error)
            }
        }
    }

    /// Notes whether something is true.
    pub(super) fn fact(&mut self, what: &str, holds: bool, saw: impl Into<String>) {
        let mark = if holds { paint(Style::Green, "✔") } else { paint(Style::Red, "✘") };
        report::note(format_args!("{mark} {what}"));
        self.0.push(Line::Fact { what: what.to_owned(), holds, saw: saw.into() });
    }

    /// Whether every fact holds.
    pub(super) fn holds(&self) -> bool {
        !self.0.iter().any(|line| matches!(line, Line::Fact { holds: false, .. }))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|line| line.what().chars().count()).max().unwrap_or(0);
        for line in &self.0 {
            let what = line.what();
            match line {
                Line::Rehearsal(_) => writeln!(to, "\n{}", paint(Style::Bold, what))?,
                Line::Done { took, saw, .. } => {
                    writeln!(to, "  · {what:width$}  {:>8}  {saw}", format!("{:.1} s", took.as_secs_f64()))?;
                }
                Line::Fact { holds, saw, .. } => {
                    writeln!(to, "  {} {what:width$}  {:>8}  {saw}", if *holds { "✔" } else { "✘" }, "")?;
                }
            }
        }
        Ok(())
    }
}

impl Line {
    fn what(&self) -> &str {
        match self {
            Self::Rehearsal(what) | Self::Done { what, .. } | Self::Fact { what, .. } => what,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[tokio::test]
    async fn one_fact_that_does_not_hold_is_enough() {
        let mut protocol = Protocol::default();
        protocol.begin("fire");
        assert_eq!(protocol.step("ring", async { Ok((3, "loud".to_owned())) }).await.unwrap(), 3);
        protocol.fact("everybody is out", true, "12 people");
        assert!(protocol.holds());
        protocol.fact("the cat is out", false, "no cat");
        assert!(!protocol.holds());
        let table = protocol.to_string();
        assert!(table.contains("✔ everybody is out") && table.contains("✘ the cat is out "), "{table}");
    }

    #[tokio::test]
    async fn a_step_that_fails_is_noted_and_ends_it() {
        let mut protocol = Protocol::default();
        assert!(protocol.step::<()>("ring", async { bail!("no bell") }).await.is_err());
        assert!(!protocol.holds() && protocol.to_string().contains("no bell"));
    }
}
