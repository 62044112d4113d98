//! A database and a cache with the demo data, which go away with the run: what a command works on that spoils it.

use std::path::PathBuf;

use anyhow::Result;

use crate::install::{self, Needs};
use crate::migrate::{self, Load};
use crate::place::Place;
use crate::servers::{self, Servers};
use crate::services::Ports;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::{Profile, Workspace};
use crate::{build, report};

use super::Lines;

/// Builds all programs of a system and provides it with its servers, for `cargo xtask <run>`. Only servers that
/// `settings` name are the developer's.
pub(crate) async fn provide(
    run: &str,
    may_install: bool,
    profile: Profile,
    settings: &Settings,
    workspace: &Workspace,
    stack: &mut Stack,
) -> Result<Servers> {
    install::ensure(Needs::DatabaseAndCache, may_install, workspace, settings).await?;
    build::system(workspace, profile).await?;
    stack.settle(Place::throw_away(&workspace.throw_away(), run)?);
    let servers = report::step("Starting a throw-away database and cache", servers::provide(settings, stack)).await?;
    for load in [Load::Schema, Load::DemoData] {
        migrate::run(load, workspace, profile, settings, &servers.database).await?;
    }
    Ok(servers)
}

/// Starts a whole system of that, which nobody else knows. What it says goes into a file for each program in `logs`.
pub(crate) async fn start(
    run: &str,
    may_install: bool,
    profile: Profile,
    settings: &Settings,
    logs: PathBuf,
    workspace: &Workspace,
    stack: &mut Stack,
) -> Result<(Ports, Servers)> {
    let servers = provide(run, may_install, profile, settings, workspace, stack).await?;
    let ports = Ports::any()?;
    super::start(workspace, profile, settings, &ports, &servers, &Lines::In(logs), stack).await?;
    Ok((ports, servers))
}
