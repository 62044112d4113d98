//! Where a battle is fought: a database of some kind, a cache, the payment simulator and the services, each a process of
//! its own that can be killed, and addresses that stay when that happens.
//!
//! Clients reach the gateway; it reaches booking and payment, which run twice, through balancers, as it would through a
//! cluster's Services. Dropping a room kills everything in it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::balancer::{Balancer, Choice};
use super::node::{Node, init_file};
use super::ports;
use super::store::Store;
use crate::migrate::{self, Load};
use crate::place::Place;
use crate::process::{Output, Process};
use crate::programs;
use crate::reconcile::Books;
use crate::servers::mariadb::{Server, galera_provider, init_statements};
use crate::servers::{CLIENT_FILE, Cache, Console, Database, REDIS_PROGRAMS, Servers};
use crate::services::{Ports, SERVICES, Service, internal};
use crate::settings::Settings;
use crate::system::{self, Address, Launcher, Replica};
use crate::visit::Provider;
use crate::welcome::tomorrow;
use crate::workspace::{Profile, Workspace};
use crate::{probe, report};

/// How long anything may take to become ready.
const PATIENCE: Duration = Duration::from_mins(2);

/// Seconds that unpaid seats are held: so short that holds expire by the hundred, and long enough to pay in a crowd.
const HOLD: &str = "30";

/// How many servers a cluster has: the fewest of which one may die.
const MEMBERS: usize = 3;

/// What the database is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One server.
    Alone,
    /// Three servers of a Galera cluster, of which one is written to.
    OneWriter,
    /// The same, and all are written to.
    ManyWriters,
    /// A server, and another one that follows it and that flight-service reads.
    Followed,
}

/// What all battles share: programs, secrets, and data to begin with.
pub(super) struct Camp<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) profile: Profile,
    pub(super) place: &'a Place,
    pub(super) logs: PathBuf,
    server: Server,
    template: PathBuf,
    console: Console,
    password: String,
}

impl<'a> Camp<'a> {
    /// Makes the data that every battle begins with: the demo data, and accounts for `clients` and one more.
    pub(super) async fn pitch(
        workspace: &'a Workspace,
        profile: Profile,
        place: &'a Place,
        logs: PathBuf,
        clients: usize,
    ) -> Result<Self> {
        let server = Server::installed().await?;
        let password = place.secret("database-password")?;
        let (empty, template) = (place.path("empty"), place.path("template"));
        server.make_data(place, &empty).await?;
        let mut node = Node::copy(&server, place, &place.path(""), &logs, "template", &empty).await?;
        let database = Database::private(node.port, password.clone(), server.description());
        let init = place.write_private("init.sql", &init_statements(&database))?;
        node.start(&[init_file(&init)]).await?;
        let console = Console::of(place.write_private(CLIENT_FILE, &database.client_options())?);
        for load in [Load::Schema, Load::DemoData] {
            migrate::run(load, workspace, profile, &Settings::default(), &database).await?;
        }
        Store::of(console.clone()).open_accounts(clients + 1).await?;
        node.stop().await?;
        drop(node);
        Ok(Self { workspace, profile, place, logs, server, template, console, password })
    }

    /// The way to the database server on `port`, whose data are a copy.
    fn store(&self, port: u16) -> Store {
        Store::of(self.console.at(port))
    }

    /// What the database server is.
    pub(super) fn server(&self) -> String {
        self.server.description()
    }

    /// What sessions are signed with.
    pub(super) fn secret_key(&self) -> Result<String> {
        self.place.secret("secret-key")
    }
}

