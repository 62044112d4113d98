//! What a process takes of this machine: memory, and the processor's time. Linux tells both in one line of /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Both, of one process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// The memory it has from the machine, in bytes: its resident set, with the pages of its program.
    pub(crate) memory: u64,
    /// The processor's time that it has used since it began, its own and the kernel's for it.
    pub(crate) processor: Duration,
}

impl Vitals {
    /// Those of the process with this id.
    ///
    /// # Errors
    /// If it doesn't run, or the machine has no /proc.
    pub(crate) fn of(id: u32) -> Result<Self> {
        let path = format!("/proc/{id}/stat");
        let stat = fs::read_to_string(&path).with_context(|| format!("{path} can't be read"))?;
        Self::read(&stat).with_context(|| format!("{path} isn't as Linux writes it"))
    }

    /// From a process's `stat`: fields 14 and 15 in ticks, and field 24 in pages (proc(5)).
    fn read(stat: &str) -> Option<Self> {
        // The second field is the program's name in brackets, and may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let numbers: Vec<u64> =
            fields.split_ascii_whitespace().skip(1).map(|field| field.parse().unwrap_or(0)).collect();
        let [user, kernel, pages] = [numbers.get(10)?, numbers.get(11)?, numbers.get(20)?];
        let ticks_a_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        Some(Self {
            memory: pages * u64::try_from(rustix::param::page_size()).ok()?,
            processor: Duration::from_secs(user + kernel) / ticks_a_second,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let stat = "42 (a (strange) 7 name) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 100 9999 3 18446744073709551615 1";
        let (page, tick) = (rustix::param::page_size() as u64, rustix::param::clock_ticks_per_second());
        let vitals = Vitals::read(stat).unwrap();
        assert_eq!(vitals.memory, 3 * page);
        assert_eq!(vitals.processor.as_millis(), u128::from(200 * 1000 / tick));
        assert_eq!(Vitals::read("42 (cut off) S 1"), None);
    }

    #[test]
    fn this_process_has_vitals() {
        let vitals = Vitals::of(std::process::id()).unwrap();
        assert!(vitals.memory > 1 << 20, "{vitals:?}");
        assert!(Vitals::of(u32::MAX).is_err());
    }
}
