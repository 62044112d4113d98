//! Adopting the database of the original: every row and every id stays, and the schema becomes ours.
//!
//! The original's eight tables are set aside by one statement, which also ends its writing. What can't stay as it was
//! is found then and put down in a [ledger]; our own history makes our tables; rows are [copied](copy) into them by
//! the ledger, [completed](complete) with what our rules live by, and entered into `events`. Only then the tables that
//! were set aside go. Their names tell how far an adoption is, so a run that was cut off goes on where it was.
//!
//! The one trap is to look twice: what is found must be found before anything is changed, or a resumed run would
//! find less than the first one, and report less. So there is one ledger, and the tables it was made from are not
//! touched.

mod complete;
mod copy;
mod fix;
mod ledger;
mod original;
mod repairs;
mod report;

use sqlx::MySqlConnection;
use sqlx::migrate::Migrator;

use self::original::{ASIDE, Found};
use self::repairs::Source;
pub use self::report::{Line, Report};
use crate::error::Error;
use crate::step::{Reporter, Step};
use crate::{history, passwords};

/// Brings the schema up to date, adopting the original's database where it is one. Answers whether there was anything
/// to do. Whoever calls it holds the lock.
pub(crate) async fn or_history(
    connection: &mut MySqlConnection,
    migrator: &Migrator,
    report: Reporter<'_>,
) -> Result<bool, Error> {
    match original::recognise(connection).await? {
        Found::Ours => history::apply(connection, migrator, report).await,
        Found::Original => {
            original::check(connection).await?;
            ledger::open(connection).await?;
            copy::set_aside(connection, report).await?;
            adopt(connection, migrator, report).await
        }
        Found::SetAside => adopt(connection, migrator, report).await,
        Found::Leftovers => finish(connection, report).await,
    }
}

/// What adopting would change. `None`: there is nothing to adopt. Changes nothing.
pub(crate) async fn preview(connection: &mut MySqlConnection) -> Result<Option<Report>, Error> {
    match original::recognise(connection).await? {
        Found::Ours | Found::Leftovers => Ok(None),
        Found::Original => {
            original::check(connection).await?;
            planned(connection, "").await.map(Some)
        }
        Found::SetAside => planned(connection, ASIDE).await.map(Some),
    }
}

async fn planned(connection: &mut MySqlConnection, prefix: &'static str) -> Result<Report, Error> {
    let lines = repairs::all(&mut Source::new(connection, prefix)).await?.into_iter().map(Line::from).collect();
    let plain_passwords = passwords::waiting(connection, &format!("{prefix}users")).await?;
    Ok(Report { lines, plain_passwords })
}

async fn adopt(connection: &mut MySqlConnection, migrator: &Migrator, report: Reporter<'_>) -> Result<bool, Error> {
    if !ledger::is_written(connection).await? {
        report(Step::Examining);
        let fixes = repairs::all(&mut Source::new(connection, ASIDE)).await?;
        ledger::write(connection, &fixes).await?;
        report(Step::Examined { fixes: fixes.len() });
    }
    history::apply(connection, migrator, report).await?;
    copy::copy(connection, report).await?;
    complete::complete(connection, report).await?;
    ledger::record(connection).await?;
    let plain_passwords = passwords::waiting(connection, "users").await?;
    report(Step::Report(Report { lines: ledger::lines(connection).await?, plain_passwords }));
    finish(connection, report).await
}

async fn finish(connection: &mut MySqlConnection, report: Reporter<'_>) -> Result<bool, Error> {
    copy::drop_originals(connection).await?;
    report(Step::Adopted);
    Ok(true)
}
