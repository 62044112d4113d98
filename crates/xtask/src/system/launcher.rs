//! Programs of ours, started one at a time: from one build, with one set of settings, and their log files side by side.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::{Environment, PATIENCE, SIMULATOR};
use crate::place::Place;
use crate::process::{Output, Process};
use crate::services::SIMULATOR_PORT_SETTING;
use crate::workspace::{Profile, Workspace};
use crate::{build, children, probe};

/// Who starts them.
pub(crate) struct Launcher<'a> {
    workspace: &'a Workspace,
    profile: Profile,
    /// What programs are told: a change reaches each at its next start.
    pub(crate) environment: Environment,
    logs: PathBuf,
    children: PathBuf,
}

impl<'a> Launcher<'a> {
    /// One that writes log files into the directory `logs`, which it makes. What it starts is ended with `place`, should
    /// this run be killed.
    pub(crate) fn new(
        workspace: &'a Workspace,
        profile: Profile,
        environment: Environment,
        logs: PathBuf,
        place: &Place,
    ) -> Result<Self> {
        fs::create_dir_all(&logs).with_context(|| format!("{} can't be made", logs.display()))?;
        Ok(Self { workspace, profile, environment, logs, children: place.children() })
    }

    /// The program `name`.
    pub(crate) fn program(&self, name: &str) -> Command {
        self.workspace.program(name, self.profile, &self.environment)
    }

    /// Starts `command`, and calls it and its log file `name`.
    pub(super) fn start(&self, name: &str, command: Command) -> Result<Process> {
        let log = self.logs.join(format!("{name}.log"));
        // What it said in an earlier life is kept.
        let _ = fs::rename(&log, log.with_extension("before.log"));
        let process = Process::start(name, command, Output::File(&log))?;
        children::remember(&self.children, &process)?;
        Ok(process)
    }

    /// Starts the payment simulator where the others look for it, and waits until it is ready.
    pub(crate) async fn start_simulator(&self) -> Result<Process> {
        let port = self.environment.get(SIMULATOR_PORT_SETTING).context("the simulator has no port")?.parse()?;
        let mut simulator = self.start(SIMULATOR, self.program(build::SIMULATOR))?;
        probe::until_ready(&mut simulator, PATIENCE, || probe::http(port, "/health")).await?;
        Ok(simulator)
    }
}
