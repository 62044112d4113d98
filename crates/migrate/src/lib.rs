//! Brings a database up to date: the schema, then the administrator's account, then, where asked for, demo data.
//! The database of the system this one replaces is adopted on the way: see [`adoption`].
//!
//! A run may be cut off at any point, repeated at any time and started twice at once: the history knows what is
//! done and what was begun, one named lock of the database lets one run work at a time, and accounts and demo data
//! are only ever completed. `migrations/README.md` has the rules the files obey.
//!
//! Nothing here uses sqlx's query macros: this program must build before there is a database they could ask.

mod accounts;
mod administrator;
pub mod adoption;
pub mod demo;
mod error;
pub mod history;
mod lock;
mod passwords;
mod server;
mod settings;
mod step;

pub use administrator::Administrator;
pub use error::Error;
pub use settings::{Faults, Settings, Task};
pub use step::{Reporter, Step};

use common::clock::Clock;
use common::db;
use sqlx::Connection;
use sqlx::migrate::Migrator;
use sqlx::mysql::MySqlConnectOptions;

use crate::history::Status;

/// What a run does once the schema is up to date.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The account to make the administrator's, if any.
    pub administrator: Option<Administrator>,
    /// Whether to load demo data.
    pub demo: bool,
    /// Whether to hash passwords that are stored as plain text.
    pub hash_plain_passwords: bool,
}

/// Brings the database that `database` names up to date with `migrator`, creating it if need be, and carries out
/// `plan`. Tells `report` each thing it did as soon as it is done.
pub async fn run(
    database: &MySqlConnectOptions,
    migrator: &Migrator,
    plan: &Plan,
    clock: &Clock,
    report: Reporter<'_>,
) -> Result<(), Error> {
    let mut changed = server::ensure_database(database, report).await?;
    let mut connection = server::connect(database).await?;
    let lock = lock::acquire(&mut connection, server::name(database), report).await?;

    changed |= adoption::or_history(&mut connection, migrator, report).await?;
    if plan.hash_plain_passwords {
        changed |= passwords::hash_waiting(&mut connection, report).await?;
    }
    if plan.administrator.is_some() || plan.demo {
        let pool = db::pool_options().max_connections(1).connect_lazy_with(database.clone());
        if let Some(administrator) = &plan.administrator {
            changed |= administrator::ensure(&pool, administrator, report).await?;
        }
        if plan.demo {
            changed |= demo::load(&pool, clock, report).await?;
        }
        pool.close().await;
    }
    if plan.administrator.is_none() {
        report(Step::NoAdministrator);
    }
    if !changed {
        report(Step::NothingToDo);
    }

    lock.release(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// What `migrator` and the database that `database` names know of each other. Changes nothing, waits for nobody.
pub async fn status(database: &MySqlConnectOptions, migrator: &Migrator) -> Result<Status, Error> {
    let mut connection = server::connect(database).await?;
    let status = history::status(&mut connection, migrator).await?;
    connection.close().await?;
    Ok(status)
}

/// Tells what a run would change in the rows of the original's database, and changes nothing.
pub async fn rehearse(database: &MySqlConnectOptions, report: Reporter<'_>) -> Result<(), Error> {
    let mut connection = server::connect(database).await?;
    let preview = adoption::preview(&mut connection).await?;
    connection.close().await?;
    let adopts = preview.is_some();
    if let Some(preview) = preview {
        report(Step::Report(preview));
    }
    report(Step::Rehearsed { adopts });
    Ok(())
}
