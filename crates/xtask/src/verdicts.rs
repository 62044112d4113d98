//! How several checks went, told in a table at the end.
//!
//! A developer does without a check whose tool isn't there. Where nobody would read the table, `CLOUDJET_COMPLETE` makes
//! it a failure; whatever else the environment says doesn't.

use std::env;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::report::{self, Style, paint};

/// Who sets this wants every check.
const COMPLETE: &str = "CLOUDJET_COMPLETE";

/// How one check went.
enum Verdict {
    /// With what there is to tell of it besides.
    Passed(String),
    Failed,
    Skipped(String),
    Left(String),
}

/// The checks so far.
#[derive(Default)]
pub(crate) struct Verdicts {
    checks: Vec<(String, Verdict, Duration)>,
    /// Whether a skipped check is a failure.
    is_complete: bool,
}

impl Verdicts {
    /// None so far.
    pub(crate) fn new() -> Self {
        Self { is_complete: env::var_os(COMPLETE).is_some_and(|value| !value.is_empty()), ..Self::default() }
    }

    /// Runs a check, whatever the others say. One that passes may have something to tell.
    pub(crate) async fn add<R: Remark>(&mut self, name: &str, check: impl Future<Output = Result<R>>) {
        report::note(format_args!("\n{}", paint(Style::Bold, name)));
        let started = Instant::now();
        let verdict = match check.await {
            Ok(remark) => Verdict::Passed(remark.text()),
            Err(error) => {
                report::error(&error);
                Verdict::Failed
            }
        };
        self.checks.push((name.to_owned(), verdict, started.elapsed()));
    }

    /// Leaves a check out, and says why.
    pub(crate) fn skip(&mut self, name: &str, why: impl Into<String>) {
        self.checks.push((name.to_owned(), Verdict::Skipped(why.into()), Duration::ZERO));
    }

    /// Leaves a check to another command, which is never a failure, and says to which.
    pub(crate) fn leave(&mut self, name: &str, to: impl Into<String>) {
        self.checks.push((name.to_owned(), Verdict::Left(to.into()), Duration::ZERO));
    }

    /// Whether none failed.
    pub(crate) fn passed(&self) -> bool {
        !self.checks.iter().any(|(_, verdict, _)| match verdict {
            Verdict::Failed => true,
            Verdict::Skipped(_) => self.is_complete,
            Verdict::Passed(_) | Verdict::Left(_) => false,
        })
    }

    /// A line for each.
    pub(crate) fn table(&self) -> String {
        let rows: Vec<_> = self
            .checks
            .iter()
            .map(|(name, verdict, elapsed)| {
                let (mark, remark) = match verdict {
                    Verdict::Passed(remark) => ("✔", format!("{}  {remark}", report::seconds(*elapsed))),
                    Verdict::Failed => ("✘", "failed, see above".to_owned()),
                    Verdict::Skipped(why) if self.is_complete => ("✘", format!("skipped, with {COMPLETE} set: {why}")),
                    Verdict::Skipped(why) => ("–", format!("skipped: {why}")),
                    Verdict::Left(to) => ("–", format!("left to {to}")),
                };
                [mark.to_owned(), name.clone(), remark]
            })
            .collect();
        format!("\n{}", report::table(&rows).trim_end())
    }
}

/// What a check that passed has to tell.
pub(crate) trait Remark {
    /// In a few words.
    fn text(self) -> String;
}

impl Remark for () {
    fn text(self) -> String {
        String::new()
    }
}

impl Remark for String {
    fn text(self) -> String {
        self
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[tokio::test]
    async fn one_failure_is_enough_and_a_skipped_check_is_none() {
        let mut verdicts = Verdicts::default();
        verdicts.add("good", async { Ok("12 things".to_owned()) }).await;
        verdicts.skip("absent", "no tool");
        assert!(verdicts.passed());
        verdicts.add::<()>("bad", async { bail!("no") }).await;
        assert!(!verdicts.passed());
        let table = verdicts.table();
        assert!(table.contains("12 things") && table.contains("skipped: no tool"), "{table}");
        assert!(table.contains("✘  bad     failed"), "{table}");
    }

    #[test]
    fn where_all_are_wanted_a_skipped_check_is_a_failure_and_one_left_to_another_is_none() {
        let mut verdicts = Verdicts { is_complete: true, ..Verdicts::default() };
        verdicts.leave("elsewhere", "another command");
        assert!(verdicts.passed());
        verdicts.skip("absent", "no tool");
        assert!(!verdicts.passed());
        let table = verdicts.table();
        assert!(table.contains("–  elsewhere  left to another command"), "{table}");
        assert!(table.contains("✘  absent     skipped, with CLOUDJET_COMPLETE set: no tool"), "{table}");
    }
}
