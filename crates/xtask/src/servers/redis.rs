//! A private Redis (or Valkey) server.

use std::fs;
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
    let program = programs::find(&PROGRAMS).context("neither redis-server nor valkey-server is installed")?;
    let place = stack.place()?;
    let data = place.path("redis");
    fs::create_dir_all(&data).with_context(|| format!("{} can't be made", data.display()))?;
    let port_text = port.to_string();
    // What changed within a minute is saved, and everything at a clean stop.
    let save = if place.is_throw_away() { "" } else { "60 1" };

    let mut command = Command::new(program);
    command.arg("--dir").arg(&data).args(["--port", &port_text, "--bind", "127.0.0.1", "--save", save]);
    command.args(["--appendonly", "no", "--maxmemory", "128mb", "--maxmemory-policy", "allkeys-lru"]);
    // Its command line stays as it is, by which a later run recognises it.
    command.args(["--set-proc-title", "no"]);
    let process = Process::start(NAME, command, Output::File(&place.path("redis.log")))?;
    let process = stack.push_server(process)?;
    probe::until_ready(process, PATIENCE, || probe::redis(port)).await?;
    Ok(Cache::private(port))
}
