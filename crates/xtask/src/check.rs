//! `cargo xtask check`: everything about the code that a machine can judge without running it.
//!
//! All checks run, whatever the others say, and a table at the end tells how they went.

use std::future::Future;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::generate;
use crate::process::run_on_terminal;
use crate::report::{self, Style, paint};
use crate::stack::Stack;
use crate::workspace::Workspace;

/// How a check went.
enum Verdict {
    Passed,
    Failed,
    Skipped(&'static str),
}

/// The checks so far.
#[derive(Default)]
struct Results(Vec<(&'static str, Verdict, Duration)>);

/// Runs all checks; tells whether none failed.
pub(crate) async fn run(workspace: &Workspace, stack: &mut Stack) -> Result<bool> {
    let mut results = Results::default();
    results.add("formatting", cargo(workspace, "cargo fmt", &["fmt", "--all", "--check"])).await;
    results.add("generated files", generated_files(workspace, stack)).await;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    results.add("clippy", cargo(workspace, "cargo clippy", &clippy)).await;
    if has_deny(workspace).await {
        results.add("dependencies", cargo(workspace, "cargo deny", &["deny", "--all-features", "check"])).await;
    } else {
        results.0.push(("dependencies", Verdict::Skipped("cargo-deny is not installed"), Duration::ZERO));
    }
    report::say(results.table());
    Ok(results.passed())
}

async fn cargo(workspace: &Workspace, name: &str, arguments: &[&str]) -> Result<()> {
    run_on_terminal(name, workspace.cargo(arguments)).await
}

async fn generated_files(workspace: &Workspace, stack: &mut Stack) -> Result<()> {
    let stale = generate::stale(workspace, stack).await?;
    if !stale.is_empty() {
        bail!("{}", stale.join("\n"));
    }
    Ok(())
}

async fn has_deny(workspace: &Workspace) -> bool {
    let mut command = workspace.cargo(&["deny", "--version"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

impl Results {
    async fn add(&mut self, name: &'static str, check: impl Future<Output = Result<()>>) {
        report::note(format_args!("\n{}", paint(Style::Bold, name)));
        let started = Instant::now();
        let verdict = match check.await {
            Ok(()) => Verdict::Passed,
            Err(error) => {
                report::error(&error);
                Verdict::Failed
            }
        };
        self.0.push((name, verdict, started.elapsed()));
    }

    fn passed(&self) -> bool {
        !self.0.iter().any(|(_, verdict, _)| matches!(verdict, Verdict::Failed))
    }

    fn table(&self) -> String {
        let rows: Vec<_> = self
            .0
            .iter()
            .map(|(name, verdict, elapsed)| {
                let (mark, remark) = match verdict {
                    Verdict::Passed => ("✔", report::seconds(*elapsed)),
                    Verdict::Failed => ("✘", "failed, see above".to_owned()),
                    Verdict::Skipped(why) => ("–", format!("skipped: {why}")),
                };
                [mark.to_owned(), (*name).to_owned(), remark]
            })
            .collect();
        format!("\n{}", report::table(&rows).trim_end())
    }
}
