//! The receipts on disk, so that a restarted simulator still knows what it took.
//!
//! A line of JSON at the end of the file for each receipt that changed, so that a change costs the same however many receipts
//! there are; the last line of a receipt counts. Nobody was told of a line that broke off with the simulator: it is left out.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Deserializer;

use super::ledger::{Entry, Ledger};

/// The file of receipts, which nobody else writes.
pub(super) struct Store {
    path: PathBuf,
    file: File,
    /// How many bytes of it are whole lines.
    length: u64,
}

impl Store {
    /// What is in `path`, which may not be there yet. Of each receipt one line is kept: in a new file that is renamed over
    /// the old one, so that there is always a whole one.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Ledger)> {
        let ledger = Ledger::from_entries(read(path)?);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let beside = beside(path);
        let mut store = Self { path: path.to_owned(), file: File::create(&beside)?, length: 0 };
        store.append(ledger.entries())?;
        fs::rename(&beside, path)?;
        Ok((store, ledger))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down what changed in `ledger`, with all that couldn't be written before.
    pub(super) fn save(&mut self, ledger: &mut Ledger) -> io::Result<()> {
        self.append(ledger.unwritten())?;
        ledger.mark_written();
        Ok(())
    }

    fn append<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) -> io::Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        // A write that failed may have left half a line.
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&lines)?;
        self.length += lines.len() as u64;
        Ok(())
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
    for entry in Deserializer::from_str(whole).into_iter() {
        let entry: Entry = entry?;
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

    /// A file of this test's own, with these lines and half a line.
    fn file(name: &str, lines: &[String]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("cloudjet-receipts-{name}-{}.jsonl", std::process::id()));
        fs::write(&path, format!("{}\n{}", lines.join("\n"), &line('z', 9)[..40])).unwrap();
        path
    }

    fn prices(ledger: &Ledger) -> Vec<i64> {
        ledger.entries().iter().map(|entry| entry.price).collect()
    }

    fn give_price(ledger: &mut Ledger, receipt: char, price: i64) {
        ledger.change(&receipt.to_string().repeat(24), |entry| entry.price = price).unwrap();
    }

    #[test]
    fn the_last_whole_line_of_a_receipt_counts() {
        let path = file("last", &[line('a', 1), line('b', 2), line('a', 3)]);
        let (mut store, mut ledger) = Store::open(&path).unwrap();
        assert_eq!(prices(&ledger), [3, 2]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "one line for each is kept");

        give_price(&mut ledger, 'b', 5);
        store.save(&mut ledger).unwrap();
        store.save(&mut ledger).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
        assert_eq!(prices(&Store::open(&path).unwrap().1), [3, 5]);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_could_not_be_written_is_written_with_the_next() {
        let path = file("failed", &[line('a', 1), line('b', 2)]);
        let (mut store, mut ledger) = Store::open(&path).unwrap();
        give_price(&mut ledger, 'a', 3);
        let writable = std::mem::replace(&mut store.file, File::open(&path).unwrap());
        store.save(&mut ledger).unwrap_err();

        // The disk was full in the middle of a line.
        fs::write(&path, fs::read_to_string(&path).unwrap() + &line('a', 3)[..40]).unwrap();
        store.file = writable;
        give_price(&mut ledger, 'b', 4);
        store.save(&mut ledger).unwrap();
        assert_eq!(prices(&Store::open(&path).unwrap().1), [3, 4]);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_line_that_is_no_receipt_is_named() {
        let path = file("spoilt", &[line('a', 1), "{}".to_owned(), line('b', 2)]);
        let error = Store::open(&path).err().unwrap().to_string();
        assert!(error.contains("line 2"), "{error}");
        fs::remove_file(path).unwrap();
    }
}
