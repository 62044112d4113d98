//! The history of the schema: which migrations a database has, and applying those it lacks.
//!
//! sqlx keeps the history in `_sqlx_migrations`, and so do we, in its format; but its runner gives up for ever on a
//! database where a migration was cut off, because DDL commits by itself and nobody knows how far it came. We know:
//! a file is one statement, so it happened wholly or not at all, and only its mark may be missing. So it is run
//! again, and "already there" is then the answer of one that had happened.
//!
//! The trap in that: a migration that the server *refuses* must leave no mark, or the refusal of a real conflict
//! would look like a migration that had happened when the run is repeated.

mod marks;
mod refusal;

use std::fmt;
use std::time::{Duration, Instant};

use common::db;
use sqlx::MySqlConnection;
use sqlx::migrate::{Migrate, Migration, Migrator};

use self::marks::Mark;
use crate::error::Error;
use crate::step::{Reporter, Resumed, Step};

/// How long a migration may wait in all for a table that is in use.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long everybody else may have that table between two attempts to get it.
const PAUSE: Duration = Duration::from_secs(2);

/// What a program and a database know of each other's migrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The program's migrations, in order.
    pub entries: Vec<Entry>,
    /// Versions only the database has, all newer than the program's.
    pub ahead: Vec<i64>,
    /// Versions only the database has, though the program has newer ones.
    pub missing: Vec<i64>,
}

/// A migration, and what the database says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its file's name.
    pub file: String,
    /// How far it is.
    pub state: State,
}

/// How far a migration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not begun.
    Pending,
    /// Begun, with nobody knowing what became of it.
    CutOff {
        /// Whether the file is still what was begun.
        same: bool,
    },
    /// Done.
    Applied,
    /// Done, from a file that said something else.
    Changed,
}

impl Status {
    fn of(migrator: &Migrator, marks: &[Mark]) -> Self {
        let state = |migration: &Migration| match marks.iter().find(|mark| mark.version == migration.version) {
            None => State::Pending,
            Some(mark) => match (mark.success, *mark.checksum == *migration.checksum) {
                (false, same) => State::CutOff { same },
                (true, true) => State::Applied,
                (true, false) => State::Changed,
            },
        };
        let newest = migrator.iter().map(|m| m.version).max().unwrap_or(i64::MIN);
        let (ahead, missing) =
            marks.iter().map(|m| m.version).filter(|&v| !migrator.version_exists(v)).partition(|&v| v > newest);
        Self { entries: migrator.iter().map(|m| Entry { file: file(m), state: state(m) }).collect(), ahead, missing }
    }

    /// Refuses to go on from a history that isn't this program's.
    fn check(&self) -> Result<(), Error> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.state == State::Changed) {
            return Err(Error::Changed { file: entry.file.clone() });
        }
        if let Some(&version) = self.missing.first() {
            return Err(Error::Missing { version });
        }
        match self.entries.iter().find(|entry| entry.state != State::Applied) {
            Some(entry) if !self.ahead.is_empty() => Err(Error::Diverged { file: entry.file.clone() }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            let state = match entry.state {
                State::Pending => "pending",
                State::CutOff { .. } => "cut off",
                State::Applied => "applied",
                State::Changed => "changed",
            };
            writeln!(f, "{state}  {}", entry.file)?;
        }
        for version in &self.missing {
            writeln!(f, "missing  {version}")?;
        }
        for version in &self.ahead {
            writeln!(f, "newer    {version}")?;
        }
        let pending = self.entries.iter().filter(|e| matches!(e.state, State::Pending | State::CutOff { .. })).count();
        write!(f, "{} migrations, {pending} pending", self.entries.len())
    }
}

/// The name of a migration's file, as sqlx read it.
fn file(migration: &Migration) -> String {
    format!("{}_{}.sql", migration.version, migration.description.replace(' ', "_"))
}

/// What the database says of the migrations of `migrator`; it may know nothing yet.
pub(crate) async fn status(connection: &mut MySqlConnection, migrator: &Migrator) -> Result<Status, Error> {
    let marks = match marks::all(connection).await {
        // No such table: nothing was ever applied.
        Err(error) if db::number(&error) == Some(1146) => Vec::new(),
        marks => marks?,
    };
    Ok(Status::of(migrator, &marks))
}

/// Applies what the database lacks. Answers whether there was anything. Whoever calls it holds the lock.
pub(crate) async fn apply(
    connection: &mut MySqlConnection,
    migrator: &Migrator,
    report: Reporter<'_>,
) -> Result<bool, Error> {
    connection.ensure_migrations_table(marks::TABLE).await?;
    let status = Status::of(migrator, &marks::all(connection).await?);
    status.check()?;
    if !status.ahead.is_empty() {
        report(Step::Ahead { count: status.ahead.len() });
    }
    let mut changed = false;
    for (migration, entry) in migrator.iter().zip(&status.entries) {
        if entry.state != State::Applied {
            apply_one(connection, migration, entry, report).await?;
            changed = true;
        }
    }
    Ok(changed)
}

