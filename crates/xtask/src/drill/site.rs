//! The private system a drill is held on: a database that writes a binary log, a cache, the payment simulator, and two
//! replicas of each service, which can be lost and restarted one at a time.
//!
//! As in production there are two kinds of database users: the one the servers are made with changes the schema and
//! takes the backups; the services' own may read and write rows, and no more.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use tokio::time::timeout;

use super::provider::Provider;
use crate::install::{self, Needs};
use crate::migrate::{self, Load};
use crate::place::Place;
use crate::process::{Output, Process};
use crate::servers::{CLIENT_FILE, DATABASE_NAME, Database, Servers, mariadb, redis, require_mariadb};
use crate::services::{Ports, Service, described};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::system::{self, Address, Environment, Instance};
use crate::visit::{DELAY, Doors, Probes};
use crate::workspace::{Profile, Workspace};
use crate::{build, probe, programs, random, report};

/// How long anything may take to become ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many replicas each service has.
const REPLICAS: usize = 2;

/// The services' first database user.
const USER: &str = "cloudjet_rows";

/// The system.
pub(super) struct Site<'a> {
    workspace: &'a Workspace,
    profile: Profile,
    /// What services are started with: a change reaches each at its next start.
    pub(super) environment: Environment,
    place: PathBuf,
    logs: PathBuf,
    pub(super) servers: Servers,
    pub(super) provider: Provider,
    pub(super) doors: Doors,
    _probes: Probes,
    replicas: BTreeMap<&'static str, Vec<Replica>>,
    /// How many databases there have been: each has a binary log of its own.
    databases: usize,
}

struct Replica {
    service: &'static Service,
    address: Address,
    instance: Option<Instance>,
}

impl<'a> Site<'a> {
    /// Builds and starts everything. Settings have no say in it: it is going to be lost.
    pub(super) async fn set_up(
        profile: Profile,
        may_install: bool,
        workspace: &'a Workspace,
        stack: &mut Stack,
    ) -> Result<Self> {
        let settings = Settings::default();
        install::ensure(Needs::DatabaseAndCache, may_install, workspace, &settings).await?;
        require_mariadb().await.context("the drill knows MariaDB's tools; docs/operating.md tells MySQL's")?;
        build::system(workspace, profile).await?;
        stack.settle(Place::throw_away(&workspace.throw_away(), "drill")?);
        let place = stack.place()?.path("");
        let starting = async {
            let database = mariadb::start_logged(stack, &log_directory(&place, 1)).await?;
            Ok(Servers { database, cache: redis::start(stack).await? })
        };
        let servers = report::step("Starting a database that writes a binary log, and a cache", starting).await?;
        for load in [Load::Schema, Load::DemoData] {
            migrate::run(load, workspace, profile, &settings, &servers.database).await?;
        }
        let logs = workspace.drill_logs();
        fs::create_dir_all(&logs).with_context(|| format!("{} can't be made", logs.display()))?;
        let ports = Ports::any()?;
        let mut environment = system::environment(&settings, &ports, &servers, stack.place()?)?;
        environment.insert("LOG_FORMAT".to_owned(), "json".to_owned());
        environment.insert("SHUTDOWN_DELAY_SECONDS".to_owned(), DELAY.to_string());
        let provider = Provider::at(ports.simulator.context("the simulator has no port")?);
        let mut replicas: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for service in described() {
            let usual = Address::of(Ipv4Addr::LOCALHOST, ports.of(service.name).context("a service has no port")?);
            for address in [usual, Address::any()?] {
                replicas.entry(service.name).or_default().push(Replica { service, address, instance: None });
            }
        }
        let addresses = replicas.values().flatten().map(|replica| (replica.service.name, replica.address));
        let (doors, probes) = Doors::watch(addresses);
        let mut site = Self {
            workspace,
            profile,
            environment,
            place,
            logs,
            servers,
            provider,
            doors,
            _probes: probes,
            replicas,
            databases: 1,
        };
        site.take_user(USER).await?;
        site.start_simulator(&ports, stack).await?;
        let all = site.services();
        report::step("Starting two replicas of each service", site.roll(&all)).await?;
        site.until_ready().await?;
        Ok(site)
    }

    async fn start_simulator(&self, ports: &Ports, stack: &mut Stack) -> Result<()> {
        let port = ports.simulator.context("the simulator has no port")?;
        let mut command = Command::new(self.workspace.binary(build::SIMULATOR, self.profile));
        command.current_dir(self.workspace.root()).envs(&self.environment);
        let log = self.logs.join(format!("{}.log", system::SIMULATOR));
        let mut simulator = Process::start(system::SIMULATOR, command, Output::File(&log))?;
        probe::until_ready(&mut simulator, PATIENCE, || probe::http(port, "/health")).await?;
        stack.push_worker(simulator)
    }

