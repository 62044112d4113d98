//! `cargo xtask prove`: a running system under fire, and whether it kept its promise: no seat is sold twice, no won is
//! lost, and what was acknowledged stays true.
//!
//! Every battle is the same crowd on the same flight, in a room of its own ([`room`]), with one thing done to the system
//! ([`battles`]) and one judge for all ([`judge`]). What a client was told is kept by that client alone ([`ledger`]), and
//! never asked of the system that is judged by it.
//!
//! What the machine's timing leaves out, seeds find: after the battles the [simulation](crate::simulate) runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

use crate::build;
use crate::commands::simulate;
use crate::install::{self, Needs};
use crate::place::Place;
use crate::report::{self as terminal, Style, paint};
use crate::servers;
use crate::servers::mariadb::Server;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::{Profile, Workspace};

mod balancer;
mod battles;
mod buyer;
mod cache;
mod camp;
mod cluster;
mod crowd;
mod databases;
mod judge;
mod ledger;
mod node;
mod ports;
mod report;
mod room;
mod search;
mod store;
mod token;

use battles::{Battle, Log};
use camp::Camp;
use crowd::Arena;
use judge::Judgement;
use report::{Outcome, Report, Simulated};
use room::Room;
use search::Searches;

/// How many seeds are run where nothing else is said.
const SEEDS: u64 = 1000;

/// Put the running system under fire, and judge what came of it.
///
/// Thousands of clients want the 180 seats of one flight; they pay, cancel, vanish, and ask again when they get no answer,
/// while the cache, the database or services are killed and started again. When all is sold, everything that anybody was
/// told is held against the database and the payment provider. Each battle has its own database, cache and services, and
/// takes two to five minutes. Then the simulation runs a thousand seeds, and looks for the faults planted in it. The report is
/// also written to target/prove/report.md, beside the logs. Exits with 1 if anything was not as it should be.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this battle; may be given several times. All of them, and the simulation, if it isn't.
    #[arg(long, value_enum, value_name = "NAME")]
    battle: Vec<Battle>,
    /// No battle: only the simulation.
    #[arg(long, conflicts_with = "battle")]
    no_battles: bool,
    /// How many seeds the simulation runs; 0 leaves it out. 1000 if it isn't said, and none where a battle is chosen.
    #[arg(long, value_name = "SEEDS")]
    simulation: Option<u64>,
    /// How many clients there are: enough to want all 180 seats, whatever they give back.
    #[arg(long, default_value_t = 2000, value_name = "N", value_parser = clap::value_parser!(u16).range(200..=20_000))]
    clients: u16,
    /// How long clients give seats back, and things are killed, before everybody means it.
    #[arg(long, default_value_t = 40, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..=3600))]
    seconds: u64,
    /// What the clients' choices follow from. The machine's own timing is nobody's choice: the same seed is the same
    /// crowd, not the same battle.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Run optimised programs.
    #[arg(long)]
    release: bool,
    /// Never install missing servers.
    #[arg(long)]
    no_install: bool,
}

impl Arguments {
    fn profile(&self) -> Profile {
        if self.release { Profile::Release } else { Profile::Debug }
    }

    /// The battles that are fought.
    fn battles(&self) -> &[Battle] {
        match (&self.battle[..], self.no_battles) {
            (_, true) => &[],
            ([], false) => Battle::value_variants(),
            (chosen, false) => chosen,
        }
    }

    /// How many seeds are run; `None`: there is no simulation.
    fn seeds(&self) -> Option<u64> {
        let unsaid = if self.battle.is_empty() { SEEDS } else { 0 };
        Some(self.simulation.unwrap_or(unsaid)).filter(|seeds| self.no_battles || *seeds > 0)
    }
}

/// Fights, runs the simulation, prints and writes the report, and tells whether all was as it should be.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<bool> {
    let needs = if arguments.battles().is_empty() { Needs::Database } else { Needs::Cluster };
    install::ensure(needs, !arguments.no_install, workspace, &Settings::default()).await?;
    let logs = workspace.prove_logs();
    fs::create_dir_all(&logs).with_context(|| format!("{} can't be made", logs.display()))?;
    stack.settle(Place::throw_away(&home(workspace), "prove")?);
    let mut report = match arguments.battles() {
        [] => Report::new(&Server::installed().await?.description(), workspace, arguments).await,
        battles => fight_all(battles, arguments, workspace, stack.place()?, &logs).await?,
    };
    if let Some(seeds) = arguments.seeds() {
        terminal::note(format_args!("\n{}", paint(Style::Bold, "The simulation")));
        let simulated = run_seeds(seeds, workspace, stack, &logs).await;
        if let Err(error) = &simulated {
            terminal::error(error);
        }
        report.add_simulation(simulated);
        report.write(&logs)?;
    }
    terminal::say(report.text());
    Ok(report.is_good())
}