/// The room of a battle.
pub(super) struct Room<'a> {
    camp: &'a Camp<'a>,
    directory: PathBuf,
    logs: PathBuf,
    pub(super) nodes: Vec<Node<'a>>,
    /// Where the services find the database.
    pub(super) database: u16,
    /// In front of the members of a cluster.
    pub(super) members: Option<Balancer>,
    cache: (u16, Option<Process>),
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
        let (nodes, members) = databases(camp, &directory, &logs, kind).await?;
        let database = members.as_ref().map_or(nodes[0].port, |balancer| balancer.port);
        let cache_port = ports::lasting()?;
        let cache = start_cache(camp, &directory, &logs, cache_port).await?;

        let mut doors = Vec::new();
        let mut replicas = Vec::new();
        let servers = Servers {
            database: Database::private(database, camp.password.clone(), String::new()),
            cache: Cache::private(cache_port),
        };
        let ports = Ports::any()?;
        let mut environment = system::environment(&Settings::default(), &ports, &servers, camp.place)?;
        let simulator_port = ports::lasting()?;
        for (name, value) in [
            ("LOG_FORMAT", "json"),
            ("BOOKING_HOLD_SECONDS", HOLD),
            ("RECONCILE_AFTER_SECONDS", "10"),
            ("RECONCILE_INTERVAL_SECONDS", "3"),
            ("DB_POOL_SIZE", "10"),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        for service in SERVICES.iter().filter(|service| is_wanted(service)) {
            let copies: Vec<u16> = (0..copies(service)).map(|_| public_port()).collect::<Result<_>>()?;
            for port in &copies {
                let replica = Replica::of(service, Address::here(*port));
                let follows = kind == Kind::Followed && service.name == "flight";
                replicas.push(if follows { replica.told("DB_PORT", nodes[1].port.to_string()) } else { replica });
            }
            let mut port = copies[0];
            if copies.len() > 1 {
                let ready = |server: SocketAddr| async move { Address::here(server.port()).is_ready().await.is_ok() };
                let copies = copies.into_iter().map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect();
                let door = Balancer::before(copies, Choice::Turns, ready).await?;
                port = door.port;
                doors.push(door);
            }
            let url = format!("http://127.0.0.1:{port}");
            if service.name == "payment" {
                environment.insert("BOOTPAY_WEBHOOK_URL".to_owned(), format!("{url}/api/payments/webhook"));
            }
            environment.insert(format!("{}_SERVICE_URL", service.name.to_uppercase()), url);
        }
        environment.insert("BOOTPAY_SIMULATOR_PORT".to_owned(), simulator_port.to_string());
        environment.insert("BOOTPAY_API_URL".to_owned(), format!("http://127.0.0.1:{simulator_port}/v2"));
        let state = directory.join("simulator.json").display().to_string();
        environment.insert("BOOTPAY_SIMULATOR_STATE".to_owned(), state);

        let launcher = Launcher::new(camp.workspace, camp.profile, environment, logs.clone(), camp.place)?;
        let simulator = launcher.start_simulator().await?;
        let gateway = replicas.iter().find(|replica| replica.service.name == "gateway");
        let gateway = gateway.context("there is no gateway")?.address.public;
        let mut room = Self {
            camp,
            directory,
            logs,
            nodes,
            database,
            members,
            cache: (cache_port, Some(cache)),
            launcher,
            replicas,
            _simulator: simulator,
            _doors: doors,
            gateway,
            provider: Provider::at(simulator_port),
        };
        for replica in &mut room.replicas {
            replica.start(&room.launcher).await?;
        }
        Ok(room)
    }

    /// The way to the database that services take.
    pub(super) fn store(&self) -> Store {
        self.camp.store(self.database)
    }

    /// The way to each server of it.
    pub(super) fn stores(&self) -> Vec<Store> {
        self.nodes.iter().map(|node| self.camp.store(node.port)).collect()
    }

    /// The numbers of the replicas of the service `name`.
    pub(super) fn replicas_of(&self, name: &str) -> Vec<usize> {
        (0..self.replicas.len()).filter(|n| self.replicas[*n].service.name == name).collect()
    }

    /// Starts a replica and waits until it is ready.
    pub(super) async fn start_replica(&mut self, replica: usize) -> Result<()> {
        self.replicas[replica].start(&self.launcher).await.map(drop)
    }

    /// Kills a replica (-9).
    pub(super) async fn kill_replica(&mut self, replica: usize) -> Result<()> {
        self.replicas[replica].kill().await
    }

    /// Kills the cache (-9). It keeps nothing.
    pub(super) async fn kill_cache(&mut self) -> Result<()> {
        kill(&mut self.cache.1).await
    }

    /// Starts the cache, empty.
    pub(super) async fn start_cache(&mut self) -> Result<()> {
        self.cache.1 = Some(start_cache(self.camp, &self.directory, &self.logs, self.cache.0).await?);
        Ok(())
    }

    /// Empties the cache.
    pub(super) async fn flush_cache(&self) -> Result<()> {
        Ok(probe::flush_redis(self.cache.0).await?)
    }

    /// Whether flight-service is ready, as its probe says.
    pub(super) async fn is_flight_ready(&self) -> bool {
        let flight = self.replicas.iter().find(|replica| replica.service.name == "flight");
        match flight {
            Some(flight) => flight.address.is_ready().await.is_ok(),
            None => false,
        }
    }

    /// Kills the member `node` of the cluster (-9).
    pub(super) async fn kill_node(&mut self, node: usize) -> Result<()> {
        self.nodes[node].kill().await
    }

    /// Starts a database server again; a member of a cluster goes on from where its data end.
    pub(super) async fn start_node(&mut self, node: usize) -> Result<()> {
        let mut more = Vec::new();
        if self.members.is_some() {
            more.push(format!("--wsrep-start-position={}", self.nodes[node].recovered_position().await?));
        }
        self.nodes[node].start(&more).await?;
        if self.members.is_some() {
            let store = self.camp.store(self.nodes[node].port);
            timeout(PATIENCE, async {
                while !store.is_synced().await {
                    sleep(Duration::from_millis(200)).await;
                }
            })
            .await
            .context("the member doesn't join its cluster again")?;
        }
        Ok(())
    }

    /// Has the books reconciled.
    pub(super) async fn reconcile(&self) -> Result<Books> {
        Books::of(&self.launcher).await
    }

    /// What the servers of a cluster count of what working together costs.
    pub(super) async fn costs(&self) -> Result<Vec<String>> {
        if self.members.is_none() {
            return Ok(Vec::new());
        }
        let mut costs = Vec::new();
        for (node, store) in self.nodes.iter().zip(self.stores()) {
            let [failed, aborted, replicated, paused] = [
                store.status("wsrep_local_cert_failures").await?,
                store.status("wsrep_local_bf_aborts").await?,
                store.status("wsrep_replicated").await?,
                store.status("wsrep_flow_control_paused_ns").await? / 1_000_000,
            ];
            costs.push(format!(
                "member {}: {replicated} transactions given to the others, {failed} refused by certification, {aborted} \
                 broken off for others', {paused} ms held back by slower members",
                node.name
            ));
        }
        Ok(costs)
    }

    /// Stops everything, the services before what they use, and removes the data.
    pub(super) async fn close(mut self) -> Result<()> {
        for replica in &mut self.replicas {
            replica.kill().await?;
        }
        for node in &mut self.nodes {
            node.kill().await?;
        }
        fs::remove_dir_all(&self.directory).with_context(|| format!("{} can't be removed", self.directory.display()))
    }
}

