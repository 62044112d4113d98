//! A running service, from its start to its end.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use tokio::process::Command;
use tokio::time::Instant;

use crate::probe;
use crate::process::{Output, Process};
use crate::services::{any_free, internal};

/// How long it may take to become ready, or to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a starting service is asked whether it is ready.
const CLOSELY: Duration = Duration::from_millis(1);

/// Where an instance listens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
}

impl Address {
    /// That of the service on `port` of `host`.
    pub(crate) fn of(host: Ipv4Addr, port: u16) -> Self {
        Self { public: (host, port).into(), internal: (host, internal(port)).into() }
    }

    /// One on this machine that nobody uses.
    pub(crate) fn any() -> Result<Self> {
        let [public, internal] = [any_free()?, any_free()?].map(|port| (Ipv4Addr::LOCALHOST, port).into());
        Ok(Self { public, internal })
    }

    /// Whether the instance there is ready.
    pub(crate) async fn is_ready(self) -> io::Result<()> {
        probe::http_at(self.internal, "/readyz").await
    }
}

/// A service that became ready.
pub(crate) struct Instance {
    process: Process,
    pub(crate) address: Address,
    /// From its start to its first yes.
    pub(crate) ready_after: Duration,
}

impl Instance {
    /// Starts `command` and waits until it is ready.
    pub(crate) async fn start(name: &str, command: Command, log: &Path, address: Address) -> Result<Self> {
        let started = Instant::now();
        let mut process = Process::start(name, command, Output::File(log))?;
        let question = || address.is_ready();
        tokio::select! {
            ready = probe::until_yes_asked_every(CLOSELY, PATIENCE, question) => {
                if let Err(error) = ready {
                    bail!("{}", probe::not_ready(&process, &error).await);
                }
            }
            status = process.ended() => bail!("{}", process.obituary(status?).await),
        }
        Ok(Self { process, address, ready_after: started.elapsed() })
    }

    /// The memory it has from the machine, in bytes: its resident set, with the pages of its program.
    pub(crate) fn memory(&self) -> Result<u64> {
        let (id, _) = self.process.identity().context("a service has ended by itself")?;
        let path = format!("/proc/{id}/status");
        let status = fs::read_to_string(&path).with_context(|| format!("{path} can't be read"))?;
        resident(&status).with_context(|| format!("{path} names no resident set"))
    }

    /// Asks it to stop and waits until it has. That it does so in good order is what is asked of it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.process.send(Signal::TERM);
        let stopped = tokio::time::timeout(PATIENCE, self.process.succeeded()).await;
        stopped.with_context(|| format!("{} does not stop", self.process.name()))?
    }
}

/// The resident set in bytes, from a process's `status`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_read() {
        assert_eq!(resident("VmHWM:\t   9000 kB\nVmRSS:\t   8192 kB\nThreads:\t2\n"), Some(8 << 20));
        assert_eq!(resident("Threads:\t2\n"), None);
    }
}
