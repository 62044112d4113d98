//! Where a battle is fought: a database of some kind, a cache, the payment simulator and the services, each a process of
//! its own that can be killed, and addresses that stay when that happens.
//!
//! Clients reach the gateway; it reaches booking and payment, which run twice, through balancers, as it would through a
//! cluster's Services. Dropping a room kills everything in it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::balancer::{Balancer, Choice};
use super::cache::Cache;
use super::camp::Camp;
use super::databases::{Databases, Kind};
use super::ports;
use super::store::Store;
use crate::commands::reconcile::Books;
use crate::process::Process;
use crate::servers::{self, Database, Servers};
use crate::services::{Ports, SERVICES, SIMULATOR_PORT_SETTING, Service};
use crate::settings::Settings;
use crate::system::{self, Address, Environment, Launcher, Replica};
use crate::visit::Provider;

/// How long unpaid seats are held: so short that holds expire by the hundred, and long enough to pay in a crowd.
pub(super) const HOLD: Duration = Duration::from_secs(12);

/// The room of a battle.
pub(super) struct Room<'a> {
    directory: PathBuf,
    pub(super) databases: Databases<'a>,
    pub(super) cache: Cache<'a>,
    launcher: Launcher<'a>,
    pub(super) replicas: Vec<Replica>,
    _simulator: Process,
    _doors: Vec<Balancer>,
    pub(super) gateway: SocketAddr,
    pub(super) provider: Provider,
}

impl<'a> Room<'a> {
    /// Starts everything for the battle `name`, and waits until it is ready.
    pub(super) async fn open(camp: &'a Camp<'a>, name: &str, kind: Kind) -> Result<Self> {
        let (directory, logs) = (camp.place.path(name), camp.logs.join(name));
        for directory in [&directory, &logs] {
            fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
        }
        let databases = Databases::start(camp, &directory, &logs, kind).await?;
        let mut cache = Cache::of(camp.place, &directory, &logs)?;
        cache.start().await?;

        let servers = Servers {
            database: Database::private(databases.port(), camp.password.clone(), String::new()),
            cache: servers::Cache::private(cache.port),
        };
        let mut environment = system::environment(&Settings::default(), &Ports::any()?, &servers, camp.place)?;
        let simulator_port = ports::lasting()?;
        let state = directory.join("simulator.jsonl").display().to_string();
        for (name, value) in [
            ("LOG_FORMAT", "json"),
            ("BOOKING_HOLD_SECONDS", &HOLD.as_secs().to_string()),
            ("RECONCILE_AFTER_SECONDS", "10"),
            ("RECONCILE_INTERVAL_SECONDS", "3"),
            ("DB_POOL_SIZE", "10"),
            (SIMULATOR_PORT_SETTING, &simulator_port.to_string()),
            ("BOOTPAY_API_URL", &format!("http://127.0.0.1:{simulator_port}/v2")),
            ("BOOTPAY_SIMULATOR_STATE", &state),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let (mut replicas, doors) = places(&databases, kind, &mut environment).await?;
        let gateway = replicas.iter().find(|replica| replica.service.name == "gateway");
        let gateway = gateway.context("there is no gateway")?.address.public;

        let launcher = Launcher::new(camp.workspace, camp.profile, environment, logs, camp.place)?;
        let simulator = launcher.start_simulator().await?;
        for replica in &mut replicas {
            replica.start(&launcher).await?;
        }
        Ok(Self {
            directory,
            databases,
            cache,
            launcher,
            replicas,
            _simulator: simulator,
            _doors: doors,
            gateway,
            provider: Provider::at(simulator_port),
        })
    }

    /// The way to the database that services take.
    pub(super) fn store(&self) -> Store {
        self.databases.store()
    }

    /// The numbers of the replicas of the service `name`.
    pub(super) fn replicas_of(&self, name: &str) -> Vec<usize> {
        (0..self.replicas.len()).filter(|n| self.replicas[*n].service.name == name).collect()
    }

    /// Starts a replica again and waits until it is ready.
    pub(super) async fn start_replica(&mut self, number: usize) -> Result<()> {
        self.replicas[number].start(&self.launcher).await.map(drop)
    }

    /// Whether flight-service is ready, as its probe says.
    pub(super) async fn is_flight_ready(&self) -> bool {
        let flight = self.replicas.iter().find(|replica| replica.service.name == "flight");
        match flight {
            Some(flight) => flight.address.is_ready().await.is_ok(),
            None => false,
        }
    }

    /// Has the books reconciled.
    pub(super) async fn reconcile(&self) -> Result<Books> {
        Books::of(&self.launcher).await
    }

    /// Stops everything, the services before what they use, and removes the data.
    pub(super) async fn close(mut self) -> Result<()> {
        for replica in &mut self.replicas {
            replica.kill().await?;
        }
        self.databases.kill_all().await?;
        fs::remove_dir_all(&self.directory).with_context(|| format!("{} can't be removed", self.directory.display()))
    }
}

/// Gives every service its places, a balancer where it has two, and tells `environment` where the others find it.
async fn places(
    databases: &Databases<'_>,
    kind: Kind,
    environment: &mut Environment,
) -> Result<(Vec<Replica>, Vec<Balancer>)> {
    let (mut replicas, mut doors) = (Vec::new(), Vec::new());
    for service in SERVICES.iter().filter(|service| is_wanted(service)) {
        let ports: Vec<u16> = (0..copies(service)).map(|_| ports::public()).collect::<Result<_>>()?;
        for (port, number) in ports.iter().zip(1..) {
            let replica = Replica::of(service, number, Address::here(*port));
            let follows = kind == Kind::Followed && service.name == "flight";
            replicas.push(if follows { replica.told("DB_PORT", databases.nodes[1].port.to_string()) } else { replica });
        }
        let mut port = ports[0];
        if ports.len() > 1 {
            let is_ready = |server: SocketAddr| async move { Address::here(server.port()).is_ready().await.is_ok() };
            let copies = ports.into_iter().map(|port| Address::here(port).public).collect();
            let door = Balancer::before(copies, Choice::Turns, is_ready).await?;
            port = door.port;
            doors.push(door);
        }
        let url = format!("http://127.0.0.1:{port}");
        if service.name == "payment" {
            environment.insert("BOOTPAY_WEBHOOK_URL".to_owned(), format!("{url}/api/payments/webhook"));
        }
        environment.insert(format!("{}_SERVICE_URL", service.name.to_uppercase()), url);
    }
    Ok((replicas, doors))
}

/// All but auth: sessions are signed here.
fn is_wanted(service: &Service) -> bool {
    service.name != "auth"
}

/// Those that are killed run twice.
fn copies(service: &Service) -> usize {
    if ["booking", "payment"].contains(&service.name) { 2 } else { 1 }
}
