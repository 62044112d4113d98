//! The SQL of keys. No macros: crates/migrate needs this crate before there is a database that a macro could ask.

use sqlx::{FromRow, MySqlConnection, MySqlPool};

use super::Name;
use super::answer::Answer;
use crate::db;

/// How long an answer is kept, in hours.
const KEPT_HOURS: u32 = 24;

/// For how many seconds whoever has started something is left alone with it: as long as a request's work may take
/// before it is broken off.
const LEASE_SECONDS: u32 = 30;

/// A key's row, locked.
#[derive(Debug, FromRow)]
pub(super) struct Row {
    pub(super) fingerprint: Vec<u8>,
    pub(super) status: Option<u16>,
    pub(super) body: Option<Vec<u8>>,
    /// Whether somebody works on it with no transaction open.
    pub(super) is_leased: bool,
    /// Whether its day is over, and it only waits to be purged.
    pub(super) is_over: bool,
}

/// Locks a key's row until the transaction ends, or fails at once if [somebody else](db::is_locked) has.
pub(super) async fn lock(connection: &mut MySqlConnection, name: &Name) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select fingerprint, status, body,
                coalesce(leased_until > now(6), false) as is_leased, expires_at <= now(6) as is_over
         from idempotency_keys where scope = ? and idempotency_key = ? for update nowait",
    )
    .bind(&name.scope)
    .bind(&name.key)
    .fetch_optional(connection)
    .await
}

/// Inserts a key's row. Answers whether it wasn't there: somebody else may have been first in this very moment.
pub(super) async fn insert(connection: &mut MySqlConnection, name: &Name) -> sqlx::Result<bool> {
    let inserted = sqlx::query(
        "insert into idempotency_keys (scope, idempotency_key, fingerprint, expires_at)
         values (?, ?, ?, now(6) + interval ? hour)",
    )
    .bind(&name.scope)
    .bind(&name.key)
    .bind(&name.fingerprint[..])
    .bind(KEPT_HOURS)
    .execute(connection)
    .await;
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if db::violated_constraint(&error) == Some("PRIMARY") || db::is_locked(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a locked row that is over a new one.
pub(super) async fn renew(connection: &mut MySqlConnection, name: &Name) -> sqlx::Result<()> {
    sqlx::query(
        "update idempotency_keys
         set fingerprint = ?, status = null, body = null, leased_until = null, expires_at = now(6) + interval ? hour
         where scope = ? and idempotency_key = ?",
    )
    .bind(&name.fingerprint[..])
    .bind(KEPT_HOURS)
    .bind(&name.scope)
    .bind(&name.key)
    .execute(connection)
    .await
    .map(drop)
}

/// Leases a locked row.
pub(super) async fn lease(connection: &mut MySqlConnection, name: &Name) -> sqlx::Result<()> {
    sqlx::query(
        "update idempotency_keys set leased_until = now(6) + interval ? second
         where scope = ? and idempotency_key = ?",
    )
    .bind(LEASE_SECONDS)
    .bind(&name.scope)
    .bind(&name.key)
    .execute(connection)
    .await
    .map(drop)
}

/// Writes an answer into a locked row.
pub(super) async fn answer(connection: &mut MySqlConnection, name: &Name, answer: &Answer) -> sqlx::Result<()> {
    sqlx::query(
        "update idempotency_keys set status = ?, body = ?, leased_until = null
         where scope = ? and idempotency_key = ?",
    )
    .bind(answer.status.as_u16())
    .bind(&answer.body[..])
    .bind(&name.scope)
    .bind(&name.key)
    .execute(connection)
    .await
    .map(drop)
}

/// Deletes a locked row.
pub(super) async fn delete(connection: &mut MySqlConnection, name: &Name) -> sqlx::Result<()> {
    sqlx::query("delete from idempotency_keys where scope = ? and idempotency_key = ?")
        .bind(&name.scope)
        .bind(&name.key)
        .execute(connection)
        .await
        .map(drop)
}

/// Deletes at most `limit` rows that are over. Answers how many.
pub(super) async fn purge(db: &MySqlPool, limit: u32) -> sqlx::Result<u64> {
    sqlx::query("delete from idempotency_keys where expires_at <= now(6) order by expires_at limit ?")
        .bind(limit)
        .execute(db)
        .await
        .map(|done| done.rows_affected())
}
