//! `migrate`: brings the database up to date. `migrate --help` has the settings, `migrations/README.md` the rules.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use common::clock::Clock;
use common::config;
use common::db::{self, MIGRATOR};
use common::reference::{self, Reference};
use migrate::adoption::Report;
use migrate::{Settings, Step, Task};

/// Exit code of a process whose settings can't be used (`EX_USAGE`).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is where the process reads its arguments")]
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--reference") {
        let reference =
            Reference { service: "migrate", settings: reference::settings::<Settings>(), metrics: Vec::new() };
        return if writeln!(io::stdout(), "{}", reference.to_json()).is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let settings = match config::load::<Settings>(&arguments, &config::environment()) {
        Ok(settings) => settings,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let task = match settings.task() {
        Ok(task) => task,
        Err(faults) => {
            let _ = writeln!(io::stderr(), "error: {faults}");
            return ExitCode::from(USAGE);
        }
    };
    match carry_out(&settings, &task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "migrate: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn carry_out(settings: &Settings, task: &Task) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime can be started")?;
    let database = db::options(&settings.database);
    match task {
        Task::Status => {
            let status = runtime.block_on(migrate::status(&database, &MIGRATOR))?;
            writeln!(io::stdout(), "{status}")?;
        }
        Task::Rehearse => {
            let mut told = None;
            runtime.block_on(migrate::rehearse(&database, &mut |step| tell(step, &mut told)))?;
            keep(told, settings)?;
        }
        Task::Run(plan) => {
            let mut told = None;
            let mut report = |step| tell(step, &mut told);
            let run = runtime.block_on(migrate::run(&database, &MIGRATOR, plan, &Clock::system(), &mut report));
            keep(told, settings)?;
            run?;
        }
    }
    Ok(())
}

/// Nobody reading along is no reason to stop half-way.
fn tell(step: Step, told: &mut Option<Report>) {
    let _ = io::stdout().write_all(format!("{step}\n").as_bytes());
    if let Step::Report(report) = step {
        *told = Some(report);
    }
}

/// Writes the report to the file that the settings name.
fn keep(report: Option<Report>, settings: &Settings) -> Result<()> {
    if let (Some(report), Some(path)) = (report, &settings.report_json) {
        let file = File::create(path).with_context(|| format!("{} can't be written", path.display()))?;
        let mut file = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut file, &report).context("the report can't be written")?;
        file.flush().context("the report can't be written")?;
    }
    Ok(())
}

/// The error and its causes on one line. The driver repeats what the server said; we don't.
fn with_causes(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        .fold(error.to_string(), |told, cause| if told.ends_with(&cause) { told } else { format!("{told}: {cause}") })
}
