//! `cargo xtask measure`: how much memory and time the services take on this machine, beside what is wanted.
//!
//! Figures belong to the machine they were taken on, and a busy machine spoils them: so they are for people to read,
//! and no pipeline fails by them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::sleep;

use crate::machine::{self, Machine};
use crate::report;
use crate::services::{SERVICES, Service};
use crate::stack::Stack;
use crate::system::Replica;
use crate::visit::{Restarts, Users};
use crate::workspace::{Profile, Workspace};

mod bench;
mod figures;
mod load;
mod processes;

use bench::Bench;
use figures::{Busy, Figure, Figures, Quiet};
use load::Load;
use processes::Processes;

/// How many connections are busy at once.
const CONNECTIONS: usize = 64;

/// How often each service is started; the median counts.
const STARTS: usize = 5;

/// How often each of two instances is restarted under load.
const ROUNDS: usize = 3;

/// Those that are restarted under load: one that answers by itself, and one that asks others.
const RESTARTED: [&str; 2] = ["booking", "gateway"];

/// How long a service is left alone before its memory counts.
const REST: Duration = Duration::from_secs(3);

/// Measure memory, start and restart of the services.
///
/// Builds release binaries, starts a throw-away database and cache, and each service by itself, with the demo data:
/// how long it takes to become ready, its resident memory idle and under load, what clients on the same machine see,
/// and whether requests are lost while instances are restarted. Prints the figures beside their goals. Leave the
/// machine alone meanwhile: it takes three minutes, and builds first. The services' logs stay in target/measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Measure unoptimised binaries.
    #[arg(long)]
    debug: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Never install missing servers.
    #[arg(long)]
    no_install: bool,
    /// How long each service is kept busy.
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

impl Arguments {
    fn profile(&self) -> Profile {
        if self.debug { Profile::Debug } else { Profile::Release }
    }
}

/// Measures everything and prints it.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<()> {
    let load_before = machine::load();
    let bench = Bench::set_up(arguments, workspace, stack).await?;
    let users = bench.users().await?;
    let machine = Machine::this(workspace, arguments.profile(), &bench.servers, load_before).await;
    let (quiet, busy, rolled) = (Vec::new(), Vec::new(), Vec::new());
    let mut figures = Figures { machine, connections: CONNECTIONS, seconds: arguments.seconds, quiet, busy, rolled };
    for service in &SERVICES {
        let doing = format!("Measuring {}", service.name);
        report::step(&doing, measure(service, &bench, &users, &mut figures)).await?;
    }
    for name in RESTARTED {
        let doing = format!("Restarting {name} under load");
        report::step(&doing, restart(Bench::service(name)?, &bench, &users, &mut figures)).await?;
    }
    if arguments.json {
        report::say(serde_json::to_string_pretty(&figures)?);
    } else {
        report::say(format_args!("\n{figures}"));
    }
    Ok(())
}

/// Starts `service` a few times, leaves the last one alone, and then not.
async fn measure(service: &'static Service, bench: &Bench<'_>, users: &Users, figures: &mut Figures) -> Result<()> {
    let _upstream = start_upstream(service, bench).await?;
    let mut replica = bench.replica(service)?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        replica.stop().await?;
        starts.push(replica.start(&bench.launcher).await?);
    }
    starts.sort_unstable();
    sleep(REST).await;
    let idle_mib = Figure::idle(replica.vitals()?.memory);
    figures.quiet.push(Quiet { service: service.name, start_ms: Figure::start(starts[STARTS / 2]), idle_mib });

    for traffic in users.traffic(service) {
        let load = Load::put(&replica, &traffic, CONNECTIONS, Duration::from_secs(figures.seconds)).await?;
        sleep(REST).await;
        figures.busy.push(Busy::new(&traffic, load, replica.vitals()?.memory));
    }
    replica.stop().await
}

/// Starts whom `service` asks in its turn.
async fn start_upstream(service: &Service, bench: &Bench<'_>) -> Result<Option<Replica>> {
    if service.name != "gateway" {
        return Ok(None);
    }
    let mut flight = bench.replica(Bench::service("flight")?)?;
    flight.start(&bench.launcher).await?;
    Ok(Some(flight))
}

/// Restarts `service` under its first kind of load.
async fn restart(service: &'static Service, bench: &Bench<'_>, users: &Users, figures: &mut Figures) -> Result<()> {
    let _upstream = start_upstream(service, bench).await?;
    let traffic = users.traffic(service).into_iter().next().context("a service is asked nothing")?;
    let mut pair = Processes::start(service, &bench.launcher).await?;
    figures.rolled.push(Restarts::of(&mut pair, &traffic, CONNECTIONS, ROUNDS).await?);
    pair.stop().await
}