async fn apply_one(
    connection: &mut MySqlConnection,
    migration: &Migration,
    entry: &Entry,
    report: Reporter<'_>,
) -> Result<(), Error> {
    let file = || entry.file.clone();
    let was_cut_off = matches!(entry.state, State::CutOff { .. });
    let started = Instant::now();
    let mut told = false;
    let resumed = loop {
        let source = match marks::run(connection, migration).await {
            Ok(()) => break if was_cut_off { Resumed::Repeated } else { Resumed::No },
            Err(source) => source,
        };
        if source.as_database_error().is_none() || db::is_outage(&source) {
            return Err(Error::CutOff { file: file(), source });
        }
        if entry.state == (State::CutOff { same: true }) && refusal::is_already_there(&source) {
            marks::complete(connection, migration, started.elapsed()).await?;
            break Resumed::MarkOnly;
        }
        if !was_cut_off {
            marks::remove(connection, migration).await?;
        }
        // Locks of others: waited for in vain, deadlocked with, or come in between.
        if matches!(db::number(&source), Some(1205 | 1213 | 1020)) && started.elapsed() < PATIENCE {
            if !told {
                report(Step::WaitingForTable { file: file() });
                told = true;
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        return Err(if was_cut_off {
            Error::Interrupted { file: file(), source }
        } else {
            Error::Refused { file: file(), source }
        });
    };
    report(Step::Applied { file: file(), took: started.elapsed(), resumed });
    Ok(())
}

#[cfg(test)]
mod tests {
    use common::db::MIGRATOR;

    use super::*;

    fn mark(migration: &Migration) -> Mark {
        Mark { version: migration.version, success: true, checksum: migration.checksum.to_vec() }
    }

    fn all() -> Vec<Mark> {
        MIGRATOR.iter().map(mark).collect()
    }

    #[test]
    fn a_database_that_is_up_to_date_has_nothing_pending() {
        let status = Status::of(&MIGRATOR, &all());
        assert!(status.check().is_ok());
        assert!(status.entries.iter().all(|entry| entry.state == State::Applied));
        assert!(status.to_string().ends_with(", 0 pending"), "{status}");
    }

    #[test]
    fn a_changed_file_is_named() {
        let mut marks = all();
        marks[2].checksum[0] ^= 1;
        let refused = Status::of(&MIGRATOR, &marks).check().unwrap_err();
        assert!(refused.to_string().contains("20261201090003_create_flights.sql"), "{refused}");
    }

    #[test]
    fn a_newer_release_may_have_been_here_but_no_other_history() {
        let (newer, between) = (MIGRATOR.iter().next_back().unwrap().version + 1, 20_261_201_090_002 - 1_000_000);
        let unknown = |version| Mark { version, success: true, checksum: vec![0] };

        let mut marks = all();
        marks.push(unknown(newer));
        let status = Status::of(&MIGRATOR, &marks);
        assert_eq!(status.ahead, [newer]);
        assert!(status.check().is_ok(), "rolling back to this release must not fail");

        marks.remove(5);
        assert!(matches!(Status::of(&MIGRATOR, &marks).check(), Err(Error::Diverged { .. })));

        let mut marks = all();
        marks.push(unknown(between));
        assert!(matches!(Status::of(&MIGRATOR, &marks).check(), Err(Error::Missing { version }) if version == between));
    }

    #[test]
    fn a_file_is_one_statement_and_opens_with_its_reason() {
        for migration in MIGRATOR.iter() {
            let (file, sql) = (file(migration), migration.sql.as_str());
            let reason = sql.lines().next().and_then(|line| line.strip_prefix("-- ")).unwrap_or_default();
            assert!(reason.len() > 20, "{file} must open with a comment that says why");
            assert_eq!(statements(sql), 1, "{file} must hold one statement, or it can't be resumed");
            assert!(sql.ends_with(";\n"), "{file} must end with its statement");
        }
    }

    #[test]
    fn both_servers_understand_every_file() {
        for migration in MIGRATOR.iter() {
            let sql = bare(migration.sql.as_str()).to_lowercase().replace("create table if not exists", "");
            for word in
                ["if not exists", "if exists", "returning", "insert ignore", "0900_ai_ci", "trigger", "procedure"]
            {
                assert!(!sql.contains(word), "{} says {word}", file(migration));
            }
        }
    }

    /// How many statements `sql` holds.
    fn statements(sql: &str) -> usize {
        bare(sql).split(';').filter(|statement| !statement.trim().is_empty()).count()
    }

    /// `sql` without comments and with nothing between its quotes.
    fn bare(sql: &str) -> String {
        let (mut bare, mut rest) = (String::new(), sql);
        while let Some(first) = rest.chars().next() {
            let after = |end: &str| rest.find(end).map_or("", |at| &rest[at + end.len()..]);
            rest = match first {
                '-' if rest.starts_with("-- ") => after("\n"),
                '#' => after("\n"),
                '/' if rest.starts_with("/*") => after("*/"),
                '\'' | '"' | '`' => rest[1..].split_once(first).map_or("", |(_, rest)| rest),
                _ => {
                    bare.push(first);
                    &rest[first.len_utf8()..]
                }
            };
        }
        bare
    }

    #[test]
    fn statements_are_counted_and_not_semicolons() {
        assert_eq!(statements("-- a; b\nselect ';', \"it''s; fine\" /* ; */ from `x;y`;\n"), 1);
        assert_eq!(statements("select 1;\n-- why\nselect 2"), 2);
        assert_eq!(statements("-- nothing;\n"), 0);
    }
}
