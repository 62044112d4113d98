//! The system of docker-compose.yml, started from the images: how it is confined, how soon each service is ready, what a
//! customer sees of it, and whether a restart under load loses a request.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::bases::Base;
use super::engine::Engine;
use super::programs::JOURNEY;
use crate::probe;
use crate::process::said;
use crate::services::{SERVICES, Service};
use crate::system::Address;
use crate::visit::{DELAY, Pair, Restarts, Users};
use crate::workspace::Workspace;

/// What the containers of a proof are called after.
const PROJECT: &str = "cloudjet-proof";

/// The network on which services answer.
const NETWORK: &str = "cloudjet-proof_services";

/// How long anything may take to become ready, or to stop.
const PATIENCE: Duration = Duration::from_mins(3);
const SECONDS_TO_STOP: &str = "60";

/// How often a starting service is asked.
const CLOSELY: Duration = Duration::from_millis(1);

/// How many connections are busy while instances are restarted, and how often each of the two is.
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 2;

/// Whom nothing may be allowed.
const NOBODY: &str = "65532:65532";

/// The running system.
pub(super) struct System<'a> {
    engine: &'a Engine,
    files: [PathBuf; 2],
    environment: Vec<(&'static str, String)>,
}

impl<'a> System<'a> {
    /// The system, not yet started.
    pub(super) fn of(engine: &'a Engine, workspace: &Workspace, bases: &[Base]) -> Self {
        let files = ["docker-compose.yml", "crates/xtask/src/commands/images/proof.yml"]
            .map(|file| workspace.root().join(file));
        let mut environment: Vec<_> = bases.iter().map(|base| (base.variable, base.image.clone())).collect();
        environment.push(("SHUTDOWN_DELAY_SECONDS", DELAY.to_string()));
        Self { engine, files, environment }
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = self.engine.command(["compose", "--project-name", PROJECT]);
        for file in &self.files {
            command.arg("--file").arg(file);
        }
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts everything and waits until all of it is healthy. What an interrupted proof has left behind goes first.
    pub(super) async fn start(&self) -> Result<Duration> {
        self.remove().await?;
        let started = Instant::now();
        // Services wait for those before them, and the gateway for all; so its health is that of the whole.
        said(self.compose(&["up", "--detach", "--no-build", "--pull", "never"])).await?;
        while let Some(unwell) = self.unwell().await? {
            if started.elapsed() > PATIENCE {
                bail!("{unwell} is not healthy after {} s:\n{}", PATIENCE.as_secs(), self.last_words(&unwell).await);
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(started.elapsed())
    }

    /// Removes everything, the database with it.
    pub(super) async fn remove(&self) -> Result<()> {
        said(self.compose(&["down", "--volumes", "--remove-orphans", "--timeout", SECONDS_TO_STOP])).await.map(drop)
    }

    /// A service that isn't healthy, if there is one.
    async fn unwell(&self) -> Result<Option<String>> {
        let list = said(self.compose(&["ps", "--format", "{{.Service}} {{.Health}}"])).await?;
        let mut services = list.lines().filter_map(|line| line.split_once(' '));
        Ok(services.find(|(_, health)| *health != "healthy").map(|(service, _)| service.to_owned()))
    }

    async fn last_words(&self, service: &str) -> String {
        said(self.compose(&["logs", "--no-color", "--tail", "20", service])).await.unwrap_or_default()
    }

    /// Makes sure that every container of ours is confined, as the engine says itself.
    ///
    /// # Errors
    /// The first that is allowed more than to run.
    pub(super) async fn check_confinement(&self) -> Result<usize> {
        let ids = said(self.compose(&["ps", "--all", "--quiet"])).await?;
        let arguments = ["inspect"].into_iter().chain(ids.lines());
        let containers: Vec<Value> = serde_json::from_str(&self.engine.ask(arguments).await?)?;
        let ours = containers
            .iter()
            .filter(|one| one["Config"]["Image"].as_str().unwrap_or_default().starts_with("cloudjet/"));
        let mut confined = 0;
        for container in ours {
            let name = container["Name"].as_str().unwrap_or_default();
            let host = &container["HostConfig"];
            ensure!(host["ReadonlyRootfs"] == true, "{name} may write to its image");
            ensure!(host["CapDrop"] == serde_json::json!(["ALL"]), "{name} has capabilities");
            let options = host["SecurityOpt"].as_array().into_iter().flatten();
            let unprivileged = options.filter_map(Value::as_str).any(|option| option.starts_with("no-new-privileges"));
            ensure!(unprivileged, "{name} may gain privileges");
            ensure!(container["Config"]["User"] == NOBODY, "{name} doesn't run as {NOBODY}");
            confined += 1;
        }
        ensure!(confined > SERVICES.len(), "only {confined} containers of ours were found");
        Ok(confined)
    }

    /// How long it takes from asking for the start of `service`'s container until it is ready.
    pub(super) async fn time_to_ready(&self, service: &Service) -> Result<Duration> {
        let containers = self.containers(service).await?;
        let container = containers.first().with_context(|| format!("{} has no container", service.name))?;
        self.stop(container).await?;
        self.start_again(container).await
    }

    /// Goes through the system as a customer; tells what the customer told.
    pub(super) async fn journey(&self) -> Result<String> {
        said(self.compose(&["run", "--rm", "--no-deps", "--no-TTY", JOURNEY])).await.context("the journey failed")
    }

    /// Who asks the services while they are restarted, signed in through the gateway.
    pub(super) async fn users(&self) -> Result<Users> {
        let gateway = SERVICES.iter().find(|service| service.name == "gateway").context("there is no gateway")?;
        let door = self.containers(gateway).await?.first().context("the gateway has no container")?.address.public;
        Users::meet(door, door, door).await
    }

    /// Restarts both instances of `service` by turns while `users` ask it what its users ask most.
    pub(super) async fn restart(&self, service: &Service, users: &Users) -> Result<Restarts> {
        let traffic = users.traffic(service).into_iter().next().context("a service is asked nothing")?;
        let containers = self.containers(service).await?;
        let pair: [Container; 2] =
            containers.try_into().ok().with_context(|| format!("{} doesn't run twice", service.name))?;
        Restarts::of(&mut Containers { system: self, pair }, &traffic, CONNECTIONS, ROUNDS).await
    }

    async fn containers(&self, service: &Service) -> Result<Vec<Container>> {
        let ids = said(self.compose(&["ps", "--quiet", service.package])).await?;
        let mut containers = Vec::new();
        for id in ids.lines() {
            let address = Address::of(self.ip(id).await?, service.default_port);
            containers.push(Container { id: id.to_owned(), address });
        }
        Ok(containers)
    }

    async fn ip(&self, container: &str) -> Result<Ipv4Addr> {
        let format = format!("{{{{(index .NetworkSettings.Networks \"{NETWORK}\").IPAddress}}}}");
        let ip = self.engine.ask(["inspect", "--format", &format, container]).await?;
        ip.parse().with_context(|| format!("{container} has no address on {NETWORK}"))
    }

    /// Sends SIGTERM and waits for the end, which must be a good one.
    async fn stop(&self, container: &Container) -> Result<()> {
        self.engine.ask(["stop", "-t", SECONDS_TO_STOP, &container.id]).await?;
        let code = self.engine.ask(["inspect", "--format", "{{.State.ExitCode}}", &container.id]).await?;
        ensure!(code == "0", "after SIGTERM {} ended with {code}", container.id);
        Ok(())
    }

    /// Starts it at its old address, and waits until it is ready: for how long, with what the engine does before.
    ///
    /// Nobody asks before the engine is done: a question to an address that isn't there yet would stand in the way of the
    /// next ones for a second.
    async fn start_again(&self, container: &Container) -> Result<Duration> {
        let asked = Instant::now();
        self.engine.ask(["start", &container.id]).await?;
        probe::until_yes_asked_every(CLOSELY, PATIENCE, || container.address.is_ready()).await?;
        let ready = asked.elapsed();
        let address = self.ip(&container.id).await?;
        ensure!(container.address.public.ip() == address, "{} has moved to {address}", container.id);
        Ok(ready)
    }
}

struct Container {
    id: String,
    address: Address,
}

/// Two containers of a service.
struct Containers<'a> {
    system: &'a System<'a>,
    pair: [Container; 2],
}

impl Pair for Containers<'_> {
    fn addresses(&self) -> [Address; 2] {
        [self.pair[0].address, self.pair[1].address]
    }

    async fn restart(&mut self, which: usize) -> Result<()> {
        let container = &self.pair[which];
        self.system.stop(container).await?;
        self.system.start_again(container).await.map(drop)
    }
}
