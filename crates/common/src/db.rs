//! The way to the database: the pool, what its errors mean, and running a transaction anew.
//!
//! Two traps. A transaction that meets a deadlock, a lock time-out or a snapshot conflict has done nothing and must run
//! again *as a whole*; [`retry`] is how every writing domain function does it. And one whose connection is lost while it
//! commits is committed or isn't, and nobody can tell; [`commit`] is how every transaction ends, because it says so.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPoolOptions};
use sqlx::{ConnectOptions, Executor, MySql, MySqlConnection, MySqlPool, Transaction};

use crate::config::Database;

/// The one history of the schema all services share.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// What the driver says of a statement is said to this target.
pub(crate) const STATEMENTS: &str = "sqlx::query";

/// A connection that rested longer than this is pinged before it is used; one just used is trusted, because under
/// load the pings are a fifth of the database's work. So when all of them die at once, hardly a request gets a dead one.
const TRUSTED_FOR: Duration = Duration::from_millis(100);

/// A connection that doesn't tell within this time that it is well has lost its other end, also where nothing says
/// so: a machine that is gone doesn't hang up.
const PATIENCE: Duration = Duration::from_secs(1);

/// How to reach the database of `settings`.
///
/// Whether anybody listens to what the driver says of each statement is asked here, once: the driver would ask after
/// every one, which is a part in thirty of a service's work. Of slow statements it tells in any case.
pub fn options(settings: &Database) -> MySqlConnectOptions {
    let heard = tracing::enabled!(target: STATEMENTS, tracing::Level::DEBUG);
    let told = if heard { log::LevelFilter::Debug } else { log::LevelFilter::Off };
    MySqlConnectOptions::new()
        .log_statements(told)
        .host(&settings.host)
        .port(settings.port)
        .username(&settings.user)
        .password(settings.password.expose_secret())
        .database(&settings.name)
}

/// A pool that connects when first asked, so that a service starts while its database doesn't answer.
pub fn pool(settings: &Database) -> MySqlPool {
    pool_options().max_connections(settings.pool_size).connect_lazy_with(options(settings))
}

/// How every pool of ours treats its connections; tests build theirs from it, too.
///
/// Whoever gets no connection in time is answered 503: long enough for a crowd to be served one after the other, and
/// far below the time a request may take.
pub fn pool_options() -> MySqlPoolOptions {
    MySqlPoolOptions::new()
        .acquire_timeout(Duration::from_secs(3))
        // Nobody hears it but crate::pool, which measures it.
        .acquire_time_level(log::LevelFilter::Debug)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(prepare(connection)))
        .before_acquire(|connection, rest| {
            Box::pin(async move {
                Ok(rest.idle_for < TRUSTED_FOR || answers_in_time(sqlx::Connection::ping(connection)).await)
            })
        })
        // A connection whose request was broken off waits here for its last answer, else it would for ever.
        .after_release(|connection, _| {
            Box::pin(async move { Ok(answers_in_time(sqlx::Connection::flush(connection)).await) })
        })
}

async fn answers_in_time(answer: impl Future<Output = sqlx::Result<()>>) -> bool {
    matches!(tokio::time::timeout(PATIENCE, answer).await, Ok(Ok(())))
}

/// Tells a new connection how to work. READ COMMITTED, because a guarded update must see current rows and never a
/// snapshot; strict, because a value that doesn't fit must be refused and not bent.
pub async fn prepare(connection: &mut MySqlConnection) -> sqlx::Result<()> {
    connection.execute("set session transaction isolation level read committed").await?;
    connection
        .execute(
            "set session sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
             NO_ENGINE_SUBSTITUTION'",
        )
        .await?;
    Ok(())
}

/// Whether the database can't be reached or has no connection free, as opposed to refusing what it was asked.
pub fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Protocol(_) => true,
        // Too many connections, in all or of this user; not in its cluster (yet), shutting down, host blocked; read-only
        // while another takes over; killed, gone, lost.
        _ => matches!(number(error), Some(1040 | 1203 | 1226 | 1047 | 1053 | 1129 | 1290 | 1836 | 1927 | 2006 | 2013)),
    }
}

