//! The ledger of an adoption that is under way: every fix it makes. It is written once, in one transaction, when the
//! original's tables are set aside and nobody writes to them any more; rows are copied by it, and the history and
//! the report are made from it. So a run that was cut off goes on by the same ledger, whatever it had done.

use common::db;
use sqlx::{Connection, Executor, MySqlConnection, QueryBuilder};
use uuid::Uuid;

use super::fix::{Fix, RowId};
use super::report::Line;

/// Its name. It goes when the adoption is done.
pub(super) const TABLE: &str = "_adoption_fixes";

/// How many rows a statement inserts.
const CHUNK: usize = 1000;

/// Writes `fixes` down, unless an earlier run has. `fix_id` becomes the id of the event that keeps it.
pub(super) async fn write(connection: &mut MySqlConnection, fixes: &[Fix]) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    for (chunk, first) in fixes.chunks(CHUNK).zip((0i64..).step_by(CHUNK)) {
        let mut insert = QueryBuilder::new(
            "insert into _adoption_fixes
                 (fix_id, position, table_name, row_id, row_key, column_name, rule, old_shown, new_shown, new_value, is_change) ",
        );
        insert.push_values(chunk.iter().zip(first..), |mut row, (fix, position)| {
            let (id, key) = match &fix.row {
                RowId::Number(id) => (*id, ""),
                RowId::Key(key) => (0, key.as_str()),
            };
            let (old, new) = fix.shown();
            row.push_bind(Uuid::now_v7()).push_bind(position).push_bind(fix.table).push_bind(id).push_bind(key);
            row.push_bind(fix.column).push_bind(fix.rule.name).push_bind(old).push_bind(new);
            row.push_bind(fix.new.clone()).push_bind(fix.is_change);
        });
        insert.build().execute(&mut *transaction).await?;
    }
    db::commit(transaction).await
}

/// Makes the table, which marks an adoption that is under way.
pub(super) async fn open(connection: &mut MySqlConnection) -> sqlx::Result<()> {
    connection
        .execute(
            "create table if not exists _adoption_fixes (
                 fix_id      binary(16)   not null primary key,
                 position    bigint       not null,
                 table_name  varchar(20)  not null,
                 row_id      bigint       not null,
                 row_key     varchar(10)  not null,
                 column_name varchar(30)  not null,
                 rule        varchar(40)  not null,
                 old_shown   varchar(255) null,
                 new_shown   varchar(255) null,
                 new_value   varchar(255) null,
                 is_change   boolean      not null,
                 constraint uq_adoption_fixes_row unique (table_name, column_name, row_id, row_key)
             ) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci",
        )
        .await
        .map(drop)
}

/// Whether an earlier run has written it.
pub(super) async fn is_written(connection: &mut MySqlConnection) -> sqlx::Result<bool> {
    let written: i64 = sqlx::query_scalar("select count(*) from _adoption_fixes").fetch_one(connection).await?;
    Ok(written > 0)
}

/// What the ledger says, in the order in which it was written.
pub(super) async fn lines(connection: &mut MySqlConnection) -> sqlx::Result<Vec<Line>> {
    type Columns = (String, String, i64, String, String, Option<String>, Option<String>, bool);
    let rows: Vec<Columns> = sqlx::query_as(
        "select rule, table_name, row_id, row_key, column_name, old_shown, new_shown, is_change
         from _adoption_fixes order by position",
    )
    .fetch_all(connection)
    .await?;
    let line = |(rule, table, id, key, column, old, new, is_change): Columns| Line {
        rule,
        row: if key.is_empty() { id.to_string() } else { key },
        table,
        column,
        old,
        new,
        is_change,
    };
    Ok(rows.into_iter().map(line).collect())
}

/// The columns of `table` in which the ledger changes something.
pub(super) async fn changed_columns(connection: &mut MySqlConnection, table: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select distinct column_name from _adoption_fixes where table_name = ? and is_change order by column_name",
    )
    .bind(table)
    .fetch_all(connection)
    .await
}

/// Appends every fix to the history, each once. The subject is the row's table in the singular.
pub(super) async fn record(connection: &mut MySqlConnection) -> sqlx::Result<()> {
    sqlx::query(
        "insert into events (event_id, actor, request_id, subject, subject_id, action, detail)
         select f.fix_id, 'SYSTEM', 'adoption',
                case f.table_name when 'flight_schedules' then 'SCHEDULE' when 'flight_discounts' then 'DISCOUNT'
                                  else upper(left(f.table_name, char_length(f.table_name) - 1)) end,
                if(f.row_key = '', f.row_id, f.row_key), f.rule,
                json_object('old', json_object(f.column_name, f.old_shown),
                            'new', json_object(f.column_name, if(f.is_change, f.new_shown, f.old_shown)))
         from _adoption_fixes f
         where not exists (select 1 from events e where e.event_id = f.fix_id)",
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Removes it.
pub(super) async fn close(connection: &mut MySqlConnection) -> sqlx::Result<()> {
    connection.execute("drop table if exists _adoption_fixes").await.map(drop)
}
