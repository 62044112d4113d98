//! The developer's commands: `cargo xtask help` lists them.
//!
//! Whatever servers and tools a command wants besides cargo, it installs, starts and stops itself; some of those tools are
//! Python's or Node's. This file decides how every command ends: whether it succeeds, fails or is interrupted, all it has
//! started is stopped first.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::commands::{Arguments, Command};
use crate::interrupt::Interrupts;
use crate::report::{Style, paint};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::Workspace;

mod build;
mod children;
mod client;
mod commands;
mod install;
mod interrupt;
mod logs;
mod machine;
mod metrics;
mod migrate;
mod place;
mod probe;
mod process;
mod programs;
mod random;
mod report;
mod servers;
mod services;
mod settings;
mod stack;
mod system;
mod tool;
mod verdicts;
mod visit;
mod vitals;
mod welcome;
mod workspace;

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
        outcome = command.run( &workspace, &settings, &mut stack) => outcome,
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
