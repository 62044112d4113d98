//! The receipts on disk, so that a restarted simulator still knows what it took.
//!
//! One JSON file, written beside and renamed over the old one: a reader finds the old receipts or the new, never half.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ledger::{Entry, Ledger};

/// What the file holds. Receipts are borrowed when written.
#[derive(Serialize)]
struct Written<'a> {
    receipts: &'a [Entry],
}

#[derive(Deserialize)]
struct Read {
    receipts: Vec<Entry>,
}

/// The receipts in `path`; none if there is no such file.
pub(super) fn load(path: &Path) -> io::Result<Ledger> {
    match fs::read(path) {
        Ok(bytes) => {
            let read: Read = serde_json::from_slice(&bytes)?;
            Ok(Ledger::from_entries(read.receipts))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Ledger::default()),
        Err(error) => Err(error),
    }
}

/// Replaces what is in `path`.
pub(super) fn save(path: &Path, ledger: &Ledger) -> io::Result<()> {
    let receipts = ledger.entries();
    let bytes = serde_json::to_vec_pretty(&Written { receipts })?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let beside = beside(path);
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}
