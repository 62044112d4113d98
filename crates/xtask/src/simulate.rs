//! `cargo xtask simulate`: seeds of the simulation, on a database that exists only for that.

use anyhow::{Result, bail};
use tokio::process::Command;

use crate::build;
use crate::install::{self, Needs};
use crate::place::Place;
use crate::process::{Output, Process};
use crate::report;
use crate::servers;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::{Profile, Workspace};

/// What the program is called.
const PROGRAM: &str = "The simulation";

/// Run seeds of the simulation, replay one, or look for planted faults; see docs/simulation.md.
///
/// What follows is for the program `simulate`: `--seeds 0..1000`, `--seed 42 --verbose`, `--planted all`. DB_HOST, in the
/// environment or in .env, names a database server to use instead of a throw-away one.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// Runs the program and returns its exit code.
pub(crate) async fn run(
    arguments: &Arguments,
    workspace: &Workspace,
    settings: &Settings,
    stack: &mut Stack,
) -> Result<u8> {
    install::ensure(Needs::DatabaseAndCache, true, workspace, settings).await?;
    build::simulation(workspace).await?;
    stack.settle(Place::throw_away(&workspace.throw_away(), "simulate")?);
    let servers = report::step("Starting a throw-away database", servers::provide(settings, stack)).await?;

    let mut command = Command::new(workspace.binary(build::SIMULATE, Profile::Debug));
    command.args(&arguments.arguments).env("DATABASE_URL", servers.database.url());
    stack.push_worker(Process::start(PROGRAM, command, Output::Terminal)?)?;

    let (process, status) = stack.first_end().await?;
    if process.name() != PROGRAM {
        bail!("{}", process.obituary(status).await);
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
