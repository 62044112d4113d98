//! `cargo xtask up`: the whole system on this machine, from a fresh checkout to a booking.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::build;
use crate::install::{self, Needs};
use crate::migrate::{self, Load};
use crate::place::Place;
use crate::process::{Output, Process};
use crate::servers::{self, Servers};
use crate::services::{Ports, SERVICES, SIMULATOR_PORT_SETTING, Service, internal};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::welcome::{self, Welcome};
use crate::workspace::{Profile, Workspace};
use crate::{probe, report};

/// What the payment simulator is called.
const SIMULATOR: &str = "bootpay";

/// How long a service may take to become ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// Start the whole system: database, cache, services, gateway and a payment simulator.
///
/// Builds, starts a private database and cache (their data stays under target/cloudjet), migrates, loads demo data,
/// starts everything, shows where it is and what to try, and then the logs until Ctrl-C.
///
/// DB_HOST or REDIS_HOST, in the environment or in .env, name a database or cache to use instead, BOOTPAY_API_URL a
/// payment provider instead of the simulator, and <NAME>_SERVICE_PORT another port for a service.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Start over: forget the private database, the cache, and the simulator's payments.
    #[arg(long)]
    fresh: bool,
    /// Run optimised binaries.
    #[arg(long)]
    release: bool,
    /// Never install missing servers.
    #[arg(long)]
    no_install: bool,
    /// Load no demo flights and accounts.
    #[arg(long)]
    no_demo: bool,
}

/// The settings that all services get.
type Environment = BTreeMap<String, String>;

/// Runs the command until something ends; it is for the caller to stop the stack.
pub(crate) async fn run(
    arguments: &Arguments,
    workspace: &Workspace,
    settings: &Settings,
    stack: &mut Stack,
) -> Result<()> {
    stack.settle(Place::take(&workspace.home(), "up")?);
    let ports = Ports::from_settings(settings)?;
    ports.check_free()?;
    install::ensure(Needs::DatabaseAndCache, !arguments.no_install, workspace, settings).await?;
    let profile = if arguments.release { Profile::Release } else { Profile::Debug };
    build::system(workspace, profile).await?;

    if arguments.fresh {
        stack.place()?.clear()?;
    }
    let servers = report::step("Starting the database and the cache", servers::provide(settings, stack)).await?;
    migrate::run(Load::Schema, workspace, profile, settings, &servers.database).await?;
    if !arguments.no_demo {
        migrate::run(Load::DemoData, workspace, profile, settings, &servers.database).await?;
    }

    let environment = environment(settings, &ports, &servers, stack.place()?)?;
    start_services(workspace, profile, &ports, &environment, stack)?;
    let ready = report::step("Waiting until all services are ready", until_ready(&ports, stack)).await?;

    let accounts = welcome::accounts(settings, !arguments.no_demo);
    report::say(Welcome { ports: &ports, servers: &servers, ready: &ready, accounts: &accounts });
    stack.is_up();
    let (process, status) = stack.first_end().await?;
    bail!("{}\nEverything else is stopped too.", process.obituary(status).await)
}

fn environment(settings: &Settings, ports: &Ports, servers: &Servers, place: &Place) -> Result<Environment> {
    let mut environment = settings.all().clone();
    let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
    set("CLOUDJET_ENV", "development".to_owned());
    set("LOG_FORMAT", settings.get_or("LOG_FORMAT", "human").to_owned());
    let secret_key = match settings.get("SECRET_KEY") {
        Some(key) => key.to_owned(),
        None => place.secret("secret-key")?,
    };
    set("SECRET_KEY", secret_key);
    for (name, value) in servers.database.environment().into_iter().chain(servers.cache.environment()) {
        set(name, value);
    }
    for (service, port) in ports.services() {
        set(service.port_setting, port.to_string());
        let url_setting = format!("{}_SERVICE_URL", service.name.to_uppercase());
        if settings.get(&url_setting).is_none() {
            set(&url_setting, format!("http://127.0.0.1:{port}"));
        }
    }
    if let Some(port) = ports.simulator {
        let payment = ports.of("payment").unwrap_or_default();
        set(SIMULATOR_PORT_SETTING, port.to_string());
        set("BOOTPAY_SIMULATOR_STATE", place.path("simulator.json").display().to_string());
        set("BOOTPAY_WEBHOOK_URL", format!("http://127.0.0.1:{payment}/api/payments/webhook"));
        set("BOOTPAY_API_URL", format!("http://127.0.0.1:{port}/v2"));
        set("BOOTPAY_REST_APPLICATION_ID", "demo-rest".to_owned());
        set("BOOTPAY_PRIVATE_KEY", "demo-private-key".to_owned());
        set("BOOTPAY_APPLICATION_ID", "demo-web".to_owned());
    }
    Ok(environment)
}

fn start_services(
    workspace: &Workspace,
    profile: Profile,
    ports: &Ports,
    environment: &Environment,
    stack: &mut Stack,
) -> Result<()> {
    let mut start = |name: &str, binary: &str, internal_port: Option<u16>| {
        let mut command = Command::new(workspace.binary(binary, profile));
        command.current_dir(workspace.root()).envs(environment);
        if let Some(port) = internal_port {
            command.env("INTERNAL_PORT", port.to_string());
        }
        let writer = stack.logs().writer(name);
        stack.push_worker(Process::start(name, command, Output::Log(writer))?)
    };
    if ports.simulator.is_some() {
        start(SIMULATOR, build::SIMULATOR, None)?;
    }
    ports.services().try_for_each(|(service, port)| start(service.name, service.package, Some(internal(port))))
}

/// Waits for all, and tells how long each took, in the order of [`SERVICES`].
async fn until_ready(ports: &Ports, stack: &mut Stack) -> Result<Vec<Duration>> {
    let mut probes: JoinSet<(&'static str, io::Result<Duration>)> = JoinSet::new();
    for (&Service { name, .. }, port) in ports.services() {
        probes
            .spawn(async move { (name, probe::until_yes(PATIENCE, || probe::http(internal(port), "/readyz")).await) });
    }
    if let Some(port) = ports.simulator {
        probes.spawn(async move { (SIMULATOR, probe::until_yes(PATIENCE, || probe::http(port, "/health")).await) });
    }
    let mut ready = BTreeMap::new();
    while !probes.is_empty() {
        tokio::select! {
            Some(answer) = probes.join_next() => match answer? {
                (name, Ok(elapsed)) => { ready.insert(name, elapsed); }
                (name, Err(error)) => bail!("{}", stack.not_ready(name, &error).await),
            },
            end = stack.first_end() => {
                let (process, status) = end?;
                bail!("{}", process.obituary(status).await);
            }
        }
    }
    Ok(SERVICES.iter().filter_map(|service| ready.get(service.name).copied()).collect())
}
