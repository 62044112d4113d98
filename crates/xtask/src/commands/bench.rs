//! `cargo xtask bench booking`: how many seats are booked a second, beside the same statements driven bare.
//!
//! What is measured, and how, is the program `bench`'s; here the system is started that it measures. Figures belong to
//! the machine they were taken on, and a busy machine spoils them: no pipeline fails by them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::build;
use crate::process::{Output, Process};
use crate::servers::Servers;
use crate::services::Ports;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::system::{self, demo};
use crate::workspace::{Profile, Workspace};

/// Measure bookings beside the same statements driven bare.
///
/// Builds release binaries, starts a throw-away database and cache and the whole system, and lets three contenders
/// take turns on the same database: the service, a plain blocking client and a bare loop of sqlx, which drive exactly
/// the statements that the service sends for one booking. Prints the rates beside their goals, and how long a booking
/// takes below saturation. Leave the machine alone meanwhile: it takes four minutes, and builds first.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What is measured.
    #[arg(value_enum)]
    what: What,
    /// Measure unoptimised binaries.
    #[arg(long)]
    debug: bool,
    /// Never install missing servers.
    #[arg(long)]
    no_install: bool,
    /// Connections to the database, of each contender.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=64), value_name = "N")]
    connections: u16,
    /// Where to draw the figures to, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// What else the program `bench` is told: try `-- --help`.
    #[arg(last = true)]
    more: Vec<String>,
}

/// What can be measured.
#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Bookings of one seat that wait for their payment.
    Booking,
}

/// Starts the system, measures it, and answers with the program's code.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<u8> {
    let What::Booking = arguments.what;
    let profile = if arguments.debug { Profile::Debug } else { Profile::Release };
    let pool = arguments.connections.to_string();
    let settings = Settings::from([("DB_POOL_SIZE", pool.as_str()), ("LOG_FORMAT", "json")]);
    build::bench(workspace, profile).await?;
    let (may_install, logs) = (!arguments.no_install, workspace.measure_logs());
    let (ports, servers) = demo::start("bench", may_install, profile, &settings, logs, workspace, stack).await?;
    measure(arguments, workspace, profile, &ports, &servers, stack).await
}

async fn measure(
    arguments: &Arguments,
    workspace: &Workspace,
    profile: Profile,
    ports: &Ports,
    servers: &Servers,
    stack: &mut Stack,
) -> Result<u8> {
    let at = |port: Option<u16>| port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string());
    let environment = system::environment(&Settings::default(), ports, servers, stack.place()?)?;
    let mut command = workspace.program(build::BENCH, profile, &environment);
    command.arg(format!("--connections={}", arguments.connections));
    for (option, port) in
        [("--booking", ports.of("booking")), ("--payment", ports.of("payment")), ("--simulator", ports.simulator)]
    {
        command.args([option, &at(port).context("a service has no port")?]);
    }
    for (name, id) in stack.process_ids() {
        let name = if matches!(name, "MariaDB" | "MySQL") { "database" } else { name };
        command.arg(format!("--process={name}={id}"));
    }
    command.args(arguments.plot.iter().map(|file| format!("--plot={}", file.display()))).args(&arguments.more);
    stack.run(Process::start("The bench", command, Output::Terminal)?).await
}
