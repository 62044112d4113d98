//! People: who has an account, under which e-mail address, and what they told us about themselves.
//!
//! The unique key on the e-mail address decides who gets it; nobody looks first. Its collation is blind to case
//! *and accents*, which is right for refusing look-alikes at sign-up and too generous for a log-in: see
//! [`find_account`].

mod store;

use chrono::NaiveDate;
use common::auth::Role;
use common::db;
use sqlx::MySqlPool;

/// Somebody with an account.
pub(crate) struct Person {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) phone: Option<String>,
    pub(crate) birth_date: Option<NaiveDate>,
    pub(crate) role: Role,
}

/// A person and what proves that it is them.
pub(crate) struct Account {
    pub(crate) person: Person,
    pub(crate) password_hash: String,
}

/// Somebody who wants an account.
pub(crate) struct NewPerson {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) birth_date: NaiveDate,
}

/// What a person changes about themselves; what is `None` stays.
pub(crate) struct ProfileChange {
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
}

/// An e-mail address as it is looked for and counted: trimmed and in lower case.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EmailAddress(String);

impl EmailAddress {
    /// The address somebody typed.
    pub(crate) fn typed(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignUpError {
    #[error("the e-mail address has an account")]
    EmailTaken,
    #[error("could not create the account")]
    Database(#[source] sqlx::Error),
}

/// Why a profile can't be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("the account is gone")]
    Gone,
    #[error("could not reach the profile")]
    Database(#[from] sqlx::Error),
}

/// Creates an account, and answers its id.
pub(crate) async fn sign_up(db: &MySqlPool, person: &NewPerson, password_hash: &str) -> Result<i64, SignUpError> {
    db::retry(async || {
        store::insert(db, person, password_hash).await.map_err(|error| match db::violated_constraint(&error) {
            // `email` is the key's name in a database the original made.
            Some("uq_users_email" | "email") => SignUpError::EmailTaken,
            _ => SignUpError::Database(error),
        })
    })
    .await
}

/// The account under exactly this address, whatever its case.
///
/// The database would also find it by an accented look-alike; then each of those would open it and have a count of
/// wrong passwords of its own.
pub(crate) async fn find_account(db: &MySqlPool, email: &EmailAddress) -> sqlx::Result<Option<Account>> {
    let found = store::find_by_email(db, email.as_str()).await?;
    Ok(found.filter(|account| EmailAddress::typed(&account.person.email) == *email))
}

/// Puts a better hash of the same password in place of the one it was checked against, unless that was changed
/// meanwhile.
pub(crate) async fn upgrade_password(db: &MySqlPool, account: &Account, better: &str) -> sqlx::Result<()> {
    store::replace_hash(db, account.person.id, &account.password_hash, better).await
}

/// The person with this id.
pub(crate) async fn load(db: &MySqlPool, id: i64) -> Result<Person, ProfileError> {
    store::find(db, id).await?.ok_or(ProfileError::Gone)
}

/// Changes a profile. What it already says may be said again.
pub(crate) async fn change_profile(db: &MySqlPool, id: i64, change: &ProfileChange) -> Result<(), ProfileError> {
    if store::change(db, id, change).await? { Ok(()) } else { Err(ProfileError::Gone) }
}
