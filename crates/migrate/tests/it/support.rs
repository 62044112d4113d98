//! What the tests do again and again.

use common::clock::Clock;
use common::db::MIGRATOR;
use migrate::{Error, Plan, Step};
use sqlx::migrate::{Migration, Migrator};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySqlConnection};

/// Runs with all migrations, and tells what that did.
pub(crate) async fn run(database: &MySqlConnectOptions, plan: &Plan, clock: &Clock) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    migrate::run(database, &MIGRATOR, plan, clock, &mut |step| steps.push(step)).await?;
    Ok(steps)
}

/// Runs with `migrator` and nothing else to do.
pub(crate) async fn migrate_with(database: &MySqlConnectOptions, migrator: &Migrator) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    migrate::run(database, migrator, &Plan::default(), &Clock::system(), &mut |step| steps.push(step)).await?;
    steps.retain(|step| *step != Step::NoAdministrator);
    Ok(steps)
}

/// Runs with all migrations and nothing else to do.
pub(crate) async fn migrate(database: &MySqlConnectOptions) -> Result<Vec<Step>, Error> {
    migrate_with(database, &MIGRATOR).await
}

/// The first `count` of our migrations.
pub(crate) fn first(count: usize) -> Migrator {
    Migrator::with_migrations(MIGRATOR.iter().take(count).cloned().collect())
}

/// How many migrations these steps say were applied.
pub(crate) fn applied(steps: &[Step]) -> usize {
    steps.iter().filter(|step| matches!(step, Step::Applied { .. })).count()
}

/// A connection of the test's own.
pub(crate) async fn connect(database: &MySqlConnectOptions) -> MySqlConnection {
    let mut connection = database.connect().await.expect("a connection");
    common::db::prepare(&mut connection).await.expect("a prepared connection");
    connection
}

/// Executes `sql`.
pub(crate) async fn execute(connection: &mut MySqlConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The number that `sql` asks for.
pub(crate) async fn number(connection: &mut MySqlConnection, sql: &str) -> i64 {
    let sql = format!("select cast(({sql}) as signed)");
    sqlx::query_scalar(AssertSqlSafe(sql.clone())).fetch_one(connection).await.unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// The texts that `sql` asks for.
pub(crate) async fn texts(connection: &mut MySqlConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_all(connection)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// Marks `migration` as begun, as a run leaves it that is cut off.
pub(crate) async fn mark_begun(connection: &mut MySqlConnection, migration: &Migration, checksum: &[u8]) {
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (?, ?, false, ?, -1)",
    )
    .bind(migration.version)
    .bind(&*migration.description)
    .bind(checksum)
    .execute(connection)
    .await
    .expect("a mark");
}

/// Another, empty database on the same server, whose name is short enough to be read in a lock's. To be dropped by
/// [`drop_database`].
pub(crate) async fn another(database: &MySqlConnectOptions) -> MySqlConnectOptions {
    let name = format!("migrate_test_{}", uuid::Uuid::new_v4().simple());
    execute(&mut connect(database).await, &format!("create database {name}")).await;
    database.clone().database(&name)
}

/// Drops what [`another`] made.
pub(crate) async fn drop_database(database: &MySqlConnectOptions) {
    let name = database.get_database().expect("a name");
    execute(&mut connect(database).await, &format!("drop database {name}")).await;
}

/// Everything the database says of its own shape.
pub(crate) async fn shape(connection: &mut MySqlConnection) -> Vec<String> {
    let mut shape = Vec::new();
    for table in texts(
        connection,
        "select table_name from information_schema.tables where table_schema = database() order by table_name",
    )
    .await
    {
        let (_, definition): (String, String) = sqlx::query_as(AssertSqlSafe(format!("show create table `{table}`")))
            .fetch_one(&mut *connection)
            .await
            .expect("a table");
        shape.push(definition);
    }
    shape
}