    /// The names of all services that have replicas here.
    pub(super) fn services(&self) -> Vec<&'static str> {
        self.replicas.keys().copied().collect()
    }

    /// Restarts the replicas of these services, one at a time, with the settings as they are by now. Tells how many.
    pub(super) async fn roll(&mut self, services: &[&str]) -> Result<usize> {
        for service in services {
            for which in 0..REPLICAS {
                self.restart(service, which).await?;
            }
        }
        Ok(services.len() * REPLICAS)
    }

    async fn restart(&mut self, service: &str, which: usize) -> Result<()> {
        let replicas = self.replicas.get_mut(service);
        let replica = replicas.and_then(|all| all.get_mut(which)).context("there is no such replica")?;
        if let Some(old) = replica.instance.take() {
            old.stop().await?;
        }
        let Replica { service, address, .. } = *replica;
        let mut command = Command::new(self.workspace.binary(service.package, self.profile));
        command.current_dir(self.workspace.root()).envs(&self.environment);
        command.env(service.port_setting, address.public.port().to_string());
        command.env("INTERNAL_PORT", address.internal.port().to_string());
        let log = self.logs.join(format!("{}-{which}.log", service.name));
        replica.instance = Some(Instance::start(service.name, command, &log, address).await?);
        // The next one stops only when customers know of this one, as a cluster sees to it.
        self.doors.until_open(address.public).await
    }

    /// Waits until the probes of all replicas have said yes.
    pub(super) async fn until_ready(&self) -> Result<()> {
        let ready = timeout(PATIENCE, self.doors.until_all_open()).await;
        ready.with_context(|| format!("not every service becomes ready: see {}", self.logs.display()))
    }

    /// Kills the database and removes its data.
    pub(super) async fn lose_database(&self, stack: &mut Stack) -> Result<()> {
        mariadb::lose(stack).await
    }

    /// Starts a new database in the place of the lost one. It is empty, and the services have no user there.
    pub(super) async fn start_database(&mut self, stack: &mut Stack) -> Result<()> {
        self.databases += 1;
        self.servers.database = mariadb::start_logged(stack, &log_directory(&self.place, self.databases)).await?;
        Ok(())
    }

    /// Lets the services in. Until a restore is complete nobody may write: what they would write has the numbers of rows
    /// that are still to come.
    pub(super) async fn let_services_in(&self) -> Result<()> {
        let (user, password) = (self.environment["DB_USER"].clone(), self.environment["DB_PASSWORD"].clone());
        self.create_user(&user, &password).await
    }

    /// The files of the binary log of the database that was lost last, in their order.
    pub(super) fn lost_log(&self) -> Result<Vec<PathBuf>> {
        let directory = log_directory(&self.place, self.databases - 1);
        let is_log =
            |path: &PathBuf| path.extension().is_some_and(|end| end.as_encoded_bytes().iter().all(u8::is_ascii_digit));
        let mut files: Vec<_> = fs::read_dir(directory)?.flatten().map(|file| file.path()).filter(is_log).collect();
        files.sort();
        Ok(files)
    }

    /// Makes a database user for the services, who use it from their next start on.
    pub(super) async fn take_user(&mut self, user: &str) -> Result<()> {
        let password = random::hex(24)?;
        self.create_user(user, &password).await?;
        self.environment.insert("DB_USER".to_owned(), user.to_owned());
        self.environment.insert("DB_PASSWORD".to_owned(), password);
        Ok(())
    }

    async fn create_user(&self, user: &str, password: &str) -> Result<()> {
        self.sql(&format!(
            "create user '{user}'@'%' identified by '{password}';
             grant select, insert, update, delete on {DATABASE_NAME}.* to '{user}'@'%';"
        ))
        .await
        .map(drop)
    }

    /// What the database says to `statements`: a line for each row, with tabs between its columns.
    pub(super) async fn sql(&self, statements: &str) -> Result<String> {
        let mut client = self.database_tool("mariadb")?;
        client.args(["--batch", "--skip-column-names", "--execute", statements, DATABASE_NAME]);
        said(client).await
    }

    /// A program of the database's, which knows where that is and who we are.
    pub(super) fn database_tool(&self, name: &str) -> Result<Command> {
        let program = programs::find(&[name]).with_context(|| format!("{name} is not installed"))?;
        let mut command = Command::new(program);
        let mut options = std::ffi::OsString::from("--defaults-file=");
        options.push(self.place.join(CLIENT_FILE));
        command.arg(options);
        Ok(command)
    }

    /// A program of ours, started as the services are.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.workspace.binary(name, self.profile));
        command.current_dir(self.workspace.root()).envs(&self.environment);
        command
    }

    /// The database as who may change the schema reaches it.
    pub(super) fn owner(&self) -> &Database {
        &self.servers.database
    }

    /// A file of the drill's own.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// Stops the services in good order.
    pub(super) async fn stop(self) -> Result<()> {
        let replicas = self.replicas.into_values().flatten();
        let mut stopping = tokio::task::JoinSet::new();
        for instance in replicas.filter_map(|replica| replica.instance) {
            stopping.spawn(instance.stop());
        }
        while let Some(stopped) = stopping.join_next().await {
            stopped??;
        }
        Ok(())
    }
}

fn log_directory(place: &Path, database: usize) -> PathBuf {
    place.join(format!("binary-log-{database}"))
}

/// What a command prints.
pub(super) async fn said(mut command: Command) -> Result<String> {
    let answer = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if !answer.status.success() {
        let program = PathBuf::from(command.as_std().get_program());
        bail!("{} ended with {}: {}", program.display(), answer.status, String::from_utf8_lossy(&answer.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
}
