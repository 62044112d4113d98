//! `cargo xtask check`: everything about the code that a machine can judge without running it.
//!
//! All checks run, whatever the others say, and a table at the end tells how they went.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::commands::chart::{self, Golden};
use crate::commands::{generate, load, monitoring, pipelines};
use crate::process::run_on_terminal;
use crate::report;
use crate::stack::Stack;
use crate::verdicts::Verdicts;
use crate::workspace::Workspace;

mod documents;

/// Check all that can be judged without a run: code, what is generated of it, documents, deployment, pipelines.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Never install a missing database, which the generated files need.
    #[arg(long)]
    pub(crate) no_install: bool,
}

/// Runs all checks; tells whether none failed.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<bool> {
    let mut verdicts = Verdicts::new();
    verdicts.add("formatting", cargo(workspace, "cargo fmt", &["fmt", "--all", "--check"])).await;
    verdicts.add("generated files", generated_files(!arguments.no_install, workspace, stack)).await;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    verdicts.add("clippy", cargo(workspace, "cargo clippy", &clippy)).await;
    if has_deny(workspace).await {
        verdicts.add("dependencies", cargo(workspace, "cargo deny", &["deny", "--all-features", "check"])).await;
    } else {
        verdicts.skip("dependencies", "cargo-deny is not installed");
    }
    verdicts.add("documents", documents::check(workspace)).await;
    chart::check(&mut verdicts, workspace, Golden::Compare).await;
    pipelines::check(&mut verdicts, workspace).await;
    monitoring::check(&mut verdicts, workspace).await;
    load::check(&mut verdicts, workspace).await;
    report::say(verdicts.table());
    Ok(verdicts.passed())
}

async fn cargo(workspace: &Workspace, name: &str, arguments: &[&str]) -> Result<()> {
    run_on_terminal(name, workspace.cargo(arguments)).await
}

async fn generated_files(may_install: bool, workspace: &Workspace, stack: &mut Stack) -> Result<()> {
    let stale = generate::stale(may_install, workspace, stack).await?;
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
