//! The private system a drill is held on: a database that writes a binary log, a cache, the payment simulator, and two
//! replicas of each service, which can be lost and restarted one at a time.
//!
//! As in production there are two kinds of database users: the one the servers are made with changes the schema and
//! takes the backups; the services' own may read and write rows, and no more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::commands::reconcile::Books;
use crate::install::{self, Needs};
use crate::migrate::{self, Load};
use crate::place::Place;
use crate::servers::{CLIENT_FILE, Console, DATABASE_NAME, Database, Servers, mariadb, redis, require_mariadb};
use crate::services::{Ports, described};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::system::{self, Address, Launcher, Replica};
use crate::visit::{DELAY, Doors, Probes, Provider};
use crate::workspace::{Profile, Workspace};
use crate::{build, random, report};

/// How long the probes of all replicas may take to say yes.
const PATIENCE: Duration = Duration::from_mins(1);

/// The services' first database user.
const USER: &str = "cloudjet_rows";

/// The system.
pub(super) struct Site<'a> {
    pub(super) launcher: Launcher<'a>,
    place: PathBuf,
    /// The way to the database of who may change the schema.
    pub(super) console: Console,
    pub(super) servers: Servers,
    pub(super) provider: Provider,
    pub(super) doors: Doors,
    _probes: Probes,
    /// Two of each service.
    replicas: Vec<Replica>,
    /// How many databases there have been: each has a binary log of its own.
    databases: usize,
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
        let ports = Ports::any()?;
        let mut environment = system::environment(&settings, &ports, &servers, stack.place()?)?;
        environment.insert("LOG_FORMAT".to_owned(), "json".to_owned());
        environment.insert("SHUTDOWN_DELAY_SECONDS".to_owned(), DELAY.to_string());
        let console = Console::of(place.join(CLIENT_FILE));
        let launcher = Launcher::new(workspace, profile, environment, workspace.drill_logs(), stack.place()?)?;
        let provider = Provider::at(ports.simulator.context("the simulator has no port")?);
        let mut replicas = Vec::new();
        for service in described() {
            let usual = Address::here(ports.of(service.name).context("a service has no port")?);
            replicas.extend([(1, usual), (2, Address::any()?)].map(|(n, address)| Replica::of(service, n, address)));
        }
        let (doors, probes) = Doors::watch(replicas.iter().map(|replica| (replica.service.name, replica.address)));
        let mut site =
            Self { launcher, place, console, servers, provider, doors, _probes: probes, replicas, databases: 1 };
        site.take_user(USER).await?;
        stack.push_worker(site.launcher.start_simulator().await?)?;
        report::step("Starting two replicas of each service", site.roll(&services())).await?;
        site.until_ready().await?;
        Ok(site)
    }

    /// Restarts the replicas of these `services`, one at a time, with the settings as they are by now. Tells how many.
    pub(super) async fn roll(&mut self, services: &[&str]) -> Result<usize> {
        let mut restarts = 0;
        for replica in self.replicas.iter_mut().filter(|replica| services.contains(&replica.service.name)) {
            replica.stop().await?;
            replica.start(&self.launcher).await?;
            // The next one stops only when customers know of this one, as a cluster sees to it.
            self.doors.until_open(replica.address.public).await?;
            restarts += 1;
        }
        Ok(restarts)
    }

    /// Waits until the probes of all replicas have said yes.
    pub(super) async fn until_ready(&self) -> Result<()> {
        timeout(PATIENCE, self.doors.until_all_open()).await.context("not every service becomes ready")
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
        let environment = &self.launcher.environment;
        self.create_user(&environment["DB_USER"], &environment["DB_PASSWORD"]).await
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
        let environment = &mut self.launcher.environment;
        environment.insert("DB_USER".to_owned(), user.to_owned());
        environment.insert("DB_PASSWORD".to_owned(), password);
        Ok(())
    }

    async fn create_user(&self, user: &str, password: &str) -> Result<()> {
        let statements = format!(
            "create user '{user}'@'%' identified by '{password}';
             grant select, insert, update, delete on {DATABASE_NAME}.* to '{user}'@'%';"
        );
        self.console.run(&statements).await
    }

    /// The database as who may change the schema reaches it.
    pub(super) fn owner(&self) -> &Database {
        &self.servers.database
    }

    /// Lets some minutes pass for what people began to pay: younger orders aren't asked about, because they may be on
    /// their way.
    pub(super) async fn let_minutes_pass(&self) -> Result<((), String)> {
        self.console.run("update payments set created_at = created_at - interval 5 minute").await?;
        Ok(((), "in the database: a younger order isn't asked about".to_owned()))
    }

    /// Has the books reconciled.
    pub(super) async fn reconcile(&self) -> Result<(Books, String)> {
        let books = Books::of(&self.launcher).await?;
        let told = books.told();
        Ok((books, told))
    }

    /// A file of the drill's own.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// Stops the services in good order.
    pub(super) async fn stop(self) -> Result<()> {
        let mut stopping = JoinSet::new();
        for mut replica in self.replicas {
            stopping.spawn(async move { replica.stop().await });
        }
        while let Some(stopped) = stopping.join_next().await {
            stopped??;
        }
        Ok(())
    }
}

/// The names of all services that have replicas here.
pub(super) fn services() -> Vec<&'static str> {
    described().map(|service| service.name).collect()
}

fn log_directory(place: &Path, database: usize) -> PathBuf {
    place.join(format!("binary-log-{database}"))
}
