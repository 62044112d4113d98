//! The receipts on disk, so that a restarted simulator still knows what it took.
//!
//! A line of JSON at the end of the file for each receipt that changed, so that a change costs the same however many receipts
//! there are; the last line of a receipt counts. Nobody was told of a line that broke off with the simulator: it is left out.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::ledger::{Entry, Ledger};

/// The file, open at its end. Nobody else writes it.
pub(super) struct Store(File);

impl Store {
    /// What is in `path`, which may not be there yet. Of each receipt one line is kept: in a new file that is renamed over
    /// the old one, so that there is always a whole one.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Ledger)> {
        let ledger = Ledger::from_entries(read(path)?);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let beside = beside(path);
        let mut store = Self(File::create(&beside)?);
        store.append(ledger.entries())?;
        fs::rename(&beside, path)?;
        Ok((store, ledger))
    }

    /// Writes these receipts down as they are now.
    pub(super) fn append<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) -> io::Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        self.0.write_all(&lines)
    }
}

/// The receipts in `path`, in the order in which they came.
fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let (whole, broken_off) = text.rsplit_once('\n').unwrap_or(("", &text));
    if !(broken_off.is_empty() || broken_off.starts_with('{')) {
        return Err(io::Error::new(ErrorKind::InvalidData, "it ends with what is no receipt"));
    }
    let (mut entries, mut places) = (Vec::<Entry>::new(), HashMap::new());
    for line in whole.lines() {
        let entry: Entry = serde_json::from_str(line)?;
        let place = *places.entry(entry.receipt_id.clone()).or_insert(entries.len());
        match entries.get_mut(place) {
            Some(before) => *before = entry,
            None => entries.push(entry),
        }
    }
    Ok(entries)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(receipt: char, price: i64) -> String {
        let id = receipt.to_string().repeat(24);
        format!(
            r#"{{"receipt_id":"{id}","order_id":"A","order_name":"A","price":{price},"cancelled_price":0,"status":1,"requested_at":"2026-11-22T00:00:00Z","purchased_at":null,"cancelled_at":null,"webhook":"unsigned","webhook_format":"json","last_delivery":null,"cancels":[]}}"#
        )
    }

    #[test]
    fn the_last_whole_line_of_a_receipt_counts() {
        let path = std::env::temp_dir().join(format!("cloudjet-receipts-{}.jsonl", std::process::id()));
        let lines = [line('a', 1), line('b', 2), line('a', 3)].join("\n");
        fs::write(&path, format!("{lines}\n{}", &line('b', 4)[..40])).unwrap();
        let prices = |ledger: &Ledger| ledger.entries().iter().map(|entry| entry.price).collect::<Vec<_>>();

        let (mut store, mut ledger) = Store::open(&path).unwrap();
        assert_eq!(prices(&ledger), [3, 2]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "one line for each is kept");

        assert!(ledger.take_changed().is_empty());
        ledger.change(&"b".repeat(24), |entry| entry.price = 5).unwrap();
        store.append(ledger.take_changed()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
        assert_eq!(prices(&Store::open(&path).unwrap().1), [3, 5]);
        fs::remove_file(path).unwrap();
    }
}
