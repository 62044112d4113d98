//! A running system: every service on its port, around a database and a cache.
//!
//! [`start`] starts all of it at once, for those who use it. Who measures or kills single services starts them one at a
//! time, by a [`Launcher`]: each is a [`Replica`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::build;
use crate::place::Place;
use crate::process::{Output, Process};
use crate::servers::Servers;
use crate::services::{Ports, SERVICES, SIMULATOR_PORT_SETTING, Service, internal};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::{Profile, Workspace};
use crate::{probe, report};

pub(crate) mod demo;
mod launcher;
mod replica;

pub(crate) use launcher::Launcher;
pub(crate) use replica::{Address, Replica};

/// What the payment simulator is called.
const SIMULATOR: &str = "bootpay";

/// How long a service may take to become ready, or to stop.
const PATIENCE: Duration = Duration::from_mins(2);

/// The settings that all services get.
pub(crate) type Environment = BTreeMap<String, String>;

/// Where the services' log lines go.
pub(crate) enum Lines {
    /// To our own output, once the stack is up.
    Shown,
    /// Into a file for each service in this directory, which is made.
    In(PathBuf),
}

/// Starts everything, waits until it is ready, and tells how long each service took, in the order of [`SERVICES`].
pub(crate) async fn start(
    workspace: &Workspace,
    profile: Profile,
    settings: &Settings,
    ports: &Ports,
    servers: &Servers,
    lines: &Lines,
    stack: &mut Stack,
) -> Result<Vec<Duration>> {
    let environment = environment(settings, ports, servers, stack.place()?)?;
    if let Lines::In(directory) = lines {
        fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
    }
    let mut start = |name: &str, command: Command| {
        let process = match lines {
            Lines::Shown => Process::start(name, command, Output::Log(stack.logs().writer(name))),
            Lines::In(directory) => Process::start(name, command, Output::File(&directory.join(format!("{name}.log")))),
        };
        stack.push_worker(process?)
    };
    if ports.simulator.is_some() {
        start(SIMULATOR, workspace.program(build::SIMULATOR, profile, &environment))?;
    }
    for (service, port) in ports.services() {
        let mut command = workspace.program(service.package, profile, &environment);
        command.envs(Address::here(port).settings(service));
        start(service.name, command)?;
    }
    report::step("Waiting until all services are ready", until_ready(ports, stack)).await
}

/// What leads services on `ports` to `servers` and to one another.
pub(crate) fn environment(settings: &Settings, ports: &Ports, servers: &Servers, place: &Place) -> Result<Environment> {
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
        set("BOOTPAY_SIMULATOR_STATE", place.path("simulator.jsonl").display().to_string());
        set("BOOTPAY_WEBHOOK_URL", format!("http://127.0.0.1:{payment}/api/payments/webhook"));
        set("BOOTPAY_API_URL", format!("http://127.0.0.1:{port}/v2"));
        set("BOOTPAY_REST_APPLICATION_ID", "demo-rest".to_owned());
        set("BOOTPAY_PRIVATE_KEY", "demo-private-key".to_owned());
        set("BOOTPAY_APPLICATION_ID", "demo-web".to_owned());
    }
    Ok(environment)
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
