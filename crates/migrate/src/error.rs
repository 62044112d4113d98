//! Why a run ends early. What it did until then is kept, and the next run goes on from there.

/// Why a database could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers there, or not as a database does.
    #[error("the database at {address} can't be reached")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What came instead of an answer; nothing, if nothing came in time.
        source: Option<sqlx::Error>,
    },
    /// There is no such database.
    #[error("database {name} doesn't exist, or is closed to this user, who may not create it either")]
    NotCreated {
        /// The name that was asked for.
        name: String,
        /// What the server said.
        source: sqlx::Error,
    },
    /// Another run took longer than anybody should wait.
    #[error("another run has been migrating this database for over ten minutes; see what it waits for, then try again")]
    Busy,
    /// The server has no named locks to give.
    #[error("the server refused the lock {name}")]
    LockRefused {
        /// The lock's name.
        name: String,
    },
    /// A database of somebody else.
    #[error(
        "this database is neither CloudJet's, nor the original's, nor empty, and nothing was changed:{}",
        listed(differences)
    )]
    Foreign {
        /// What isn't as the original has it.
        differences: Vec<String>,
    },
    /// Rows are missing after they were copied, or there are too many.
    #[error("{copied} of {total} rows of {table} were copied; does anybody write to the database?")]
    NotCopied {
        /// The table.
        table: &'static str,
        /// How many rows it has.
        copied: i64,
        /// How many it should have.
        total: i64,
    },
    /// A file of the past was edited.
    #[error("{file} was applied, and has been changed since: put it back as it was, and write a new migration")]
    Changed {
        /// The file.
        file: String,
    },
    /// A file of the past is missing.
    #[error("the database has migration {version}, which this release doesn't have, though it has newer ones")]
    Missing {
        /// Its version.
        version: i64,
    },
    /// Both sides have what the other doesn't know.
    #[error(
        "the database has newer migrations that this release doesn't know, but lacks {file}: their histories differ"
    )]
    Diverged {
        /// The first one the database lacks.
        file: String,
    },
    /// The server refused a migration, which changed nothing.
    #[error("{file} was refused, and changed nothing")]
    Refused {
        /// The file.
        file: String,
        /// What the server said.
        source: sqlx::Error,
    },
    /// The server refused a migration that was cut off before; it can't be known whether it took effect then.
    #[error("{file} was cut off in an earlier run, and is refused now")]
    Interrupted {
        /// The file.
        file: String,
        /// What the server said.
        source: sqlx::Error,
    },
    /// A migration was cut off; the next run finds out what became of it.
    #[error("{file} was cut off; run this again")]
    CutOff {
        /// The file.
        file: String,
        /// What became of the connection.
        source: sqlx::Error,
    },
    /// An account whose address only looks like the administrator's.
    #[error("ADMIN_EMAIL differs from the address of account {user_id} only by accents or the like: choose another")]
    LookAlike {
        /// The account.
        user_id: i64,
    },
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Hash(#[source] argon2::password_hash::Error),
    /// The database failed otherwise.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// sqlx could not provide the table it keeps the history in.
    #[error("the table of applied migrations can't be made")]
    History(#[from] sqlx::migrate::MigrateError),
}

fn listed(differences: &[String]) -> String {
    let lines: Vec<_> = differences.iter().map(|difference| format!("\n  {difference}")).collect();
    lines.concat()
}
