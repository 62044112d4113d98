//! A service in its place: the process comes and goes, the address stays.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use tokio::time::{Instant, timeout};

use super::{Launcher, PATIENCE};
use crate::probe;
use crate::process::Process;
use crate::services::{Service, any_free, internal};
use crate::vitals::Vitals;

/// How often a starting service is asked whether it is ready.
const CLOSELY: Duration = Duration::from_millis(1);

/// Where a replica listens.
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

    /// That of the service on `port` of this machine.
    pub(crate) fn here(port: u16) -> Self {
        Self::of(Ipv4Addr::LOCALHOST, port)
    }

    /// One on this machine that nobody uses.
    pub(crate) fn any() -> Result<Self> {
        let [public, internal] = [any_free()?, any_free()?].map(|port| (Ipv4Addr::LOCALHOST, port).into());
        Ok(Self { public, internal })
    }

    /// The settings by which `service` listens there.
    pub(crate) fn settings(self, service: &Service) -> [(&'static str, String); 2] {
        [(service.port_setting, self.public.port().to_string()), ("INTERNAL_PORT", self.internal.port().to_string())]
    }

    /// Whether who listens there is ready.
    pub(crate) async fn is_ready(self) -> io::Result<()> {
        probe::http_at(self.internal, "/readyz").await
    }
}

/// A service's process, or the place where it was. Dropped, it is killed.
pub(crate) struct Replica {
    /// What we call it, and its log file: the same from run to run.
    pub(crate) name: String,
    pub(crate) service: &'static Service,
    pub(crate) address: Address,
    /// What it alone is told.
    settings: Vec<(&'static str, String)>,
    process: Option<Process>,
}

impl Replica {
    /// The one of this `number` among those of `service`, to be at `address`. It doesn't run yet.
    pub(crate) fn of(service: &'static Service, number: usize, address: Address) -> Self {
        let name = format!("{}-{number}", service.name);
        Self { name, service, address, settings: Vec::new(), process: None }
    }

    /// The same, told one thing that others aren't.
    pub(crate) fn told(mut self, setting: &'static str, value: String) -> Self {
        self.settings.push((setting, value));
        self
    }

    /// Starts it, and tells how long it took to become ready.
    pub(crate) async fn start(&mut self, launcher: &Launcher<'_>) -> Result<Duration> {
        let mut command = launcher.program(self.service.package);
        command.envs(self.address.settings(self.service));
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        let started = Instant::now();
        let process = self.process.insert(launcher.start(&self.name, command)?);
        probe::until_ready_asked_every(CLOSELY, process, PATIENCE, || self.address.is_ready()).await?;
        Ok(started.elapsed())
    }

    /// What it takes of this machine.
    pub(crate) fn vitals(&self) -> Result<Vitals> {
        let process = self.process.as_ref().and_then(Process::identity);
        let (id, _) = process.with_context(|| format!("{} doesn't run", self.name))?;
        Vitals::of(id)
    }

    /// Asks it to stop, if it runs, and waits until it has. That it does so in good order is what is asked of it.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.send(Signal::TERM);
        timeout(PATIENCE, process.succeeded()).await.with_context(|| format!("{} does not stop", self.name))?
    }

    /// Kills it (-9).
    pub(crate) async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().with_context(|| format!("{} doesn't run", self.name))?;
        process.kill().await
    }
}
