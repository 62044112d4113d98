//! The SQL of people. This is the only place that writes `users`.

use common::auth::Role;
use sqlx::MySqlPool;

use super::{Account, NewPerson, Person, ProfileChange};

pub(super) async fn insert(db: &MySqlPool, person: &NewPerson, password_hash: &str) -> sqlx::Result<i64> {
    let inserted = sqlx::query!(
        "insert into users (name, email, password_hash, phone, birth_date, role) values (?, ?, ?, ?, ?, 'USER')",
        person.name,
        person.email,
        password_hash,
        person.phone,
        person.birth_date,
    )
    .execute(db)
    .await?;
    Ok(i64::try_from(inserted.last_insert_id()).unwrap_or(i64::MAX))
}

pub(super) async fn find_by_email(db: &MySqlPool, email: &str) -> sqlx::Result<Option<Account>> {
    let found = sqlx::query!(
        r#"select user_id, name, email, phone, birth_date, coalesce(role, 'USER') as "role!: Role", password_hash
           from users where email = ?"#,
        email,
    )
    .fetch_optional(db)
    .await?;
    Ok(found.map(|row| Account {
        person: Person {
            id: row.user_id,
            name: row.name,
            email: row.email,
            phone: row.phone,
            birth_date: row.birth_date,
            role: row.role,
        },
        password_hash: row.password_hash,
    }))
}

pub(super) async fn find(db: &MySqlPool, id: i64) -> sqlx::Result<Option<Person>> {
    sqlx::query_as!(
        Person,
        r#"select user_id as id, name, email, phone, birth_date, coalesce(role, 'USER') as "role!: Role"
           from users where user_id = ?"#,
        id,
    )
    .fetch_optional(db)
    .await
}

/// Whether there is such a person. Rows are counted as matched, so an unchanged value counts.
pub(super) async fn change(db: &MySqlPool, id: i64, change: &ProfileChange) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update users set name = coalesce(?, name), phone = coalesce(?, phone) where user_id = ?",
        change.name,
        change.phone,
        id,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn replace_hash(db: &MySqlPool, id: i64, old: &str, new: &str) -> sqlx::Result<()> {
    sqlx::query!("update users set password_hash = ? where user_id = ? and password_hash = ?", new, id, old)
        .execute(db)
        .await?;
    Ok(())
}