/// All but auth: sessions are signed here.
fn is_wanted(service: &Service) -> bool {
    service.name != "auth"
}

/// Those that are killed run twice.
fn copies(service: &Service) -> usize {
    if ["booking", "payment"].contains(&service.name) { 2 } else { 1 }
}

/// A lasting port with room above it.
fn public_port() -> Result<u16> {
    loop {
        let port = ports::lasting()?;
        if crate::services::is_free(internal(port)) {
            return Ok(port);
        }
    }
}

async fn kill(process: &mut Option<Process>) -> Result<()> {
    process.take().context("what is to be killed doesn't run")?.kill().await
}

async fn start_cache(camp: &Camp<'_>, directory: &Path, logs: &Path, port: u16) -> Result<Process> {
    let program = programs::find(&REDIS_PROGRAMS).context("neither redis-server nor valkey-server is installed")?;
    let mut command = Command::new(program);
    command.arg("--dir").arg(directory).args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    command.args(["--appendonly", "no", "--set-proc-title", "no"]);
    let mut process = Process::start("Redis", command, Output::File(&logs.join("redis.log")))?;
    camp.place.remember(&process)?;
    probe::until_ready(&mut process, PATIENCE, || probe::redis(port)).await?;
    Ok(process)
}

/// The servers of a database of this kind, running, and what stands in front of them.
async fn databases<'a>(
    camp: &'a Camp<'a>,
    directory: &Path,
    logs: &Path,
    kind: Kind,
) -> Result<(Vec<Node<'a>>, Option<Balancer>)> {
    let Camp { server, place, template, .. } = camp;
    let copy = |name: &'static str, of: &Path| {
        let of = of.to_owned();
        async move { Node::copy(server, place, directory, logs, name, &of).await }
    };
    match kind {
        Kind::Alone => {
            let mut node = copy("database", template).await?;
            node.start(&[]).await?;
            Ok((vec![node], None))
        }
        Kind::Followed => {
            let (mut primary, mut replica) = (copy("primary", template).await?, copy("replica", template).await?);
            primary.options = ["--log-bin=binlog", "--server-id=1", "--sync-binlog=1"].map(str::to_owned).into();
            replica.options = ["--server-id=2", "--read-only", "--relay-log=relay"].map(str::to_owned).into();
            primary.start(&[]).await?;
            replica.start(&[]).await?;
            camp.store(replica.port).follow(primary.port, &camp.password).await?;
            Ok((vec![primary, replica], None))
        }
        Kind::OneWriter | Kind::ManyWriters => {
            let nodes = cluster(camp, directory, logs, kind).await?;
            let store = camp.store(nodes[0].port);
            let synced = move |server: SocketAddr| {
                let store = store.at(server.port());
                async move { store.is_synced().await }
            };
            let choice = if kind == Kind::OneWriter { Choice::One } else { Choice::Turns };
            let balancer = Balancer::before(nodes.iter().map(Node::address).collect(), choice, synced).await?;
            Ok((nodes, Some(balancer)))
        }
    }
}

