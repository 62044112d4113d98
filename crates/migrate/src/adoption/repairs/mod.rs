//! What can't stay as the original left it: one file for each kind, all alike. A repair reads the original's tables
//! and answers fixes; it writes nothing. The order of rows decides, never chance or the calendar, so the same tables
//! always give the same fixes.
//!
//! To add one: a file with a [`Rule`](super::fix::Rule) and a `find`, a line in [`all`], a line in
//! `migrations/README.md`, and a row in `testkit::original` that needs it.

mod capacity;
mod dates;
mod defaults;
mod discounts;
mod emails;
mod flights;
mod payments;
mod seats;
mod text;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, FromRow, MySqlConnection};

use super::fix::{Fix, Rule};

/// The condition under which booking `b` has seats: what the original called neither is what it called by default.
const IS_SOLD: &str = "(b.status is null or b.status not in ('CANCELLED'))";

/// The original's tables, under whatever names they stand now.
pub(super) struct Source<'c> {
    connection: &'c mut MySqlConnection,
    prefix: &'static str,
}

impl<'c> Source<'c> {
    pub(super) fn new(connection: &'c mut MySqlConnection, prefix: &'static str) -> Self {
        Self { connection, prefix }
    }

    /// The rows that `sql` asks for, in which `{users}` stands for the table.
    async fn read<T: for<'r> FromRow<'r, MySqlRow> + Send + Unpin>(&mut self, sql: &str) -> sqlx::Result<Vec<T>> {
        let sql = sql.replace('{', self.prefix).replace('}', "");
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *self.connection).await
    }
}

/// Every rule, for reports.
pub(super) fn rules() -> Vec<Rule> {
    [
        defaults::RULES,
        text::RULES,
        emails::RULES,
        dates::RULES,
        flights::RULES,
        discounts::RULES,
        seats::RULES,
        capacity::RULES,
        payments::RULES,
    ]
    .concat()
}

/// Every fix. Where two rules replace the same value, the later one's replacement counts.
pub(super) async fn all(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let found = [
        defaults::find(source).await?,
        text::find(source).await?,
        emails::find(source).await?,
        dates::find(source).await?,
        flights::find(source).await?,
        discounts::find(source).await?,
        seats::find(source).await?,
        capacity::find(source).await?,
        payments::find(source).await?,
    ];
    let mut fixes: Vec<Fix> = Vec::new();
    let mut places = BTreeMap::new();
    for fix in found.into_iter().flatten() {
        match places.entry((fix.table, fix.column, fix.row.clone())) {
            Entry::Vacant(place) => {
                place.insert(fixes.len());
                fixes.push(fix);
            }
            Entry::Occupied(place) => fixes[*place.get()] = fix,
        }
    }
    Ok(fixes)
}
