//! Where services are measured: a database and a cache of their own, the payment simulator, and one service at a time.

use anyhow::{Context as _, Result};

use super::Arguments;
use crate::report;
use crate::servers::Servers;
use crate::services::{Ports, SERVICES, Service};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::system::{self, Address, Launcher, Replica, demo};
use crate::visit::Users;
use crate::workspace::Workspace;

/// What services are started with.
pub(super) struct Bench<'a> {
    ports: Ports,
    pub(super) launcher: Launcher<'a>,
    pub(super) servers: Servers,
}

impl<'a> Bench<'a> {
    /// Builds and starts what services need. Settings have no say in it: it is written to without restraint.
    pub(super) async fn set_up(arguments: &Arguments, workspace: &'a Workspace, stack: &mut Stack) -> Result<Self> {
        let settings = Settings::default();
        let (may_install, profile) = (!arguments.no_install, arguments.profile());
        let servers = demo::provide("measure", may_install, profile, &settings, workspace, stack).await?;
        let ports = Ports::any()?;
        let mut environment = system::environment(&settings, &ports, &servers, stack.place()?)?;
        environment.insert("LOG_FORMAT".to_owned(), "json".to_owned());
        let launcher = Launcher::new(workspace, profile, environment, workspace.measure_logs(), stack.place()?)?;
        stack.push_worker(report::step("Starting the payment simulator", launcher.start_simulator()).await?)?;
        Ok(Self { ports, launcher, servers })
    }

    /// The service called `name`.
    pub(super) fn service(name: &str) -> Result<&'static Service> {
        SERVICES.iter().find(|service| service.name == name).with_context(|| format!("there is no service {name}"))
    }

    /// `service` where the others look for it, not yet started.
    pub(super) fn replica(&self, service: &'static Service) -> Result<Replica> {
        Ok(Replica::of(service, 1, Address::here(self.ports.of(service.name).context("a service has no port")?)))
    }

    /// Signs users in, on services that stop again.
    pub(super) async fn users(&self) -> Result<Users> {
        report::step("Signing in and booking", async {
            let mut replicas = Vec::new();
            for name in ["auth", "flight", "booking"] {
                let mut replica = self.replica(Self::service(name)?)?;
                replica.start(&self.launcher).await?;
                replicas.push(replica);
            }
            let [auth, flight, booking] = [0, 1, 2].map(|n: usize| replicas[n].address.public);
            let users = Users::meet(auth, flight, booking).await?;
            for replica in &mut replicas {
                replica.stop().await?;
            }
            Ok(users)
        })
        .await
    }
}
