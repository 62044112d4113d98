//! `cargo xtask simulate`: seeds of the simulation, on a database that exists only for that. `cargo xtask prove` asks the
//! same program.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::build;
use crate::install::{self, Needs};
use crate::place::Place;
use crate::process::{Output, Process};
use crate::report;
use crate::servers::{self, Database};
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
    /// Never install a missing database. It goes before what is for the program.
    #[arg(long)]
    pub(crate) no_install: bool,
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
    install::ensure(Needs::Database, !arguments.no_install, workspace, settings).await?;
    build::simulation(workspace).await?;
    stack.settle(Place::throw_away(&workspace.throw_away(), "simulate")?);
    let starting = servers::provide_database(settings, stack);
    let database = report::step("Starting a throw-away database", starting).await?;

    let mut command = program(workspace, &database);
    command.args(&arguments.arguments);
    stack.run(Process::start(PROGRAM, command, Output::Terminal)?).await
}

/// What the program said to another command.
pub(crate) struct Said {
    /// Line by line.
    pub(crate) lines: Vec<String>,
    /// What is wrong, if anything is.
    pub(crate) fault: Option<String>,
}

/// Runs the program to its end, for another command. What it says is kept in the file `log`.
pub(crate) async fn ask(
    arguments: &[&str],
    log: &Path,
    workspace: &Workspace,
    database: &Database,
    stack: &Stack,
) -> Result<Said> {
    let mut command = program(workspace, database);
    command.args(arguments);
    let mut process = Process::start(PROGRAM, command, Output::File(log))?;
    stack.place()?.remember(&process)?;
    let status = process.ended().await?;
    let said = fs::read_to_string(log).with_context(|| format!("{} can't be read", log.display()))?;
    let lines: Vec<_> = said.lines().map(str::to_owned).collect();
    let fault = (!status.success()).then(|| fault_in(&lines).unwrap_or_else(|| format!("it ended with {status}")));
    Ok(Said { lines, fault })
}

fn program(workspace: &Workspace, database: &Database) -> Command {
    let mut command = Command::new(workspace.binary(build::SIMULATE, Profile::Debug));
    command.env("DATABASE_URL", database.url());
    command
}

/// What a run that failed says of it: which rule is broken, which faults weren't found, or else its last word.
fn fault_in(lines: &[String]) -> Option<String> {
    const FAULTS: [&str; 3] = ["BROKEN: ", ": NOT FOUND ", ": found by ANOTHER RULE "];
    let is_fault = |line: &&String| FAULTS.iter().any(|fault| line.contains(fault));
    let told: Vec<&str> = lines.iter().filter(is_fault).map(String::as_str).collect();
    if told.is_empty() { lines.last().cloned() } else { Some(told.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_failed_says_why() {
        let fault = |said: &str| fault_in(&said.lines().map(str::to_owned).collect::<Vec<_>>()).unwrap();
        let told =
            "  1. person 0 books\nseed 7, story ab\nBROKEN: no-failure: a job failed\nAgain: cargo xtask simulate";
        assert_eq!(fault(told), "BROKEN: no-failure: a job failed");
        let told = "a: found by seed 3\nb: NOT FOUND in 9 seeds\nc: found by ANOTHER RULE by seed 4";
        assert_eq!(fault(told), "b: NOT FOUND in 9 seeds; c: found by ANOTHER RULE by seed 4");
        assert_eq!(fault("50 of 99 seeds\nthe database can't be reached"), "the database can't be reached");
    }
}