/// The connection was lost while a transaction was being committed.
#[derive(Debug, thiserror::Error)]
#[error("nobody knows whether the transaction was committed")]
struct OutcomeUnknown(#[source] sqlx::Error);

/// Commits. Where the answer is lost, the error [says](is_outcome_unknown) that the transaction may have taken effect.
///
/// The one refusal that is sure is a lost conflict: a member of a cluster finds out only now that another one was first,
/// and such a transaction may run anew. Whatever else is said (1180, say, by a member that falls out of its cluster
/// while it commits) is said of a transaction that the others may have.
pub async fn commit(transaction: Transaction<'_, MySql>) -> sqlx::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "this is what everybody else is sent to")]
    let committed = transaction.commit().await;
    committed.map_err(|error| {
        if is_conflict(&error) { error } else { sqlx::Error::Io(io::Error::other(OutcomeUnknown(error))) }
    })
}

/// Whether this is the error of a transaction that may have been [committed](commit) or not. Whoever runs it anew must
/// look first.
pub fn is_outcome_unknown(error: &sqlx::Error) -> bool {
    let sqlx::Error::Io(lost) = error else { return false };
    matches!(lost.get_ref(), Some(cause) if cause.is::<OutcomeUnknown>())
}

/// The server's number of what it refused; both servers count alike but for what came after their parting.
pub fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// Whether a row that was asked for is locked by somebody else: MariaDB says so of `nowait` as of any wait that took too
/// long, MySQL in a number of its own.
pub fn is_locked(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(1205 | 3572))
}

/// The name of the unique key, foreign key or check that refused a statement.
///
/// The driver's own `constraint()` knows none on MySQL, so it is read from the message, whose spelling differs:
/// MariaDB says `for key 'uq_x'`, MySQL `for key 'table.uq_x'`.
pub fn violated_constraint(error: &sqlx::Error) -> Option<&str> {
    let number = number(error)?;
    let message = error.as_database_error()?.message();
    constraint_named(number, message)
}

fn constraint_named(number: u16, message: &str) -> Option<&str> {
    let name = match number {
        // Duplicate entry '…' for key '[table.]name'
        1062 => message.rsplit_once("for key '")?.1.split('\'').next()?,
        // … CONSTRAINT `name` FOREIGN KEY …, and MariaDB's check: CONSTRAINT `name` failed for `db`.`table`
        1451 | 1452 | 4025 => message.split_once("CONSTRAINT `")?.1.split('`').next()?,
        // MySQL: Check constraint 'name' is violated.
        3819 => message.split_once('\'')?.1.split('\'').next()?,
        _ => return None,
    };
    Some(name.rsplit('.').next().unwrap_or(name))
}

/// Whether a transaction lost against another one, did nothing, and may succeed as a whole if it runs anew: deadlock
/// (1213, which is also what a cluster's certification says), lock time-out (1205) or snapshot conflict (1020).
pub fn is_conflict(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(1213 | 1205 | 1020))
}

/// The number of the [conflict](is_conflict) that this error comes of.
fn conflict_in(error: &(dyn StdError + 'static)) -> Option<u16> {
    let mut chain = std::iter::successors(Some(error), |&e| e.source());
    chain.find_map(|e| e.downcast_ref::<sqlx::Error>().filter(|e| is_conflict(e)).and_then(number))
}

/// How often a transaction is tried in all.
const ATTEMPTS: u32 = 8;

/// Runs `transaction` until it doesn't lose against another one, with growing pauses and jitter.
///
/// `transaction` begins, works and [commits](commit); it may have no effect outside the database, because it may run
/// several times. One whose commit's answer was lost is never run anew.
pub async fn retry<T, E, F>(mut transaction: impl FnMut() -> F) -> Result<T, E>
where
    E: StdError + 'static,
    F: Future<Output = Result<T, E>>,
{
    let mut attempt = 1;
    loop {
        let settled = transaction().await;
        let conflict = settled.as_ref().err().and_then(|error| conflict_in(error));
        let Some(number) = conflict.filter(|_| attempt < ATTEMPTS) else { return settled };
        tracing::debug!(attempt, number, "transaction lost a conflict, running it anew");
        let ceiling = 4u64 << attempt.min(6);
        #[expect(
            clippy::disallowed_methods,
            reason = "jitter between retries decides nothing a test could want to repeat"
        )]
        let jitter = rand::random::<u64>() % ceiling;
        tokio::time::sleep(Duration::from_millis(jitter)).await;
        attempt += 1;
    }
}

