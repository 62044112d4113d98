//! `bench`: how many seats are booked a second, beside what the same statements take when nothing but them is done.
//!
//! A figure alone says more of the machine than of the program. So each is taken beside its yardstick in the same run:
//! a plain client, and a bare loop of sqlx, drive exactly the statements of one booking against the same database,
//! turn about with the service. `cargo xtask bench booking` starts all that is needed and runs it.

mod bare;
mod clock;
mod figures;
mod plot;
mod processes;
mod service;
mod stage;
mod statements;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use common::config::{Database, SecretKey};

use figures::{Contest, Figures, HalfLoad};
use processes::Processes;
use service::Service;
use stage::{Sales, Stage};

/// What of the service's best rate its answers are timed at, for the plot.
const SHARES_OF_SATURATION: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];

/// Measures bookings in a system that runs, on a database that is to be thrown away.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    key: SecretKey,
    /// Where booking-service answers.
    #[arg(long, value_name = "ADDRESS")]
    booking: SocketAddr,
    /// Where payment-service answers.
    #[arg(long, value_name = "ADDRESS")]
    payment: SocketAddr,
    /// Where the payment provider's simulator answers.
    #[arg(long, value_name = "ADDRESS")]
    simulator: SocketAddr,
    /// The processes of the system, whose time on the processor is told.
    #[arg(long = "process", value_name = "NAME=PID", value_parser = processes::named)]
    processes: Vec<(String, u32)>,
    /// How many turns each contender has.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "N")]
    rounds: u32,
    /// How long a turn is.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "SECONDS")]
    seconds: u64,
    /// Connections to the database, of each contender: what the service was started with.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=64), value_name = "N")]
    connections: u16,
    /// Clients that book at once.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512), value_name = "N")]
    clients: u16,
    /// Where to draw the figures to, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("bench: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Measures, and tells whether every goal is met.
async fn run(arguments: &Arguments) -> Result<bool> {
    let Arguments { connections, clients, rounds, .. } = *arguments;
    let turn = Duration::from_secs(arguments.seconds);
    say("Setting the stage");
    let stage = Stage::set(&arguments.database, &arguments.key.secret_key).await?;
    let service = Service::at(arguments.booking, arguments.payment, arguments.simulator);
    let statements = statements::learn(&stage, &service).await?;
    let processes = Processes::watch(&arguments.processes);
    let deadlocks = stage.deadlocks().await?;

    let mut contests = Vec::new();
    for sales in [Sales::hot(&stage), Sales::spread(&stage)] {
        let mut contest = Contest::of(&sales);
        for round in 1..=rounds {
            say(&format!("{}: round {round} of {rounds}", sales.name()));
            contest.blocking.push(bare::blocking(&stage, &statements, &sales, connections, turn, &processes)?);
            contest.sqlx.push(bare::sqlx(&stage, &statements, &sales, connections, turn, &processes).await?);
            contest.service.push(service.book_all_the_time(&sales, clients, turn, &processes).await?);
        }
        let best = contest.service_rate();
        for share in SHARES_OF_SATURATION {
            say(&format!("{}: at {:.0} % of saturation", sales.name(), share * 100.0));
            let lap = service.book_at(&sales, best * share, clients * 2, turn, &processes).await?;
            contest.timed.push(HalfLoad { share, lap });
        }
        contests.push(contest);
    }
    say("The journey: book, pay, confirmed");
    let journey = service.travel(&Sales::spread(&stage), clients / 2, turn, &processes).await?;
    let deadlocks = stage.deadlocks().await? - deadlocks;
    let booked = stage.bookings().await?;

    let figures = Figures { contests, journey, deadlocks, booked, statements: statements.len(), connections, clients };
    writeln!(std::io::stdout(), "{figures}")?;
    if let Some(path) = &arguments.plot {
        plot::draw(&figures, path)?;
    }
    figures.check_count()?;
    Ok(figures.are_good())
}

/// Tells a person who waits what is done.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
