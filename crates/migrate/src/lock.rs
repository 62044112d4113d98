//! One run at a time: a named lock of the server.
//!
//! sqlx has a lock of its own, but asks for it with the patience −1, which MariaDB answers with NULL and sqlx takes
//! for a yes. Ours is held by the very connection that migrates: whoever loses it can't go on, and the server keeps
//! it while it still works on a statement of a run that died.

use common::db;
use sha2::{Digest, Sha256};
use sqlx::MySqlConnection;

use crate::error::Error;
use crate::step::{Reporter, Step};

/// After how many seconds of waiting somebody may want to know why.
const SILENCE: u32 = 2;
/// How many seconds to wait for another run in all.
const PATIENCE: u32 = 600;
/// MySQL takes no longer names.
const LONGEST_NAME: usize = 64;

/// The lock, while this run has it.
#[must_use]
pub(crate) struct Lock {
    name: String,
}

/// Waits until no other run works on `database`, and keeps others out from then on.
pub(crate) async fn acquire(
    connection: &mut MySqlConnection,
    database: &str,
    report: Reporter<'_>,
) -> Result<Lock, Error> {
    let name = name(database);
    if !ask(connection, &name, SILENCE).await? {
        report(Step::WaitingForAnotherRun);
        if !ask(connection, &name, PATIENCE).await? {
            return Err(Error::Busy);
        }
    }
    Ok(Lock { name })
}

impl Lock {
    /// Lets the next run begin.
    pub(crate) async fn release(self, connection: &mut MySqlConnection) -> Result<(), Error> {
        sqlx::query("do release_lock(?)").bind(&self.name).execute(connection).await?;
        Ok(())
    }
}

/// Whether the server gave the lock within `seconds`. Only 1 is a yes: 0 is too late, NULL is an error.
async fn ask(connection: &mut MySqlConnection, name: &str, seconds: u32) -> Result<bool, Error> {
    let answer: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar("select cast(get_lock(?, ?) as signed)")
        .bind(name)
        .bind(seconds)
        .fetch_one(connection)
        .await;
    match answer {
        Ok(Some(1)) => Ok(true),
        Ok(Some(_)) => Ok(false),
        Ok(None) => Err(Error::LockRefused { name: name.to_owned() }),
        // A lock time-out as MySQL may also put it.
        Err(error) if db::number(&error) == Some(1205) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The lock of `database`: readable where it fits.
fn name(database: &str) -> String {
    let name = format!("cloudjet:migrate:{database}");
    if name.chars().count() <= LONGEST_NAME {
        return name;
    }
    let digest = Sha256::digest(database.as_bytes()).first_chunk().copied().map_or(0, u128::from_be_bytes);
    format!("cloudjet:migrate:{digest:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_database_has_its_own_lock_whose_name_fits() {
        assert_eq!(name("cloudjet"), "cloudjet:migrate:cloudjet");
        let (a, b) = (name(&"a".repeat(64)), name(&format!("{}b", "a".repeat(63))));
        assert_ne!(a, b);
        assert!(a.len() <= LONGEST_NAME && b.len() <= LONGEST_NAME);
    }
}
