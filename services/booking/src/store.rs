//! The SQL of this service alone.

use sqlx::MySqlPool;

/// How to reach an account.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) email: String,
    pub(crate) phone: Option<String>,
}

/// How to reach the account `user_id`.
pub(crate) async fn contact_of(db: &MySqlPool, user_id: i64) -> sqlx::Result<Contact> {
    sqlx::query_as!(Contact, "select email, phone from users where user_id = ?", user_id).fetch_one(db).await
}
