//! A private cache that is killed and started again. It keeps nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::ports;
use crate::place::Place;
use crate::probe;
use crate::process::{Output, Process};
use crate::servers::redis;

/// A cache, running or not.
pub(super) struct Cache<'a> {
    /// Where it answers, at each start.
    pub(super) port: u16,
    place: &'a Place,
    data: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl<'a> Cache<'a> {
    /// One with its files in `room`. It doesn't run yet.
    pub(super) fn of(place: &'a Place, room: &Path, logs: &Path) -> Result<Self> {
        let (data, log) = (room.join("redis"), logs.join("redis.log"));
        Ok(Self { port: ports::lasting()?, place, data, log, process: None })
    }

    /// Starts it, empty, and waits until it answers.
    pub(super) async fn start(&mut self) -> Result<()> {
        let command = redis::command(&self.data, self.port, redis::NEVER)?;
        let process = self.process.insert(Process::start("Redis", command, Output::File(&self.log))?);
        self.place.remember(process)?;
        redis::until_ready(process, self.port).await
    }

    /// Kills it (-9).
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.process.take().context("Redis doesn't run")?.kill().await
    }

    /// Empties it.
    pub(super) async fn flush(&self) -> Result<()> {
        Ok(probe::flush_redis(self.port).await?)
    }
}
