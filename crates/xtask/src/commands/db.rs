//! `cargo xtask db`: a migrated database to write queries against.

use std::fs;

use anyhow::{Result, bail};

use crate::build;
use crate::install::{self, Needs};
use crate::migrate::{self, Load};
use crate::place::{Place, Taken};
use crate::programs;
use crate::report::{self, Style, paint};
use crate::servers::{self, CLIENT_FILE, DATABASE_NAME, Database, URL_FILE};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::{Profile, Workspace};

/// Provide the migrated database to write queries against, until Ctrl-C.
///
/// It is the private database of `cargo xtask up`; while that is running, this only tells how to reach it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Start over with an empty database.
    #[arg(long)]
    fresh: bool,
    /// Never install a missing server.
    #[arg(long)]
    no_install: bool,
}

/// Runs the command until the database ends, or returns at once if another run or the settings provide one.
pub(crate) async fn run(
    arguments: &Arguments,
    workspace: &Workspace,
    settings: &Settings,
    stack: &mut Stack,
) -> Result<()> {
    match Place::take(&workspace.home(), "db") {
        Ok(place) => stack.settle(place),
        Err(error) if error.is::<Taken>() && !arguments.fresh => {
            let Ok(url) = fs::read_to_string(workspace.home().join(URL_FILE)) else { return Err(error) };
            report::say(ways_in(&url, workspace));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    install::ensure(Needs::Database, !arguments.no_install, workspace, settings).await?;
    build::migrate(workspace).await?;
    if arguments.fresh {
        stack.place()?.clear()?;
    }
    let database = report::step("Starting the database", servers::provide_database(settings, stack)).await?;
    migrate::run(Load::Schema, workspace, Profile::Debug, settings, &database).await?;
    if Database::from_settings(settings)?.is_some() {
        report::say(format_args!("{} is migrated.", database.description));
        return Ok(());
    }
    report::say(ways_in(&database.url(), workspace));
    report::note(paint(Style::Dim, "Ctrl-C stops it."));
    stack.is_up();
    let (process, status) = stack.first_end().await?;
    bail!("{}", process.obituary(status).await)
}

/// How to reach the private database from a build and from a shell.
fn ways_in(url: &str, workspace: &Workspace) -> String {
    let client = if programs::find(&["mariadb"]).is_none() && programs::find(&["mysql"]).is_some() {
        "mysql"
    } else {
        "mariadb"
    };
    let options = workspace.home().join(CLIENT_FILE);
    format!("export DATABASE_URL={url}\n{client} --defaults-file={} {DATABASE_NAME}", workspace.shown(&options))
}
