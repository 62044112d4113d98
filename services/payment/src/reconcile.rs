//! `payment-service reconcile`: one thorough round of reconciliation, by hand, and what came of it.
//!
//! It runs beside the services, as safely as their own rounds. Its report goes to standard output; how far it is, and
//! the log, to standard error. It ends with 0 if everything agrees by now, 1 if a person has to look, 2 if it couldn't
//! finish, 64 if its settings can't be used. A check that fails is told of, and keeps no other from being made; it is
//! only after them all that the round has not finished.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use clap::Parser;
use common::cache::Cache;
use common::clock::Clock;
use common::config::{Database, Redis, Telemetry};
use common::error::Chain;
use common::metrics::Registry;
use common::service::{StartError, UNFINISHED};
use common::{db, telemetry};
use orders::config::OrderSettings;
use orders::reconcile::{MoneyReport, Report, Round, Scope};
use serde::Serialize;

/// Hold bookings, seats, payments and refunds against each other and against the payment provider, heal what can be
/// healed, and name the rest.
#[derive(Clone, Debug, Parser)]
#[command(name = "payment-service reconcile", version)]
pub struct Settings {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Change nothing: only tell what would be healed.
    #[arg(long)]
    pub dry_run: bool,
    /// Only look at what belongs to this schedule.
    #[arg(long, value_name = "ID")]
    pub schedule: Option<i64>,
    /// Also tell what was charged and given back from one day to another, by flight number.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
    pub money: Option<Vec<NaiveDate>>,
    /// Where the truth is.
    #[command(flatten)]
    pub database: Database,
    /// Where searches to be dropped are.
    #[command(flatten)]
    pub redis: Redis,
    /// The payment provider and the airline's terms.
    #[command(flatten)]
    pub orders: OrderSettings,
    /// What is told about it.
    #[command(flatten)]
    pub telemetry: Telemetry,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Told {
    /// Whether everything agrees by now.
    settled: bool,
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<MoneyReport>,
}

/// Makes a round and prints its report.
pub(crate) async fn run(settings: Settings) -> Result<ExitCode, StartError> {
    telemetry::to_stderr(&settings.telemetry);
    let metrics = Registry::default();
    let (clock, db, cache) = (Clock::system(), db::pool(&settings.database), Cache::new(&settings.redis)?);
    let orders = settings.orders.desk(&db, &cache, &clock, &metrics)?;
    if orders.provider.is_none() {
        tell("the payment provider isn't configured: no receipt is looked up");
    }
    // A database that isn't there fails everything, and is told of once.
    drop(db.acquire().await?);
    let mut round = Round::new(Scope { heals: !settings.dry_run, is_thorough: true, schedule_id: settings.schedule });
    let last_told = Mutex::new(Instant::now());
    while let Some(check) = round.next() {
        let progress = |seen: usize| {
            let mut last = last_told.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() >= EVERY {
                *last = Instant::now();
                tell(&format!("{}: {seen} looked at", check.code));
            }
        };
        if let Err(error) = orders.reconcile_next(&mut round, &progress).await {
            tell_failure(check.code, &error);
        }
    }
    let mut report = round.report();
    let money = match settings.money.as_deref() {
        Some([from, to]) => orders.money(*from, *to).await.inspect_err(|error| tell_failure(MONEY, error)).ok(),
        _ => None,
    };
    if money.is_some() != settings.money.is_some() {
        report.failed.push(MONEY);
    }
    let told = Told { settled: report.is_settled(), report, money };
    let mut out = io::stdout().lock();
    if settings.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
    } else {
        write!(out, "{}", told.report)?;
        if let Some(money) = &told.money {
            write!(out, "\n{money}")?;
        }
    }
    Ok(if !told.report.failed.is_empty() {
        ExitCode::from(UNFINISHED)
    } else if told.settled {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What the money report is called where it fails, like a check.
const MONEY: &str = "money";

/// How often it is told how far it is.
const EVERY: Duration = Duration::from_secs(2);

fn tell_failure(of: &str, error: &sqlx::Error) {
    tell(&format!("{of} failed: {}", Chain(error)));
}

/// Nobody reading along is no reason to stop half-way.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
