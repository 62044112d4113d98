//! A private Redis (or Valkey) server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::Cache;
use crate::process::{Output, Process};
use crate::stack::Stack;
use crate::{probe, programs, services};

/// What we call it.
const NAME: &str = "Redis";

/// The server's names, best first.
pub(crate) const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// When it saves what it has, if it is to keep nothing.
pub(crate) const NEVER: &str = "";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts the private server of `stack`'s place.
pub(crate) async fn start(stack: &mut Stack) -> Result<Cache> {
    start_at(services::any_free()?, stack).await
}

/// Kills the private server, as an accident would.
pub(crate) async fn lose(stack: &mut Stack) -> Result<()> {
    stack.lose_server(NAME).await
}

/// Starts one on `port`.
pub(crate) async fn start_at(port: u16, stack: &mut Stack) -> Result<Cache> {
    let place = stack.place()?;
    // What changed within a minute is saved, and everything at a clean stop.
    let save = if place.is_throw_away() { NEVER } else { "60 1" };
    let command = command(&place.path("redis"), port, save)?;
    let process = Process::start(NAME, command, Output::File(&place.path("redis.log")))?;
    let process = stack.push_server(process)?;
    until_ready(process, port).await?;
    Ok(Cache::private(port))
}

/// A server on `port` with its files in the directory `data`, which is made.
pub(crate) fn command(data: &Path, port: u16, save: &str) -> Result<Command> {
    let program = programs::find(&PROGRAMS).context("neither redis-server nor valkey-server is installed")?;
    fs::create_dir_all(data).with_context(|| format!("{} can't be made", data.display()))?;
    let mut command = Command::new(program);
    command.arg("--dir").arg(data).args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", save]);
    command.args(["--appendonly", "no", "--maxmemory", "128mb", "--maxmemory-policy", "allkeys-lru"]);
    // Its command line stays as it is, by which a later run recognises it.
    command.args(["--set-proc-title", "no"]);
    Ok(command)
}

/// Waits until the server on `port` answers.
pub(crate) async fn until_ready(process: &mut Process, port: u16) -> Result<()> {
    probe::until_ready(process, PATIENCE, || probe::redis(port)).await
}
