//! The way to the server, and to a database that may not exist yet.

use std::time::Duration;

use common::db;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, MySqlConnection};

use crate::error::Error;
use crate::step::{Reporter, Step};

/// How long the server may take to let us in.
const PATIENCE: Duration = Duration::from_secs(10);

/// Every user may look into this database, so it is where one can stand to create another.
const ALWAYS_THERE: &str = "information_schema";

/// The name of the database that `options` lead to.
pub(crate) fn name(options: &MySqlConnectOptions) -> &str {
    options.get_database().unwrap_or_default()
}

/// A connection of our own, prepared like those of the services.
///
/// A migration that waits for a table makes everybody after it wait for that table, too; so it gives up soon, and
/// [`crate::history`] tries again. The engine's own wait counts as well: MariaDB takes it at an `alter table`'s end, for the
/// tables that foreign keys name, and can't see that who has them waits for this table.
pub(crate) async fn connect(options: &MySqlConnectOptions) -> Result<MySqlConnection, Error> {
    let unreachable =
        |source| Error::Unreachable { address: format!("{}:{}", options.get_host(), options.get_port()), source };
    let mut connection = match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) if db::is_outage(&error) => return Err(unreachable(Some(error))),
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => return Err(unreachable(None)),
    };
    db::prepare(&mut connection).await?;
    connection.execute("set session lock_wait_timeout = 3, innodb_lock_wait_timeout = 3").await?;
    Ok(connection)
}

/// Creates the database if there is none. Answers whether it did.
pub(crate) async fn ensure_database(options: &MySqlConnectOptions, report: Reporter<'_>) -> Result<bool, Error> {
    let name = name(options);
    match connect(options).await {
        Ok(connection) => {
            connection.close().await?;
            return Ok(false);
        }
        // Unknown database; and what a user is told who may not even know whether it is.
        Err(Error::Database(error)) if matches!(db::number(&error), Some(1049 | 1044)) => {}
        Err(error) => return Err(error),
    }
    let mut connection = connect(&options.clone().database(ALWAYS_THERE)).await?;
    let statement =
        format!("create database if not exists {} character set utf8mb4 collate utf8mb4_unicode_ci", quoted(name));
    let created = connection.execute(AssertSqlSafe(statement)).await;
    connection.close().await?;
    match created {
        Ok(_) => {
            report(Step::CreatedDatabase { name: name.to_owned() });
            Ok(true)
        }
        Err(source) if matches!(db::number(&source), Some(1044 | 1045 | 1227)) => {
            Err(Error::NotCreated { name: name.to_owned(), source })
        }
        Err(error) => Err(error.into()),
    }
}

/// `name` as an identifier that can't be mistaken for anything else.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_end_its_quotes() {
        assert_eq!(quoted("cloudjet"), "`cloudjet`");
        assert_eq!(quoted("x`; drop database y; -- "), "`x``; drop database y; -- `");
    }
}