/// Three members of a new cluster, which begin with the same data: so none has to be sent all of them.
async fn cluster<'a>(camp: &'a Camp<'a>, directory: &Path, logs: &Path, kind: Kind) -> Result<Vec<Node<'a>>> {
    let provider = galera_provider().context("Galera is not installed: on Debian it is the package galera-4")?;
    open_to_others(camp.place)?;
    let names: [&str; MEMBERS] = ["one", "two", "three"];
    let talks: Vec<u16> = names.iter().map(|_| ports::lasting()).collect::<Result<_>>()?;
    let everybody: Vec<String> = talks.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let mut nodes: Vec<Node<'a>> = Vec::new();
    for (n, name) in names.into_iter().enumerate() {
        let template = nodes.first().map_or(camp.template.as_path(), Node::data).to_owned();
        let mut node = Node::copy(&camp.server, camp.place, directory, logs, name, &template).await?;
        let (incremental, whole) = (ports::lasting()?, ports::lasting()?);
        let talk = talks[n];
        node.options = vec![
            "--wsrep-on=ON".to_owned(),
            format!("--wsrep-provider={}", provider.display()),
            "--wsrep-cluster-name=cloudjet".to_owned(),
            format!("--wsrep-cluster-address=gcomm://{}", everybody.join(",")),
            format!("--wsrep-node-name={name}"),
            format!("--wsrep-node-address=127.0.0.1:{talk}"),
            format!("--wsrep-node-incoming-address=127.0.0.1:{}", node.port),
            "--wsrep-sst-method=rsync".to_owned(),
            format!("--wsrep-sst-receive-address=127.0.0.1:{whole}"),
            format!(
                "--wsrep-provider-options=base_host=127.0.0.1;base_port={talk};gmcast.listen_addr=tcp://127.0.0.1:{talk};\
                 ist.recv_addr=127.0.0.1:{incremental};gcache.size=128M"
            ),
            "--innodb-autoinc-lock-mode=2".to_owned(),
        ];
        if kind == Kind::ManyWriters {
            // What one server has acknowledged, a read of another must show.
            node.options.push("--wsrep-sync-wait=1".to_owned());
        }
        if nodes.is_empty() {
            // The first one founds the cluster, once for its name and place in the data, which the others copy.
            node.disown().await?;
            node.start(&["--wsrep-new-cluster".to_owned()]).await?;
            node.stop().await?;
            let _ = fs::remove_file(node.data().join("galera.cache"));
        } else {
            node.disown().await?;
        }
        nodes.push(node);
    }
    for (n, node) in nodes.iter_mut().enumerate() {
        let found = if n == 0 { vec!["--wsrep-new-cluster".to_owned()] } else { Vec::new() };
        node.start(&found).await?;
        let store = camp.store(node.port);
        let joined = async {
            while !store.is_synced().await {
                sleep(Duration::from_millis(100)).await;
            }
        };
        if timeout(PATIENCE, joined).await.is_err() {
            bail!("the member {} doesn't join the cluster; see {}", node.name, logs.display());
        }
    }
    Ok(nodes)
}

/// Lets other accounts through to the data, for members of a cluster that don't run as root.
fn open_to_others(place: &Place) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = place.path("");
    for directory in directory.ancestors().take(2) {
        let mut permissions = fs::metadata(directory)?.permissions();
        permissions.set_mode(permissions.mode() | 0o011);
        fs::set_permissions(directory, permissions)?;
    }
    Ok(())
}

/// The day whose flights are fought for.
pub(super) fn day() -> String {
    tomorrow()
}

/// Lets this process, and those it starts, have as many connections as the system allows.
pub(super) fn allow_many_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        report::note(format_args!("The number of connections can't be raised: {error}"));
    }
}
