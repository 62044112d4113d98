//! What can be asked for, one module for each command; the rest of this crate is what they share.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::Workspace;

mod bench;
mod changed;
mod chart;
mod check;
mod contract;
mod db;
mod drill;
mod generate;
mod images;
mod load;
mod measure;
mod monitoring;
mod pipelines;
mod prove;
mod reconcile;
mod replay;
mod simulate;
mod test;
mod up;

/// CloudJet's developer commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands, in the order in which `cargo xtask help` tells them.
#[derive(Subcommand)]
pub(crate) enum Command {
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

impl Command {
    /// Does it, and tells the code to end with.
    pub(crate) async fn run(&self, workspace: &Workspace, settings: &Settings, stack: &mut Stack) -> Result<u8> {
        match self {
            Self::Up(arguments) => up::run(arguments, workspace, settings, stack).await.map(|()| 0),
            Self::Test(arguments) => test::run(arguments, workspace, settings, stack).await,
            Self::Simulate(arguments) => simulate::run(arguments, workspace, settings, stack).await,
            Self::Contract(arguments) => {
                contract::run(arguments, workspace, stack).await.map(|passed| u8::from(!passed))
            }
            Self::Measure(arguments) => Box::pin(measure::run(arguments, workspace, stack)).await.map(|()| 0),
            Self::Bench(arguments) => Box::pin(bench::run(arguments, workspace, stack)).await,
            Self::Drill(arguments) => {
                Box::pin(drill::run(arguments, workspace, stack)).await.map(|held| u8::from(!held))
            }
            Self::Images(arguments) => Box::pin(images::run(arguments, workspace, stack)).await.map(|()| 0),
            Self::Prove(arguments) => {
                Box::pin(prove::run(arguments, workspace, stack)).await.map(|passed| u8::from(!passed))
            }
            Self::Load(arguments) => {
                Box::pin(load::run(arguments, workspace, settings, stack)).await.map(|held| u8::from(!held))
            }
            Self::Chart(arguments) => chart::run(arguments, workspace).await.map(|passed| u8::from(!passed)),
            Self::Monitoring(arguments) => {
                Box::pin(monitoring::run(arguments, workspace, stack)).await.map(|passed| u8::from(!passed))
            }
            Self::Pipelines => pipelines::run(workspace).await.map(|passed| u8::from(!passed)),
            Self::Check(arguments) => check::run(arguments, workspace, stack).await.map(|passed| u8::from(!passed)),
            Self::Changed(arguments) => changed::run(arguments, workspace).await.map(|()| 0),
            Self::Generate(arguments) => generate::run(arguments, workspace, stack).await.map(|()| 0),
            Self::Db(arguments) => db::run(arguments, workspace, settings, stack).await.map(|()| 0),
            Self::Replay(arguments) => replay::run(arguments, settings).await.map(|()| 0),
            Self::Reconcile(arguments) => reconcile::run(arguments, workspace, settings).await,
        }
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
