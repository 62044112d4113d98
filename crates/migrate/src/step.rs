//! What a run tells while it works: one line for each thing it did.

use std::fmt;
use std::time::Duration;

use crate::adoption::Report;
use crate::demo::Loaded;

/// Is told what a run does.
pub type Reporter<'a> = &'a mut (dyn FnMut(Step) + Send);

/// Something a run did, or waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The database itself was missing.
    CreatedDatabase {
        /// Its name.
        name: String,
    },
    /// Another run is at work on this database.
    WaitingForAnotherRun,
    /// A migration needs a table that a transaction has in use.
    WaitingForTable {
        /// The migration's file.
        file: String,
    },
    /// A migration ran.
    Applied {
        /// Its file.
        file: String,
        /// How long it took.
        took: Duration,
        /// How it had gone before.
        resumed: Resumed,
    },
    /// The database has migrations that this program doesn't know, all after the ones it does: a newer release
    /// was here, and this one is being rolled back to.
    Ahead {
        /// How many.
        count: usize,
    },
    /// The original's tables are to be set aside, and somebody still uses them.
    WaitingForOriginal,
    /// The original's tables were set aside: nobody can write to them any more.
    SetAside,
    /// The original's rows are being looked through, which takes a while.
    Examining,
    /// The original's rows were looked through.
    Examined {
        /// How many fixes and remarks that gave.
        fixes: usize,
    },
    /// Rows of a table were copied.
    Copied {
        /// The table.
        table: &'static str,
        /// How many are copied by now.
        rows: i64,
        /// How many there are.
        of: i64,
    },
    /// Copied rows got what the original never kept: facts, claims, charges.
    Completed {
        /// Of what.
        what: &'static str,
        /// How many.
        rows: u64,
    },
    /// What an adoption changes, or would change.
    Report(Report),
    /// The database is ours now.
    Adopted,
    /// A rehearsal came to its end, and changed nothing.
    Rehearsed {
        /// Whether the database is the original's.
        adopts: bool,
    },
    /// Passwords that were stored as plain text were hashed.
    HashedPasswords {
        /// How many by now.
        done: u64,
        /// How many there were.
        of: u64,
    },
    /// The password of an account is the one that the original's setup script gives everybody.
    KnownPassword {
        /// The account.
        user_id: i64,
    },
    /// The administrator's account was created.
    CreatedAdministrator,
    /// An account that was there became the administrator's.
    PromotedAdministrator,
    /// The administrator's password was another one than the settings say.
    ReplacedPassword,
    /// The settings name no administrator.
    NoAdministrator,
    /// Demo data was completed.
    LoadedDemo(Loaded),
    /// All was as it should be.
    NothingToDo,
}

/// Whether an applied migration had been begun before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// This was its first time.
    No,
    /// An earlier run was cut off before the migration took effect.
    Repeated,
    /// An earlier run was cut off after the migration took effect; only its mark was missing.
    MarkOnly,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreatedDatabase { name } => write!(f, "created database {name}"),
            Self::WaitingForAnotherRun => f.write_str("waiting: another run is migrating this database"),
            Self::WaitingForTable { file } => {
                write!(f, "waiting: {file} needs a table that a long transaction has in use")
            }
            Self::Applied { file, took, resumed } => {
                write!(f, "applied {file} in {}", Took(*took))?;
                match resumed {
                    Resumed::No => Ok(()),
                    Resumed::Repeated => f.write_str(" (begun and cut off before it took effect)"),
                    Resumed::MarkOnly => f.write_str(" (begun and cut off after it took effect)"),
                }
            }
            Self::Ahead { count } => write!(
                f,
                "the database is ahead: it has {count} newer migrations that this release doesn't know; they stay"
            ),
            Self::WaitingForOriginal => {
                f.write_str("waiting: somebody still uses the original's tables; are its services stopped?")
            }
            Self::SetAside => f.write_str("set the original's tables aside"),
            Self::Examining => f.write_str("looking through the original's rows"),
            Self::Examined { fixes } => write!(f, "looked through the original's rows: {fixes} findings"),
            Self::Copied { table, rows, of } => write!(f, "copied {rows} of {of} rows of {table}"),
            Self::Completed { what, rows } => write!(f, "completed {rows} {what}"),
            Self::Report(report) => write!(f, "{report}"),
            Self::Adopted => f.write_str("adopted: the database is CloudJet's now"),
            Self::Rehearsed { adopts: true } => f.write_str("nothing was changed: this was a rehearsal"),
            Self::Rehearsed { adopts: false } => f.write_str("nothing to adopt here; nothing was changed"),
            Self::HashedPasswords { done, of } => write!(f, "hashed {done} of {of} plain-text passwords"),
            Self::KnownPassword { user_id } => {
                write!(f, "account {user_id} has the password of the original's setup script: change it now")
            }
            Self::CreatedAdministrator => f.write_str("created the administrator's account"),
            Self::PromotedAdministrator => f.write_str("made the account of ADMIN_EMAIL an administrator"),
            Self::ReplacedPassword => f.write_str("replaced the administrator's password by ADMIN_PASSWORD"),
            Self::NoAdministrator => {
                f.write_str("no administrator was made: ADMIN_EMAIL and ADMIN_PASSWORD are not set")
            }
            Self::LoadedDemo(loaded) => write!(f, "loaded demo data: {loaded}"),
            Self::NothingToDo => f.write_str("nothing to do"),
        }
    }
}

/// A duration in the unit that suits it.
struct Took(Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(10) {
            write!(f, "{} ms", self.0.as_millis())
        } else {
            write!(f, "{} s", self.0.as_secs())
        }
    }
}
