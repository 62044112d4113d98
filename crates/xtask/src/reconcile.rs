//! `cargo xtask reconcile`: the books of the running system, held against each other and the payment simulator's.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::place::{Place, Taken};
use crate::settings::Settings;
use crate::system::Environment;
use crate::workspace::Workspace;

/// The service whose command it is.
const SERVICE: &str = "payment-service";

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
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
