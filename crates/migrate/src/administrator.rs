//! The administrator's account. The settings are the truth about it: whatever became of its role or its password,
//! the next run sets it right, and a run that finds it right changes nothing.

use common::auth::Role;
use common::{db, password};
use secrecy::{ExposeSecret, SecretString};
use sqlx::MySqlPool;

use crate::accounts::{self, NewAccount};
use crate::error::Error;
use crate::step::{Reporter, Step};

/// Whose account it is to be.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// The e-mail address, in lower case.
    pub email: String,
    /// The password.
    pub password: SecretString,
}

/// Makes `administrator` what it should be. Answers whether that changed anything.
pub(crate) async fn ensure(db: &MySqlPool, administrator: &Administrator, report: Reporter<'_>) -> Result<bool, Error> {
    let secret = administrator.password.expose_secret();
    let Some(account) = accounts::find(db, &administrator.email).await? else {
        let hash = accounts::hash(secret)?;
        let new = NewAccount {
            name: "관리자",
            email: &administrator.email,
            phone: None,
            birth_date: None,
            role: Role::Admin,
        };
        db::retry(async || {
            let mut transaction = db.begin().await?;
            accounts::insert(&mut transaction, &new, &hash).await?;
            db::commit(transaction).await
        })
        .await?;
        report(Step::CreatedAdministrator);
        return Ok(true);
    };
    // The unique key is blind to accents: somebody may own a look-alike, and must not be promoted for it.
    if account.email.trim().to_lowercase() != administrator.email {
        return Err(Error::LookAlike { user_id: account.user_id });
    }
    let promote = account.role != Some(Role::Admin);
    let replacement =
        if password::verify(secret, &account.password_hash) { None } else { Some(accounts::hash(secret)?) };
    if !promote && replacement.is_none() {
        return Ok(false);
    }
    db::retry(async || {
        let mut transaction = db.begin().await?;
        if promote {
            accounts::promote(&mut transaction, &account).await?;
        }
        if let Some(hash) = &replacement {
            accounts::replace_password(&mut transaction, &account, hash).await?;
        }
        db::commit(transaction).await
    })
    .await?;
    if promote {
        report(Step::PromotedAdministrator);
    }
    if replacement.is_some() {
        report(Step::ReplacedPassword);
    }
    Ok(true)
}
