//! The SQL of the accounts this program makes. Whoever signs up by themselves is auth-service's.

use chrono::NaiveDate;
use common::auth::Role;
use common::events::{self, Cause, Subject};
use sqlx::{MySqlConnection, MySqlPool};

use crate::error::Error;

/// Somebody to make an account for.
pub(crate) struct NewAccount<'a> {
    pub(crate) name: &'a str,
    pub(crate) email: &'a str,
    pub(crate) phone: Option<&'a str>,
    pub(crate) birth_date: Option<NaiveDate>,
    pub(crate) role: Role,
}

/// An account as far as it concerns us.
#[derive(sqlx::FromRow)]
pub(crate) struct Account {
    pub(crate) user_id: i64,
    pub(crate) email: String,
    pub(crate) password_hash: String,
    pub(crate) role: Option<Role>,
}

/// The account that keeps `email` from being anybody else's: its own, or one whose address differs only in ways the
/// unique key doesn't see.
pub(crate) async fn find(db: &MySqlPool, email: &str) -> sqlx::Result<Option<Account>> {
    sqlx::query_as("select user_id, email, password_hash, role from users where email = ?")
        .bind(email)
        .fetch_optional(db)
        .await
}

/// Makes an account, and writes it into the history.
pub(crate) async fn insert(
    connection: &mut MySqlConnection,
    account: &NewAccount<'_>,
    password_hash: &str,
) -> sqlx::Result<()> {
    let inserted = sqlx::query(
        "insert into users (name, email, password_hash, phone, birth_date, role) values (?, ?, ?, ?, ?, ?)",
    )
    .bind(account.name)
    .bind(account.email)
    .bind(password_hash)
    .bind(account.phone)
    .bind(account.birth_date)
    .bind(account.role)
    .execute(&mut *connection)
    .await?;
    record(connection, inserted.last_insert_id(), "created", None, Some(account.role)).await
}

/// Makes an account an administrator's, and writes it into the history.
pub(crate) async fn promote(connection: &mut MySqlConnection, account: &Account) -> sqlx::Result<()> {
    sqlx::query("update users set role = ? where user_id = ?")
        .bind(Role::Admin)
        .bind(account.user_id)
        .execute(&mut *connection)
        .await?;
    record(connection, account.user_id, "promoted", account.role, Some(Role::Admin)).await
}

/// Gives an account another password, and writes *that* into the history.
pub(crate) async fn replace_password(
    connection: &mut MySqlConnection,
    account: &Account,
    password_hash: &str,
) -> sqlx::Result<()> {
    sqlx::query("update users set password_hash = ? where user_id = ?")
        .bind(password_hash)
        .bind(account.user_id)
        .execute(&mut *connection)
        .await?;
    events::record(connection, &Cause::system(), Subject::User, account.user_id, "password-replaced", &(), &()).await
}

async fn record(
    connection: &mut MySqlConnection,
    user_id: impl ToString,
    action: &'static str,
    old: Option<Role>,
    new: Option<Role>,
) -> sqlx::Result<()> {
    events::record(connection, &Cause::system(), Subject::User, user_id, action, &old, &new).await
}

/// The hash to store for `password`. It keeps the thread busy for tens of milliseconds, in which this program has
/// nothing else to do.
pub(crate) fn hash(password: &str) -> Result<String, Error> {
    common::password::hash(password).map_err(Error::Hash)
}
