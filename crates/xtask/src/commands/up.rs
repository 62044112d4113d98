//! `cargo xtask up`: the whole system on this machine, from a fresh checkout to a booking.

use anyhow::{Result, bail};

use crate::build;
use crate::commands::reconcile;
use crate::install::{self, Needs};
use crate::migrate::{self, Load};
use crate::place::Place;
use crate::report;
use crate::servers;
use crate::services::Ports;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::system::{self, Lines};
use crate::welcome::{self, Welcome};
use crate::workspace::{Profile, Workspace};

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

    let environment = system::environment(settings, &ports, &servers, stack.place()?)?;
    reconcile::remember(reconcile::program(workspace, profile), &environment, settings, stack.place()?)?;
    let ready = system::start(workspace, profile, settings, &ports, &servers, &Lines::Shown, stack).await?;

    let accounts = welcome::accounts(settings, !arguments.no_demo);
    report::say(Welcome { ports: &ports, servers: &servers, ready: &ready, accounts: &accounts });
    stack.is_up();
    let (process, status) = stack.first_end().await?;
    bail!("{}\nEverything else is stopped too.", process.obituary(status).await)
}
