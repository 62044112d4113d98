//! `cargo xtask reconcile`: the books of the running system, held against each other and the payment simulator's.
//!
//! It is `payment-service reconcile` that does it, on the terminal here; other commands read its report as [`Books`].

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::place::{Place, Taken};
use crate::process::exit_code;
use crate::settings::Settings;
use crate::system::{Environment, Launcher};
use crate::workspace::Workspace;

/// The service whose command it is.
const SERVICE: &str = "payment-service";

/// How long it may take where nobody waits at a terminal.
const PATIENCE: Duration = Duration::from_mins(2);

/// The file in a place that tells how its running system was started. It has secrets in it.
const SYSTEM_FILE: &str = "system.json";

/// Hold bookings, seats, payments and refunds of the running `cargo xtask up` against each other, heal, and report.
///
/// What follows is for `payment-service reconcile`: try --help.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// How the running system was started.
#[derive(Deserialize, Serialize)]
struct Running {
    program: PathBuf,
    /// What it was told beyond the developer's own settings.
    environment: BTreeMap<String, String>,
}

/// Writes down how the system that is being started can be reconciled.
pub(crate) fn remember(program: PathBuf, environment: &Environment, settings: &Settings, place: &Place) -> Result<()> {
    let own = settings.all();
    let told = environment.iter().filter(|(name, value)| own.get(*name) != Some(value));
    let running = Running { program, environment: told.map(|(name, value)| (name.clone(), value.clone())).collect() };
    place.write_private(SYSTEM_FILE, &serde_json::to_string(&running)?).map(drop)
}

/// The program whose command it is.
pub(crate) fn program(workspace: &Workspace, profile: crate::workspace::Profile) -> PathBuf {
    workspace.binary(SERVICE, profile)
}

/// Runs the command, and answers with its code.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, settings: &Settings) -> Result<u8> {
    match Place::take(&workspace.home(), "reconcile") {
        Err(error) if error.is::<Taken>() => {}
        Err(error) => return Err(error),
        Ok(place) => {
            place.forget(SYSTEM_FILE)?;
            bail!("nothing is running here: start `cargo xtask up` first");
        }
    }
    let file = workspace.home().join(SYSTEM_FILE);
    let text = fs::read_to_string(file).context("the system isn't up: wait for `cargo xtask up`")?;
    let running: Running = serde_json::from_str(&text)?;
    let mut command = Command::new(running.program);
    command.arg("reconcile").args(&arguments.arguments).current_dir(workspace.root());
    command.envs(settings.all()).envs(running.environment).kill_on_drop(true);
    let status = command.status().await.context("payment-service can't be run")?;
    Ok(exit_code(status))
}

/// What it reports.
#[derive(Deserialize)]
pub(crate) struct Books {
    /// Whether everything agrees by now.
    pub(crate) settled: bool,
    findings: Vec<Value>,
    receipts: Receipts,
}

#[derive(Deserialize)]
struct Receipts {
    compared: u64,
}

impl Books {
    /// Has the books of the system that `launcher` started compared, healed and reported.
    pub(crate) async fn of(launcher: &Launcher<'_>) -> Result<Self> {
        let mut command = launcher.program(SERVICE);
        command.args(["reconcile", "--json"]).stdin(Stdio::null()).kill_on_drop(true);
        let answer = timeout(PATIENCE, command.output()).await.context("the reconciliation doesn't end")??;
        // 1 means that a person has to look.
        let has_finished = answer.status.code().is_some_and(|code| code <= 1);
        ensure!(has_finished, "reconcile ended with {}: {}", answer.status, String::from_utf8_lossy(&answer.stderr));
        serde_json::from_slice(&answer.stdout).context("reconcile reports no JSON")
    }

    /// In a few words.
    pub(crate) fn told(&self) -> String {
        let mut findings: BTreeMap<_, usize> = BTreeMap::new();
        for finding in &self.findings {
            *findings.entry((finding["state"].as_str(), finding["check"].as_str())).or_default() += 1;
        }
        let findings = findings.into_iter().map(|((state, check), count)| {
            format!("{count} {} {}", check.unwrap_or_default(), state.unwrap_or_default())
        });
        let verdict = if self.settled { "settled" } else { "not settled" };
        let receipts = format!("{} receipts compared", self.receipts.compared);
        [verdict.to_owned(), receipts].into_iter().chain(findings).collect::<Vec<_>>().join(", ")
    }

    /// Every finding, if a person has to look.
    pub(crate) fn fault(&self) -> Option<String> {
        (!self.settled).then(|| self.findings.iter().map(Value::to_string).collect::<Vec<_>>().join("; "))
    }
}
