//! Running one tool against the system, and what is shown of what it says.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::process::{Output, Process};
use crate::report;
use crate::stack::Stack;

/// How long one run may take. They take seconds, on a busy machine minutes; a hanging one must not hang a pipeline.
const PATIENCE: Duration = Duration::from_mins(15);

/// Runs `command`, writing what it says to `log`, and answers that. If it fails, the part from the first line that
/// `begins_failures` is shown.
pub(super) async fn run(
    name: &str,
    command: Command,
    log: &Path,
    begins_failures: fn(&str) -> bool,
    stack: &mut Stack,
) -> Result<String> {
    let mut process = Process::start(name, command, Output::File(log))?;
    let finished = async {
        let ended = tokio::time::timeout(PATIENCE, process.ended()).await;
        ended.with_context(|| format!("{name} has not ended after {} minutes", PATIENCE.as_secs() / 60))?
    };
    let status = report::step(name, stack.while_it_lives(finished)).await?;
    let said = fs::read(log).with_context(|| format!("{} can't be read", log.display()))?;
    let said = String::from_utf8_lossy(&said).into_owned();
    if !status.success() {
        let lines: Vec<&str> = said.lines().collect();
        let first = lines.iter().position(|line| begins_failures(line)).unwrap_or_default();
        report::note(lines[first..].join("\n"));
        bail!("{name} ended with {status}; all it said is in {}", log.display());
    }
    Ok(said)
}
