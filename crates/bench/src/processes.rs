//! The processor's time that each process of the system takes. A kernel's clock tick, ten milliseconds, is as fine as
//! it gets.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// What our own process is called.
pub(crate) const CLIENT: &str = "client";

/// A `NAME=PID` of the command line.
pub(crate) fn named(text: &str) -> Result<(String, u32), String> {
    let (name, id) = text.split_once('=').ok_or("not of the form NAME=PID")?;
    Ok((name.to_owned(), id.parse().map_err(|_| "no process id")?))
}

/// Processor time by process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used(BTreeMap<String, Duration>);

impl Used {
    /// That of one process.
    pub(crate) fn by(&self, name: &str) -> Duration {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// That of all.
    pub(crate) fn all(&self) -> Duration {
        self.0.values().sum()
    }

    /// What was used since `earlier`.
    fn since(&self, earlier: &Self) -> Self {
        Self(self.0.iter().map(|(name, now)| (name.clone(), now.saturating_sub(earlier.by(name)))).collect())
    }
}

/// Processes that are watched, ourselves among them.
#[derive(Debug)]
pub(crate) struct Processes(Vec<(String, String)>);

impl Processes {
    /// Watches `processes`, and ourselves.
    pub(crate) fn watch(processes: &[(String, u32)]) -> Self {
        let others = processes.iter().map(|(name, id)| (name.clone(), format!("/proc/{id}/stat")));
        Self(others.chain([(CLIENT.to_owned(), "/proc/self/stat".to_owned())]).collect())
    }

    /// What they have used by now.
    pub(crate) fn used(&self) -> Used {
        Used(self.0.iter().filter_map(|(name, stat)| Some((name.clone(), read(stat)?))).collect())
    }

    /// What they have used since they had used `before`.
    pub(crate) fn used_since(&self, before: &Used) -> Used {
        self.used().since(before)
    }
}

fn read(stat: &str) -> Option<Duration> {
    ticks(&fs::read_to_string(stat).ok()?).map(|ticks| {
        let a_second = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100);
        Duration::from_secs(ticks) / a_second
    })
}

/// The time in user mode and in the kernel, from a process's `stat`.
fn ticks(stat: &str) -> Option<u64> {
    // The program's name stands in brackets, and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let [user, kernel] = [fields.next()?, fields.next()?].map(|ticks| ticks.parse::<u64>().ok());
    Some(user? + kernel?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_is_read() {
        let stat = "42 (a (strange) name) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 100 0 0";
        assert_eq!(ticks(stat), Some(200));
        assert_eq!(ticks("42"), None);
        assert!(Processes::watch(&[]).used().0.contains_key(CLIENT));
    }
}