/// Lets a Rust enum stand for a text column (`ENUM` or `VARCHAR`).
///
/// The driver's own derive fails to decode `ENUM … NOT NULL` at run time, so the enum travels as the text it is.
/// (The texts are matched as `tt`: utoipa's derive doesn't see a `literal` and would describe the variants' names.)
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:tt),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        $vis enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text it is stored and sent as.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let named = Self::ALL.iter().copied().find(|one| one.as_str() == text);
                named.ok_or_else(|| format!("{text:?} is no {}", stringify!($name)))
            }
        }

        impl sqlx::Type<sqlx::MySql> for $name {
            fn type_info() -> sqlx::mysql::MySqlTypeInfo {
                <str as sqlx::Type<sqlx::MySql>>::type_info()
            }

            fn compatible(ty: &sqlx::mysql::MySqlTypeInfo) -> bool {
                <str as sqlx::Type<sqlx::MySql>>::compatible(ty)
            }
        }

        impl sqlx::Encode<'_, sqlx::MySql> for $name {
            fn encode_by_ref(&self, buffer: &mut Vec<u8>) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                <&str as sqlx::Encode<'_, sqlx::MySql>>::encode_by_ref(&self.as_str(), buffer)
            }
        }

        impl<'r> sqlx::Decode<'r, sqlx::MySql> for $name {
            fn decode(value: sqlx::mysql::MySqlValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                <&str as sqlx::Decode<'r, sqlx::MySql>>::decode(value)?.parse().map_err(Into::into)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server refuses because the connection is in the middle of something else: a stand-in for all the reasons that
    /// tell nothing about the transaction.
    #[sqlx::test(migrations = false)]
    async fn a_commit_that_is_refused_for_whatever_reason_has_an_unknown_outcome(
        pool: MySqlPoolOptions,
        database: MySqlConnectOptions,
    ) {
        let db = pool.connect_with(database).await.unwrap();
        let mut transaction = db.begin().await.unwrap();
        for statement in ["rollback", "xa start 'another'"] {
            transaction.execute(statement).await.unwrap();
        }
        let error = commit(transaction).await.unwrap_err();
        assert!(is_outcome_unknown(&error), "{error}");
        assert_eq!(conflict_in(&error), None);
    }

    #[test]
    fn finds_the_constraint_in_both_servers_words() {
        for (number, message, expected) in [
            (1062, "Duplicate entry 'a@b.c' for key 'uq_users_email'", Some("uq_users_email")),
            (1062, "Duplicate entry 'it's for key 'x' for key 'users.uq_users_email'", Some("uq_users_email")),
            (
                4025,
                "CONSTRAINT `ck_flight_schedules_available` failed for `cloudjet`.`flight_schedules`",
                Some("ck_flight_schedules_available"),
            ),
            (
                3819,
                "Check constraint 'ck_flight_schedules_available' is violated.",
                Some("ck_flight_schedules_available"),
            ),
            (
                1452,
                "Cannot add or update a child row: a foreign key constraint fails (`c`.`bookings`, CONSTRAINT `fk_bookings_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`user_id`))",
                Some("fk_bookings_user_id"),
            ),
            (1213, "Deadlock found when trying to get lock", None),
        ] {
            assert_eq!(constraint_named(number, message), expected, "{message}");
        }
    }
}
