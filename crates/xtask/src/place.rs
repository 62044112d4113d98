//! A directory that belongs to one run at a time: the data of private servers, their log files and secrets.
//!
//! The run holds a file lock for as long as it lives, which the system releases whatever happens to it, so there
//! are no stale locks. What a killed run can leave behind is its children, which are written down here.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process::Process;
use crate::{children, random};

const LOCK: &str = "lock";
const CHILDREN: &str = "children";

/// A directory, and the right to use it.
pub(crate) struct Place {
    directory: PathBuf,
    throw_away: bool,
    _lock: File,
}

/// Another run has the directory.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Which run, as it wrote itself down.
    by: String,
}

impl fmt::Display for Taken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is running in this checkout: use that one, or stop it there with Ctrl-C first", self.by)
    }
}

impl std::error::Error for Taken {}

impl Place {
    /// Takes `directory` for `cargo xtask <run>`, and ends what a killed run left there.
    ///
    /// # Errors
    /// [`Taken`] if another run has it.
    pub(crate) fn take(directory: &Path, run: &str) -> Result<Self> {
        make_private(directory)?;
        let path = directory.join(LOCK);
        let mut lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let by = fs::read_to_string(&path).unwrap_or_default();
                return Err(Taken { by }.into());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} can't be locked", path.display()));
            }
        }
        lock.set_len(0)?;
        write!(lock, "`cargo xtask {run}` (process {})", std::process::id())?;
        let place = Self { directory: directory.to_owned(), throw_away: false, _lock: lock };
        children::end_left_over(&place.children());
        place.forget(CHILDREN)?;
        Ok(place)
    }

    /// Makes a new directory in `parent` that goes away with this run, and removes those of killed runs.
    pub(crate) fn throw_away(parent: &Path, run: &str) -> Result<Self> {
        make_private(parent)?;
        let path = parent.join(LOCK);
        let others = open_lock(&path)?;
        others.lock().with_context(|| format!("{} can't be locked", path.display()))?;
        for entry in fs::read_dir(parent)?.flatten().filter(|entry| entry.path().is_dir()) {
            if let Ok(left_over) = Self::take(&entry.path(), run) {
                fs::remove_dir_all(&left_over.directory)?;
            }
        }
        let mut place = Self::take(&parent.join(random::hex(4)?), run)?;
        place.throw_away = true;
        Ok(place)
    }

    /// The path of `name` in this directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Whether it goes away with this run.
    pub(crate) fn is_throw_away(&self) -> bool {
        self.throw_away
    }

    /// Removes everything in it.
    pub(crate) fn clear(&self) -> Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let removed = match path.file_name() {
                Some(name) if name == LOCK => Ok(()),
                _ if path.is_dir() => fs::remove_dir_all(&path),
                _ => fs::remove_file(&path),
            };
            removed.with_context(|| format!("{} can't be removed", path.display()))?;
        }
        Ok(())
    }

    /// The secret kept under `name`, made up at its first use.
    pub(crate) fn secret(&self, name: &str) -> Result<String> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(secret) if !secret.is_empty() => Ok(secret),
            _ => {
                let secret = random::hex(24)?;
                self.write_private(name, &secret)?;
                Ok(secret)
            }
        }
    }

    /// Writes a file that only this user may read.
    pub(crate) fn write_private(&self, name: &str, text: &str) -> Result<PathBuf> {
        self.forget(name)?;
        let path = self.path(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("{} can't be written", path.display()))?;
        Ok(path)
    }

    /// Removes a file of it, if it is there.
    pub(crate) fn forget(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} can't be removed", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// The list of the children that a later run must end if this one can't.
    pub(crate) fn children(&self) -> PathBuf {
        self.path(CHILDREN)
    }

    /// Writes down one of them.
    pub(crate) fn remember(&self, child: &Process) -> Result<()> {
        children::remember(&self.children(), child)
    }

    /// Leaves the directory after all children have ended.
    pub(crate) fn leave(self) -> Result<()> {
        if self.throw_away {
            fs::remove_dir_all(&self.directory)
                .with_context(|| format!("{} can't be removed", self.directory.display()))
        } else {
            self.forget(CHILDREN)
        }
    }
}

fn make_private(directory: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("{} can't be made", directory.display()))
}

fn open_lock(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("{} can't be opened", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent() -> PathBuf {
        std::env::temp_dir().join(format!("cloudjet-place-{}", random::hex(4).unwrap()))
    }

    #[test]
    fn only_one_run_has_it() {
        let directory = parent();
        let first = Place::take(&directory, "up").unwrap();
        let refusal = Place::take(&directory, "db").err().unwrap();
        assert!(refusal.is::<Taken>());
        assert!(refusal.to_string().starts_with("`cargo xtask up` (process "), "{refusal}");
        drop(first);
        assert!(Place::take(&directory, "db").is_ok());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_secret_stays_until_it_is_cleared() {
        let directory = parent();
        let place = Place::take(&directory, "up").unwrap();
        let secret = place.secret("password").unwrap();
        assert_eq!(secret.len(), 48);
        assert_eq!(place.secret("password").unwrap(), secret);
        place.clear().unwrap();
        assert_ne!(place.secret("password").unwrap(), secret);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_throw_away_place_sweeps_up_after_killed_runs() {
        let parent = parent();
        let running = Place::throw_away(&parent, "test").unwrap();
        let killed = Place::throw_away(&parent, "test").unwrap();
        let (kept, left_over) = (running.path(""), killed.path(""));
        drop(killed);
        let next = Place::throw_away(&parent, "test").unwrap();
        assert!(kept.exists() && !left_over.exists());
        next.leave().unwrap();
        running.leave().unwrap();
        fs::remove_dir_all(parent).unwrap();
    }
}
