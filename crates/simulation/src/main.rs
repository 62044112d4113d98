//! `simulate`: runs seeds, replays one, or looks for planted faults. `simulate --help` has the settings.
//!
//! It makes databases of its own on the server of DATABASE_URL, one for each job, and drops them in the end.

use std::io::{self, Write as _};
use std::ops::Range;
use std::process::ExitCode;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Parser;
use common::db::MIGRATOR;
use simulation::faults::{FAULTS, Fault};
use simulation::{Figures, Outcome, Simulation};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlPool};
use tokio::sync::mpsc;

/// After how many seeds it is told how far it has come.
const NEWS: u64 = 50;

/// Runs CloudJet's whole flow by seeds: what meets, what is lost and what dies is the seed's choice; what must hold is asked
/// for in the tables.
///
/// Exits with 1 when a rule is broken, and tells the story; or when a planted fault isn't found.
#[derive(Parser)]
#[command(name = "simulate", version)]
struct Settings {
    /// The server to use; databases are made there, and dropped.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database: String,
    /// Which seeds: the first, and the one after the last.
    #[arg(long, default_value = "0..50", value_name = "FROM..TO", value_parser = range)]
    seeds: Range<u64>,
    /// Replay only this one, and tell its story.
    #[arg(long, value_name = "SEED", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Tell also every statement; of seeds that break no rule, by what their stories are compared.
    #[arg(long)]
    verbose: bool,
    /// Plant a fault, and look for it; `all`: each in turn, within its own number of seeds.
    #[arg(long, value_name = "NAME")]
    planted: Option<String>,
    /// How many seeds are run side by side.
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let ends = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.filter(|range: &Range<u64>| !range.is_empty()).ok_or_else(|| "a range of seeds is written 0..1000".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Settings::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Answers whether all is well.
async fn run(settings: Settings) -> Result<bool> {
    let faults: Vec<&'static Fault> = match settings.planted.as_deref() {
        None => Vec::new(),
        Some("all") => FAULTS.iter().collect(),
        Some(name) => vec![Fault::named(name).ok_or_else(|| {
            let names: Vec<_> = FAULTS.iter().map(|fault| fault.name).collect();
            anyhow!("no fault is called {name}; there are {}", names.join(", "))
        })?],
    };
    if let Some(seed) = settings.seed {
        return replay(&settings, seed, faults.first().copied()).await;
    }
    if faults.is_empty() {
        return explore(&settings).await;
    }
    let is_all = settings.planted.as_deref() == Some("all");
    let mut all_found = true;
    for fault in faults {
        let seeds = if is_all { 0..fault.seeds } else { settings.seeds.clone() };
        all_found &= find(&settings, fault, seeds).await?;
    }
    Ok(all_found)
}

/// Runs the seeds until one breaks a rule.
async fn explore(settings: &Settings) -> Result<bool> {
    let (began, all) = (Instant::now(), settings.seeds.end - settings.seeds.start);
    let (mut done, mut figures) = (0, Figures::default());
    let broken = search(settings, None, settings.seeds.clone(), |outcome| {
        done += 1;
        figures += outcome.figures;
        if settings.verbose && outcome.broken.is_none() {
            told(&format!("seed {}, story {}", outcome.seed, outcome.hash))?;
        }
        if done % NEWS == 0 || done == all {
            told(&format!("{done} of {all} seeds, {:.1} s", began.elapsed().as_secs_f64()))?;
        }
        Ok(())
    })
    .await?;
    told(&format!(
        "{} steps, {} meetings, {} switches, {} turns, {} waits for locks, {} collisions, {} crashes; {} sold, {} refunds",
        figures.steps,
        figures.meetings,
        figures.switches,
        figures.turns,
        figures.locks,
        figures.collisions,
        figures.crashes,
        figures.sold,
        figures.refunds
    ))?;
    match broken {
        None => Ok(true),
        Some(outcome) => {
            tell(settings, &outcome, None)?;
            Ok(false)
        }
    }
}

/// Looks for a planted fault. Answers whether it was found, by a rule that it breaks.
async fn find(settings: &Settings, fault: &'static Fault, seeds: Range<u64>) -> Result<bool> {
    let (began, mut done) = (Instant::now(), 0);
    let found = search(settings, Some(fault), seeds, |_| {
        done += 1;
        Ok(())
    })
    .await?;
    let took = began.elapsed().as_secs_f64();
    let Some(outcome) = found else {
        told(&format!("{}: NOT FOUND in {done} seeds, {took:.1} s ({})", fault.name, fault.what))?;
        return Ok(false);
    };
    let broken = outcome.broken.as_ref().context("a failure")?;
    let is_its_own = fault.breaks.contains(&broken.rule);
    let verdict = if is_its_own { "found" } else { "found by ANOTHER RULE" };
    told(&format!(
        "{}: {verdict} by seed {}, after {done} seeds, {took:.1} s: {}: {}",
        fault.name, outcome.seed, broken.rule, broken.what
    ))?;
    if settings.verbose {
        tell(settings, &outcome, Some(fault))?;
    }
    Ok(is_its_own)
}

async fn replay(settings: &Settings, seed: u64, fault: Option<&'static Fault>) -> Result<bool> {
    let mut place = Place::make(&settings.database, 0).await?;
    let simulation = Simulation::new(place.database.clone(), fault).await?;
    let outcome = simulation.run(seed).await?;
    drop(simulation);
    place.drop().await?;
    tell(settings, &outcome, fault)?;
    Ok(outcome.broken.is_none() == fault.is_none())
}

fn tell(settings: &Settings, outcome: &Outcome, fault: Option<&'static Fault>) -> Result<()> {
    for line in if settings.verbose { &outcome.whole_story } else { &outcome.story } {
        told(line)?;
    }
    told(&format!("seed {}, story {}", outcome.seed, outcome.hash))?;
    if let Some(broken) = &outcome.broken {
        let planted = fault.map_or_else(String::new, |fault| format!(" --planted {}", fault.name));
        told(&format!("BROKEN: {}: {}", broken.rule, broken.what))?;
        told(&format!("Again: cargo xtask simulate --seed {}{planted} --verbose", outcome.seed))?;
    }
    Ok(())
}

/// Runs seeds side by side, and answers with the first that breaks a rule, made short.
async fn search(
    settings: &Settings,
    fault: Option<&'static Fault>,
    seeds: Range<u64>,
    mut hear: impl FnMut(&Outcome) -> Result<()>,
) -> Result<Option<Outcome>> {
    let next = Arc::new(AtomicU64::new(seeds.start));
    let (ran, mut outcomes) = mpsc::channel(1);
    let mut jobs = tokio::task::JoinSet::new();
    for job in 0..u64::from(settings.jobs).min(seeds.end - seeds.start) {
        let (database, next, ran, end) = (settings.database.clone(), Arc::clone(&next), ran.clone(), seeds.end);
        let shortens = fault.is_none() || settings.verbose;
        jobs.spawn(async move { work(&database, job, fault, &next, end, shortens, ran).await });
    }
    drop(ran);
    let mut broken = None;
    while let Some(outcome) = outcomes.recv().await {
        hear(&outcome)?;
        if outcome.broken.is_some() && broken.is_none() {
            // Nobody begins another one.
            next.store(u64::MAX, Ordering::SeqCst);
            broken = Some(outcome);
        }
    }
    while let Some(done) = jobs.join_next().await {
        done??;
    }
    Ok(broken)
}

/// Runs one seed after the other in a database of its own.
async fn work(
    server: &str,
    job: u64,
    fault: Option<&'static Fault>,
    next: &AtomicU64,
    end: u64,
    shortens: bool,
    ran: mpsc::Sender<Outcome>,
) -> Result<()> {
    let mut place = Place::make(server, job).await?;
    let simulation = Simulation::new(place.database.clone(), fault).await?;
    let worked = run_seeds(&simulation, next, end, shortens, ran).await;
    let took_root = simulation.took_root();
    drop(simulation);
    place.drop().await?;
    worked?;
    if let Some(fault) = fault.filter(|_| !took_root) {
        bail!("{} can't be planted any more: its statement is worded otherwise", fault.name);
    }
    Ok(())
}

async fn run_seeds(
    simulation: &Simulation,
    next: &AtomicU64,
    end: u64,
    shortens: bool,
    ran: mpsc::Sender<Outcome>,
) -> Result<()> {
    loop {
        let seed = next.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |seed| (seed < end).then(|| seed + 1));
        let Ok(seed) = seed else { return Ok(()) };
        let outcome = simulation.run(seed).await.with_context(|| format!("seed {seed}"))?;
        let outcome = if shortens && outcome.broken.is_some() { simulation.shorten(outcome).await? } else { outcome };
        if ran.send(outcome).await.is_err() {
            return Ok(());
        }
    }
}

/// A database of our own.
struct Place {
    database: MySqlConnectOptions,
    server: MySqlConnection,
    name: String,
}

impl Place {
    async fn make(server: &str, job: u64) -> Result<Self> {
        let server = MySqlConnectOptions::from_str(server).context("DATABASE_URL is no address of a database")?;
        let mut connection = MySqlConnection::connect_with(&server).await.context("the database can't be reached")?;
        let name = format!("simulation_{}_{job}", std::process::id());
        connection.execute(AssertSqlSafe(format!("drop database if exists {name}"))).await?;
        connection.execute(AssertSqlSafe(format!("create database {name}"))).await?;
        let database = server.database(&name);
        let pool = MySqlPool::connect_with(database.clone()).await?;
        MIGRATOR.run(&pool).await?;
        pool.close().await;
        Ok(Self { database, server: connection, name })
    }

    async fn drop(&mut self) -> Result<()> {
        self.server.execute(AssertSqlSafe(format!("drop database {}", self.name))).await?;
        Ok(())
    }
}

fn told(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("nobody listens")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Settings::command().debug_assert();
        assert_eq!(range("3..7"), Ok(3..7));
        for bad in ["", "3", "7..3", "a..b", "3..3"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
