//! `cargo xtask prove`: a running system under fire, and whether it kept its promise: no seat is sold twice, no won is
//! lost, and what was acknowledged stays true.
//!
//! Every battle is the same crowd on the same flight, in a room of its own ([`room`]), with one thing done to the system
//! ([`battles`]) and one judge for all ([`judge`]). What a client was told is kept by that client alone ([`ledger`]), and
//! never asked of the system that is judged by it.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use rustix::process::geteuid;

use crate::build;
use crate::install::{self, Needs};
use crate::place::Place;
use crate::report::{self as terminal, Style, paint};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::{Profile, Workspace};

mod balancer;
mod battles;
mod buyer;
mod crowd;
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
use crowd::Arena;
use judge::Judgement;
use report::{Outcome, Report};
use room::{Camp, Room};
use search::Searches;

/// Put the running system under fire, and judge what came of it.
///
/// Thousands of clients want the 180 seats of one flight; they pay, cancel, vanish, and ask again when they get no answer,
/// while the cache, the database or services are killed and started again. When all is sold, everything that anybody was
/// told is held against the database and the payment provider. Each battle has its own database, cache and services, and
/// takes two to five minutes. The report is also written to target/prove/report.md, beside the logs. Exits with 1 if
/// anything was not as it should be.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this battle; may be given several times. All of them if it isn't.
    #[arg(long, value_enum, value_name = "NAME")]
    battle: Vec<Battle>,
    /// How many clients there are.
    #[arg(long, default_value_t = 2000, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=20_000))]
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

/// Fights, prints and writes the report, and tells whether all was as it should be.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<bool> {
    let settings = Settings::default();
    install::ensure(Needs::Cluster, !arguments.no_install, workspace, &settings).await?;
    let profile = if arguments.release { Profile::Release } else { Profile::Debug };
    build::system(workspace, profile).await?;
    room::allow_many_connections();
    let logs = workspace.prove_logs();
    fs::create_dir_all(&logs).with_context(|| format!("{} can't be made", logs.display()))?;
    let place = stack.settle(Place::throw_away(&home(workspace), "prove")?);
    let pitching = Camp::pitch(workspace, profile, place, logs.clone(), arguments.clients.into());
    let camp = terminal::step("Making the data that battles begin with", pitching).await?;

    let mut report = Report::new(&camp, arguments).await;
    let all: Vec<Battle> = Battle::value_variants().to_vec();
    for battle in if arguments.battle.is_empty() { &all } else { &arguments.battle } {
        terminal::note(format_args!("\n{}", paint(Style::Bold, battle.description())));
        let outcome = fight(*battle, arguments, &camp).await;
        if let Err(error) = &outcome {
            terminal::error(error);
        }
        report.add(*battle, outcome);
        let file = logs.join("report.md");
        fs::write(&file, report.markdown()).with_context(|| format!("{} can't be written", file.display()))?;
    }
    terminal::say(report.text());
    Ok(report.is_good())
}

/// Where the servers live. A member of a cluster can't run as root, nor see what only root may see: so where we are root,
/// not below the checkout.
fn home(workspace: &Workspace) -> PathBuf {
    if geteuid().is_root() { std::env::temp_dir().join("cloudjet-prove") } else { workspace.throw_away() }
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
    let costs = room.costs().await.unwrap_or_default();
    let outcome = Outcome { seen, searches, judgement, log: log.lines, costs };
    terminal::note(outcome.summary());
    room.close().await?;
    Ok(outcome)
}
