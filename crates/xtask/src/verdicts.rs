//! How several checks went, told in a table at the end.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::report::{self, Style, paint};

/// How one check went.
enum Verdict {
    /// With what there is to tell of it besides.
    Passed(String),
    Failed,
    Skipped(String),
}

/// The checks so far.
#[derive(Default)]
pub(crate) struct Verdicts(Vec<(String, Verdict, Duration)>);

impl Verdicts {
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
        self.0.push((name.to_owned(), verdict, started.elapsed()));
    }

    /// Leaves a check out, and says why.
    pub(crate) fn skip(&mut self, name: &str, why: impl Into<String>) {
        self.0.push((name.to_owned(), Verdict::Skipped(why.into()), Duration::ZERO));
    }

    /// Whether none failed.
    pub(crate) fn passed(&self) -> bool {
        !self.0.iter().any(|(_, verdict, _)| matches!(verdict, Verdict::Failed))
    }

    /// A line for each.
    pub(crate) fn table(&self) -> String {
        let rows: Vec<_> = self
            .0
            .iter()
            .map(|(name, verdict, elapsed)| {
                let (mark, remark) = match verdict {
                    Verdict::Passed(remark) => ("✔", format!("{}  {remark}", report::seconds(*elapsed))),
                    Verdict::Failed => ("✘", "failed, see above".to_owned()),
                    Verdict::Skipped(why) => ("–", format!("skipped: {why}")),
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
}
