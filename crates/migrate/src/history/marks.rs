//! The SQL of `_sqlx_migrations`, the table in which a database remembers its history, in sqlx's own format.

use std::time::{Duration, Instant};

use common::db;
use sqlx::migrate::Migration;
use sqlx::{Connection, Executor, MySqlConnection};

/// Its name.
pub(super) const TABLE: &str = "_sqlx_migrations";

/// What the database remembers of a migration.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) version: i64,
    /// Whether it is known to have happened.
    pub(super) success: bool,
    /// Of the file it was.
    pub(super) checksum: Vec<u8>,
}

/// Everything the database remembers.
pub(super) async fn all(connection: &mut MySqlConnection) -> sqlx::Result<Vec<Mark>> {
    let rows: Vec<(i64, bool, Vec<u8>)> =
        sqlx::query_as("select version, success, checksum from _sqlx_migrations order by version")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(version, success, checksum)| Mark { version, success, checksum }).collect())
}

/// Marks `migration` as begun, runs it, and marks it as done.
///
/// One that only changes rows does all three at once. DDL commits the first mark before it begins, and the second
/// comes after it; a mark that an earlier run left stays as it is until then.
pub(super) async fn run(connection: &mut MySqlConnection, migration: &Migration) -> sqlx::Result<()> {
    let started = Instant::now();
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (?, ?, false, ?, -1)
         on duplicate key update version = version",
    )
    .bind(migration.version)
    .bind(&*migration.description)
    .bind(&*migration.checksum)
    .execute(&mut *transaction)
    .await?;
    transaction.execute(migration.sql.clone()).await?;
    complete(&mut transaction, migration, started.elapsed()).await?;
    db::commit(transaction).await
}

/// Marks `migration`, which is marked as begun, as done.
pub(super) async fn complete(
    connection: &mut MySqlConnection,
    migration: &Migration,
    took: Duration,
) -> sqlx::Result<()> {
    sqlx::query(
        "update _sqlx_migrations set success = true, description = ?, checksum = ?, execution_time = ?
         where version = ?",
    )
    .bind(&*migration.description)
    .bind(&*migration.checksum)
    .bind(i64::try_from(took.as_nanos()).unwrap_or(i64::MAX))
    .bind(migration.version)
    .execute(connection)
    .await
    .map(drop)
}

/// Forgets that `migration` was begun.
pub(super) async fn remove(connection: &mut MySqlConnection, migration: &Migration) -> sqlx::Result<()> {
    sqlx::query("delete from _sqlx_migrations where version = ? and not success")
        .bind(migration.version)
        .execute(connection)
        .await
        .map(drop)
}
