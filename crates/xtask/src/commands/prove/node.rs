//! A private database server that is killed and started again, alone or as a part of something larger.
//!
//! It is told to be durable, unlike those of tests: what it acknowledged must be there after `kill -9`.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Signal, geteuid};
use tokio::process::Command;
use tokio::time::sleep;

use super::ports;
use crate::place::Place;
use crate::probe;
use crate::process::{Output, Process, run_quietly};
use crate::servers::mariadb::{ALWAYS, Server, prefixed};

/// How long it may take to start, with its repairs and with what it missed of its cluster.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often a repair's log is looked at, and how long one that has told what it found may still take to end.
const ASKING: Duration = Duration::from_millis(100);
const GOODBYE: Duration = Duration::from_secs(10);

/// What is acknowledged is on the disk.
const DURABLE: [&str; 5] = [
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-buffer-pool-size=128M",
    "--loose-innodb-log-file-size=96M",
    "--max-connections=400",
    "--binlog-format=ROW",
];

/// A database server, running or not.
pub(super) struct Node<'a> {
    /// What we call it.
    pub(super) name: String,
    /// Where it answers, at each start.
    pub(super) port: u16,
    server: &'a Server,
    place: &'a Place,
    data: PathBuf,
    log: PathBuf,
    /// What it becomes where we are root.
    user: &'static str,
    /// What it is told at each start.
    pub(super) options: Vec<String>,
    process: Option<Process>,
}

impl<'a> Node<'a> {
    /// One called `name` whose data are a copy of `template`'s. It doesn't run yet.
    pub(super) async fn copy(
        server: &'a Server,
        place: &'a Place,
        room: &Path,
        logs: &Path,
        name: &str,
        template: &Path,
    ) -> Result<Self> {
        let data = room.join(name);
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(template).arg(&data);
        run_quietly("The copy of a database", copy).await?;
        let log = logs.join(format!("{name}.log"));
        Ok(Self {
            name: name.to_owned(),
            port: ports::lasting()?,
            server,
            place,
            data,
            log,
            user: "root",
            options: Vec::new(),
            process: None,
        })
    }

    /// Where it answers.
    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where its data are.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// Lets it run as the account `mysql` where we are root: what it starts refuses to work for root.
    pub(super) async fn disown(&mut self) -> Result<()> {
        if geteuid().is_root() {
            let mut give = Command::new("chown");
            give.args(["-R", "mysql:"]).arg(&self.data);
            run_quietly("Giving the data to mysql", give).await.context("Debian's mariadb-server makes the account")?;
            self.user = "mysql";
        }
        Ok(())
    }

    /// Starts it with `more` options and waits until it greets.
    pub(super) async fn start(&mut self, more: &[String]) -> Result<()> {
        let mut command = self.command();
        command.arg(format!("--port={}", self.port)).args(ALWAYS).args(DURABLE).args(&self.options).args(more);
        let mut process = Process::start(&self.name, command, Output::File(&self.log))?;
        self.place.remember(&process)?;
        let port = self.port;
        let ready = probe::until_ready(&mut process, PATIENCE, || probe::mysql(port)).await;
        self.process = Some(process);
        ready
    }

    fn command(&self) -> Command {
        self.server.command_as(&self.data, self.user)
    }

    /// Kills it (-9).
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.end(Signal::KILL).await
    }

    /// Asks it to stop, and waits until it has written everything down.
    pub(super) async fn stop(&mut self) -> Result<()> {
        self.end(Signal::TERM).await
    }

    async fn end(&mut self, signal: Signal) -> Result<()> {
        let mut process = self.process.take().with_context(|| format!("{} doesn't run", self.name))?;
        process.send(signal);
        process.ended().await.map(drop)
    }

    /// Up to which write of its cluster its data go, by the server's own repair. It must not be running.
    pub(super) async fn recovered_position(&self) -> Result<String> {
        let log = self.log.with_extension("recovery.log");
        let mut command = self.command();
        command.args(ALWAYS).args(DURABLE).args(&self.options).arg("--wsrep-recover");
        let mut process = Process::start(format!("The repair of {}", self.name), command, Output::File(&log))?;
        tokio::select! {
            ended = process.succeeded() => ended?,
            // One that had told it was seen not to end, and to take 22 GB in a quarter of an hour.
            () = told(&log) => process.kill().await?,
        }
        position_in(&log).with_context(|| format!("{} doesn't know how far it is; see {}", self.name, log.display()))
    }
}

/// Waits until a repair has told how far the data go, and ought to have ended.
async fn told(log: &Path) {
    while position_in(log).is_none() {
        sleep(ASKING).await;
    }
    sleep(GOODBYE).await;
}

/// What a repair has told, if it has.
fn position_in(log: &Path) -> Option<String> {
    let said = fs::read_to_string(log).ok()?;
    let (_, position) = said.lines().rev().find_map(|line| line.split_once("Recovered position: "))?;
    Some(position.split(',').next()?.trim().to_owned())
}

/// `--init-file` with the path of one.
pub(super) fn init_file(path: &Path) -> String {
    prefixed("--init-file=", path).to_string_lossy().into_owned()
}
