//! Running the `migrate` program against a database.

use anyhow::{Context as _, Result};

use crate::build;
use crate::process::run_quietly;
use crate::report;
use crate::servers::Database;
use crate::settings::Settings;
use crate::workspace::{Profile, Workspace};

/// The administrator's account of a development system, where the settings name none.
pub(crate) const ADMIN: [(&str, &str); 2] = [("ADMIN_EMAIL", "admin@cloudjet.com"), ("ADMIN_PASSWORD", "admin123")];

/// What `migrate` does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// The schema and the administrator's account.
    Schema,
    /// Flights, prices and accounts to try things with.
    DemoData,
}

/// Runs the built `migrate`.
pub(crate) async fn run(
    load: Load,
    workspace: &Workspace,
    profile: Profile,
    settings: &Settings,
    database: &Database,
) -> Result<()> {
    let mut command = workspace.program(build::MIGRATE, profile, settings.all());
    for (name, default) in ADMIN {
        command.env(name, settings.get_or(name, default));
    }
    command.envs([("CLOUDJET_ENV", "development"), ("LOG_FORMAT", settings.get_or("LOG_FORMAT", "human"))]);
    command.envs(database.environment());
    let (doing, failure) = match load {
        Load::Schema => (
            "Migrating the database",
            "The database could not be migrated; what was done is kept, and the next run goes on from there",
        ),
        Load::DemoData => {
            command.arg("--demo");
            ("Loading the demo data", "The demo data could not be loaded")
        }
    };
    report::step(doing, run_quietly(build::MIGRATE, command)).await.context(failure)
}
