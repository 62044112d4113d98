//! Moving rows: the original's tables are set aside, our history makes its own, and rows are copied into those, each
//! value as the ledger has it. So an adopted schema can't differ from a fresh one, and the original's rows stay as
//! they were until everything is over.
//!
//! The trap is the ids of rows that were deleted: tokens may still name them. Counters are carried over, too.

use std::time::{Duration, Instant};

use common::db;
use sqlx::{AssertSqlSafe, Executor, MySqlConnection};

use super::original::{ASIDE, TABLES, Table};
use super::{ledger, original};
use crate::error::Error;
use crate::step::{Reporter, Step};

/// How many rows are copied by one statement.
const BATCH: i64 = 20_000;
/// How long the original's tables may be in use before we give up.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long others may have them between two attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// Columns of ours that a fix may fill, and what they are otherwise.
const FILLED: [(&str, &str, &str); 1] = [("flight_schedules", "oversold", "0")];

/// Sets the original's tables aside, all at once: from now on nobody can write to them by their names.
pub(super) async fn set_aside(connection: &mut MySqlConnection, report: Reporter<'_>) -> Result<(), Error> {
    let renamed: Vec<_> = TABLES.iter().map(|t| format!("{0} to {ASIDE}{0}", t.name)).collect();
    let statement = format!("rename table {}", renamed.join(", "));
    let started = Instant::now();
    let mut told = false;
    loop {
        match connection.execute(AssertSqlSafe(statement.clone())).await {
            Ok(_) => break,
            Err(error) if db::number(&error) == Some(1205) && started.elapsed() < PATIENCE => {
                if !told {
                    report(Step::WaitingForOriginal);
                    told = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    report(Step::SetAside);
    Ok(())
}

/// Copies every row that isn't copied yet.
pub(super) async fn copy(connection: &mut MySqlConnection, report: Reporter<'_>) -> Result<(), Error> {
    for table in &TABLES {
        let select = select(connection, table).await?;
        let total = count(connection, &format!("{ASIDE}{}", table.name)).await?;
        if table.is_numbered {
            copy_numbered(connection, table, &select, total, report).await?;
            carry_counter(connection, table).await?;
        } else if count(connection, table.name).await? < total {
            connection.execute(AssertSqlSafe(select)).await?;
            report(Step::Copied { table: table.name, rows: total, of: total });
        }
        let copied = count(connection, table.name).await?;
        if copied != total {
            return Err(Error::NotCopied { table: table.name, copied, total });
        }
    }
    Ok(())
}

async fn copy_numbered(
    connection: &mut MySqlConnection,
    table: &Table,
    select: &str,
    total: i64,
    report: Reporter<'_>,
) -> Result<(), Error> {
    let Table { name, key, .. } = table;
    let mut done = number(connection, &format!("select coalesce(max({key}), 0) from {name}")).await?;
    loop {
        let next = format!(
            "select coalesce(max({key}), 0) from
                 (select {key} from {ASIDE}{name} where {key} > {done} order by {key} limit {BATCH}) batch"
        );
        let until = number(connection, &next).await?;
        if until == 0 {
            return Ok(());
        }
        let batch = format!("{select} where s.{key} > {done} and s.{key} <= {until}");
        connection.execute(AssertSqlSafe(batch)).await?;
        done = until;
        report(Step::Copied { table: name, rows: count(connection, name).await?, of: total });
    }
}

/// The statement that copies `table` with the ledger's fixes, to be completed by which rows.
async fn select(connection: &mut MySqlConnection, table: &Table) -> sqlx::Result<String> {
    let fixed = ledger::changed_columns(connection, table.name).await?;
    let own = table.columns.iter().map(|(column, _)| (*column, format!("s.{column}")));
    let filled =
        FILLED.iter().filter(|(of, ..)| *of == table.name).map(|(_, column, value)| (*column, (*value).into()));
    let (mut columns, mut values, mut joins) = (Vec::new(), Vec::new(), Vec::new());
    for (column, value) in own.chain(filled) {
        columns.push(column);
        if !fixed.iter().any(|f| f == column) {
            values.push(value);
            continue;
        }
        values.push(format!("if(f_{column}.fix_id is null, {value}, f_{column}.new_value)"));
        let row = if table.is_numbered { "row_id" } else { "row_key" };
        joins.push(format!(
            " left join {} f_{column} on f_{column}.table_name = '{}' and f_{column}.column_name = '{column}'
                  and f_{column}.is_change and f_{column}.{row} = s.{}",
            ledger::TABLE,
            table.name,
            table.key
        ));
    }
    Ok(format!(
        "insert into {} ({}) select {} from {ASIDE}{} s{}",
        table.name,
        columns.join(", "),
        values.join(", "),
        table.name,
        joins.concat()
    ))
}

/// Lets ids go on where the original would have gone on. Only the table's definition tells that number on both
/// servers without delay.
async fn carry_counter(connection: &mut MySqlConnection, table: &Table) -> sqlx::Result<()> {
    let (_, definition): (String, String) =
        sqlx::query_as(AssertSqlSafe(format!("show create table {ASIDE}{}", table.name)))
            .fetch_one(&mut *connection)
            .await?;
    let next = definition
        .rsplit_once("AUTO_INCREMENT=")
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>())
        .and_then(|digits| digits.parse::<u64>().ok());
    // A lower number than the rows have, or our own beginning has, changes nothing for the rows and everything for us.
    let Some(next) = next else { return Ok(()) };
    let beginning = if table.name == "flight_schedules" { 10_000_001 } else { 1 };
    let statement = format!("alter table {} auto_increment = {}", table.name, next.max(beginning));
    connection.execute(AssertSqlSafe(statement)).await.map(drop)
}

/// Drops the original's tables, those first that refer to others. From the first one on there is no way back, and
/// nothing else left to do.
pub(super) async fn drop_originals(connection: &mut MySqlConnection) -> sqlx::Result<()> {
    for table in original::TABLES.iter().rev() {
        connection.execute(AssertSqlSafe(format!("drop table if exists {ASIDE}{}", table.name))).await?;
    }
    ledger::close(connection).await
}

async fn count(connection: &mut MySqlConnection, table: &str) -> sqlx::Result<i64> {
    number(connection, &format!("select count(*) from {table}")).await
}

async fn number(connection: &mut MySqlConnection, sql: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await
}
