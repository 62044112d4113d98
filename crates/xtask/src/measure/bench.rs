//! Where services are measured: a database and a cache of their own, the payment simulator, and one service at a time.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::Arguments;
use crate::build;
use crate::install::{self, Needs};
use crate::migrate::{self, Load};
use crate::place::Place;
use crate::process::{Output, Process};
use crate::servers::{self, Servers};
use crate::services::{Ports, SERVICES, Service};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::system::{self, Address, Environment, Instance};
use crate::visit::Users;
use crate::workspace::{Profile, Workspace};
use crate::{probe, report};

/// How long the simulator may take to become ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// What services are started with.
pub(super) struct Bench<'a> {
    workspace: &'a Workspace,
    profile: Profile,
    ports: Ports,
    environment: Environment,
    logs: PathBuf,
    pub(super) servers: Servers,
}

impl<'a> Bench<'a> {
    /// Builds and starts what services need. Settings have no say in it: it is written to without restraint.
    pub(super) async fn set_up(arguments: &Arguments, workspace: &'a Workspace, stack: &mut Stack) -> Result<Self> {
        let settings = Settings::default();
        install::ensure(Needs::DatabaseAndCache, !arguments.no_install, workspace, &settings).await?;
        let profile = arguments.profile();
        build::system(workspace, profile).await?;
        stack.settle(Place::throw_away(&workspace.throw_away(), "measure")?);
        let starting = servers::provide(&settings, stack);
        let servers = report::step("Starting a throw-away database and cache", starting).await?;
        for load in [Load::Schema, Load::DemoData] {
            migrate::run(load, workspace, profile, &settings, &servers.database).await?;
        }
        let logs = workspace.measure_logs();
        fs::create_dir_all(&logs).with_context(|| format!("{} can't be made", logs.display()))?;
        let ports = Ports::any()?;
        let mut environment = system::environment(&settings, &ports, &servers, stack.place()?)?;
        environment.insert("LOG_FORMAT".to_owned(), "json".to_owned());
        let bench = Self { workspace, profile, ports, environment, logs, servers };
        bench.start_simulator(stack).await?;
        Ok(bench)
    }

    async fn start_simulator(&self, stack: &mut Stack) -> Result<()> {
        let port = self.ports.simulator.context("the simulator has no port")?;
        let mut command = Command::new(self.workspace.binary(build::SIMULATOR, self.profile));
        command.current_dir(self.workspace.root()).envs(&self.environment);
        let log = self.logs.join(format!("{}.log", system::SIMULATOR));
        let mut simulator = Process::start(system::SIMULATOR, command, Output::File(&log))?;
        let ready = probe::until_ready(&mut simulator, PATIENCE, || probe::http(port, "/health"));
        report::step("Starting the payment simulator", ready).await?;
        stack.push_worker(simulator)
    }

    /// The service called `name`.
    pub(super) fn service(name: &str) -> Result<&'static Service> {
        SERVICES.iter().find(|service| service.name == name).with_context(|| format!("there is no service {name}"))
    }

    /// Signs users in, on services that stop again.
    pub(super) async fn users(&self) -> Result<Users> {
        report::step("Signing in and booking", async {
            let mut instances = Vec::new();
            for name in ["auth", "flight", "booking"] {
                instances.push(self.start(Self::service(name)?).await?);
            }
            let [auth, flight, booking] = [0, 1, 2].map(|n: usize| instances[n].address.public);
            let users = Users::meet(auth, flight, booking).await?;
            for instance in instances {
                instance.stop().await?;
            }
            Ok(users)
        })
        .await
    }

    /// Starts `service` where the others look for it.
    pub(super) async fn start(&self, service: &Service) -> Result<Instance> {
        let port = self.ports.of(service.name).context("a service has no port")?;
        self.start_at(service, Address::of(Ipv4Addr::LOCALHOST, port), 0).await
    }

    /// Starts `service` at `address`. Asked to stop, it goes on for `delay` seconds.
    pub(super) async fn start_at(&self, service: &Service, address: Address, delay: u64) -> Result<Instance> {
        let mut command = Command::new(self.workspace.binary(service.package, self.profile));
        command.current_dir(self.workspace.root()).envs(&self.environment);
        command.env(service.port_setting, address.public.port().to_string());
        command.env("INTERNAL_PORT", address.internal.port().to_string());
        command.env("SHUTDOWN_DELAY_SECONDS", delay.to_string());
        let log = self.logs.join(format!("{}-{}.log", service.name, address.public.port()));
        Instance::start(service.name, command, &log, address).await
    }
}
