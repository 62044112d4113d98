//! The developer's commands: `cargo xtask help` lists them.
//!
//! Whatever servers and tools a command wants besides cargo, it installs, starts and stops itself; some of those tools are
//! Python's or Node's. This file decides how every command ends: whether it succeeds, fails or is interrupted, all it has
//! started is stopped first.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::interrupt::Interrupts;
use crate::report::{Style, paint};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::Workspace;

mod bench;
mod build;
mod changed;
mod chart;
mod check;
mod children;
mod contract;
mod db;
mod drill;
mod generate;
mod images;
mod install;
mod interrupt;
mod links;
mod load;
mod logs;
mod machine;
mod measure;
mod metrics;
mod migrate;
mod monitoring;
mod pipelines;
mod place;
mod probe;
mod process;
mod programs;
mod prove;
mod random;
mod reconcile;
mod replay;
mod report;
mod servers;
mod services;
mod settings;
mod simulate;
mod stack;
mod system;
mod test;
mod tool;
mod up;
mod verdicts;
mod visit;
mod vitals;
mod welcome;
mod workspace;

/// CloudJet's developer commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(up::Arguments),
    Test(test::Arguments),
    Simulate(simulate::Arguments),
    Contract(contract::Arguments),
    Measure(measure::Arguments),
    Bench(bench::Arguments),
    Drill(drill::Arguments),
    Images(images::Arguments),
    Prove(prove::Arguments),
    Load(load::Arguments),
    Chart(chart::Arguments),
    Monitoring(monitoring::Arguments),
    /// Hold workflows and their scripts against linters and against this checkout.
    Pipelines,
    Check(check::Arguments),
    Changed(changed::Arguments),
    Generate(generate::Arguments),
    Db(db::Arguments),
    Replay(replay::Arguments),
    Reconcile(reconcile::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run_and_stop(&arguments.command).await {
        Ok(code) => code.into(),
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Runs `command` to its end or to the first interrupt, and stops everything it has started. A second interrupt
/// makes short work of that.
async fn run_and_stop(command: &Command) -> Result<u8> {
    let workspace = Workspace::find()?;
    let settings = Settings::read(workspace.root())?;
    let mut interrupts = Interrupts::listen()?;
    let mut stack = Stack::default();
    let outcome = tokio::select! {
        outcome = run(command, &workspace, &settings, &mut stack) => outcome,
        interrupted = interrupts.next() => {
            report::note(format_args!("\n{}", paint(Style::Bold, "Stopping.")));
            Ok(if stack.was_up() { 0 } else { interrupted.exit_code() })
        }
    };
    let stopped = tokio::select! {
        stopped = stack.stop() => Some(stopped),
        _ = interrupts.next() => None,
    };
    let stopped = match stopped {
        Some(stopped) => stopped,
        None => stack.kill().await,
    };
    outcome.and_then(|code| stopped.map(|()| code))
}

async fn run(command: &Command, workspace: &Workspace, settings: &Settings, stack: &mut Stack) -> Result<u8> {
    match command {
        Command::Up(arguments) => up::run(arguments, workspace, settings, stack).await.map(|()| 0),
        Command::Test(arguments) => test::run(arguments, workspace, settings, stack).await,
        Command::Simulate(arguments) => simulate::run(arguments, workspace, settings, stack).await,
        Command::Contract(arguments) => {
            contract::run(arguments, workspace, stack).await.map(|passed| u8::from(!passed))
        }
        Command::Measure(arguments) => Box::pin(measure::run(arguments, workspace, stack)).await.map(|()| 0),
        Command::Bench(arguments) => Box::pin(bench::run(arguments, workspace, stack)).await,
        Command::Drill(arguments) => {
            Box::pin(drill::run(arguments, workspace, stack)).await.map(|held| u8::from(!held))
        }
        Command::Images(arguments) => Box::pin(images::run(arguments, workspace, stack)).await.map(|()| 0),
        Command::Prove(arguments) => {
            Box::pin(prove::run(arguments, workspace, stack)).await.map(|passed| u8::from(!passed))
        }
        Command::Load(arguments) => {
            Box::pin(load::run(arguments, workspace, settings, stack)).await.map(|held| u8::from(!held))
        }
        Command::Chart(arguments) => chart::run(arguments, workspace).await.map(|passed| u8::from(!passed)),
        Command::Monitoring(arguments) => {
            Box::pin(monitoring::run(arguments, workspace, stack)).await.map(|passed| u8::from(!passed))
        }
        Command::Pipelines => pipelines::run(workspace).await.map(|passed| u8::from(!passed)),
        Command::Check(arguments) => check::run(arguments, workspace, stack).await.map(|passed| u8::from(!passed)),
        Command::Changed(arguments) => changed::run(arguments, workspace).await.map(|()| 0),
        Command::Generate(arguments) => generate::run(arguments, workspace, stack).await.map(|()| 0),
        Command::Db(arguments) => db::run(arguments, workspace, settings, stack).await.map(|()| 0),
        Command::Replay(arguments) => replay::run(arguments, settings).await.map(|()| 0),
        Command::Reconcile(arguments) => reconcile::run(arguments, workspace, settings).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn whatever_installs_can_be_told_not_to() {
        let parsed = |command| Arguments::try_parse_from(["cargo xtask", command, "--no-install"]).unwrap().command;
        assert!(matches!(parsed("check"), Command::Check(check::Arguments { no_install: true })));
        assert!(matches!(parsed("generate"), Command::Generate(generate::Arguments { no_install: true, .. })));
        assert!(matches!(parsed("simulate"), Command::Simulate(simulate::Arguments { no_install: true, .. })));
    }

    #[test]
    fn what_follows_test_goes_to_the_runner() {
        let arguments =
            Arguments::try_parse_from(["cargo xtask", "test", "--no-install", "-p", "orders", "--", "--nocapture"]);
        assert!(matches!(arguments.unwrap().command, Command::Test(_)));
    }
}