async fn fight_all(
    battles: &[Battle],
    arguments: &Arguments,
    workspace: &Workspace,
    place: &Place,
    logs: &Path,
) -> Result<Report> {
    let profile = arguments.profile();
    build::system(workspace, profile).await?;
    allow_many_connections();
    let pitching = Camp::pitch(workspace, profile, place, logs.to_owned(), arguments.clients.into());
    let camp = terminal::step("Making the data that battles begin with", pitching).await?;
    let mut report = Report::new(&camp.server.description(), workspace, arguments).await;
    for battle in battles {
        terminal::note(format_args!("\n{}", paint(Style::Bold, battle.description())));
        let outcome = fight(*battle, arguments, &camp).await;
        if let Err(error) = &outcome {
            terminal::error(error);
        }
        report.add(*battle, outcome);
        report.write(logs)?;
    }
    Ok(report)
}

/// Runs this many seeds of the simulation, and looks for every planted fault.
async fn run_seeds(seeds: u64, workspace: &Workspace, stack: &mut Stack, logs: &Path) -> Result<Simulated> {
    build::simulation(workspace).await?;
    let settings = Settings::default();
    let starting = servers::provide_database(&settings, stack);
    let database = terminal::step("Starting a database", starting).await?;
    let (seeds, log) = (format!("0..{seeds}"), logs.join("simulation.log"));
    let arguments = ["--seeds", &seeds];
    let running = simulate::ask(&arguments, &log, workspace, &database, stack);
    let mut sound = terminal::step(&format!("Running the seeds {seeds}"), running).await?;
    let log = logs.join("simulation-planted.log");
    let looking = simulate::ask(&["--planted", "all"], &log, workspace, &database, stack);
    let found = terminal::step("Looking for planted faults", looking).await?;
    // How far it had come, and what there was in it; or what is broken, and how to see that again.
    let mut lines = sound.lines.split_off(sound.lines.len().saturating_sub(2));
    lines.extend(found.lines);
    let mut judgement = Judgement::default();
    judgement.ask("no seed of the simulation breaks a rule", sound.fault);
    judgement.ask("every fault that is planted in it is found, by a rule that it breaks", found.fault);
    Ok(Simulated { lines, judgement })
}

/// Where the servers live. A member of a cluster can't run as root, nor see what only root may see: so where we are root,
/// not below the checkout.
fn home(workspace: &Workspace) -> PathBuf {
    if geteuid().is_root() { std::env::temp_dir().join("cloudjet-prove") } else { workspace.throw_away() }
}

/// Lets this process, and those it starts, have as many connections as the system allows.
fn allow_many_connections() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        terminal::note(format_args!("The number of connections can't be raised: {error}"));
    }
}

async fn fight(battle: Battle, arguments: &Arguments, camp: &Camp<'_>) -> Result<Outcome> {
    let name = battle.name();
    let opening = Room::open(camp, &name, battle.kind());
    let mut room = terminal::step("Starting everything", opening).await?;
    let arena = Arena::of(&room, camp).await?;
    let mut log = Log::default();
    let burning = AtomicBool::new(true);
    let (over, gateway, schedule) = (&arena.ground.over, room.gateway, arena.ground.schedule);
    let raging = async {
        let raged = battle.rage(&mut room, Duration::from_secs(arguments.seconds), &mut log).await;
        burning.store(false, Ordering::Relaxed);
        raged
    };
    let (seen, raged, mut searches) =
        tokio::join!(arena.fight(camp, &name, arguments, &burning), raging, Searches::until(over, gateway));
    raged?;
    let seen = seen?;
    let judging = async {
        let mut judgement = Judgement::of(&room, &seen).await?;
        searches.look_again(gateway, schedule).await;
        battle.question(&room, seen.silence, &searches, &mut judgement).await?;
        Ok(judgement)
    };
    let judgement = terminal::step("Judging", judging).await?;
    let costs = room.databases.costs().await.unwrap_or_default();
    let outcome = Outcome { seen, searches, judgement, log: log.lines, costs };
    terminal::note(outcome.summary());
    room.close().await?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// How many battles are fought, and how many seeds are run.
    fn chosen(words: &[&str]) -> (usize, Option<u64>) {
        let Line { arguments } = Line::parse_from([&["prove"], words].concat());
        (arguments.battles().len(), arguments.seeds())
    }

    #[test]
    fn all_is_proven_or_what_is_chosen() {
        let all = Battle::value_variants().len();
        assert_eq!(chosen(&[]), (all, Some(SEEDS)));
        assert_eq!(chosen(&["--simulation", "0"]), (all, None));
        assert_eq!(chosen(&["--no-battles"]), (0, Some(SEEDS)));
        assert_eq!(chosen(&["--no-battles", "--simulation", "20"]), (0, Some(20)));
        assert_eq!(chosen(&["--battle", "plain", "--battle", "redis"]), (2, None));
        assert_eq!(chosen(&["--battle", "plain", "--simulation", "20"]), (1, Some(20)));
    }
}
