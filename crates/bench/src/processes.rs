//! The processor's time that each process of the system takes. A kernel's clock tick, ten milliseconds, is as fine as
//! it gets.

use std::collections::BTreeMap;
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

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
pub(crate) struct Processes(Vec<(String, Pid)>);

impl Processes {
    /// Watches `processes`, and ourselves.
    pub(crate) fn watch(processes: &[(String, u32)]) -> Self {
        let ours = (CLIENT.to_owned(), std::process::id());
        Self(processes.iter().chain([&ours]).map(|(name, id)| (name.clone(), Pid::from_u32(*id))).collect())
    }

    /// What they have used by now.
    pub(crate) fn used(&self) -> Used {
        let Ok(mut system) = System::new() else { return Used::default() };
        let ids: Vec<Pid> = self.0.iter().map(|(_, id)| *id).collect();
        let time = ProcessRefreshKind::nothing().with_cpu().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&ids), false, time);
        let used = |id| system.process(id).map(|process| Duration::from_millis(process.accumulated_cpu_time()));
        Used(self.0.iter().filter_map(|(name, id)| Some((name.clone(), used(*id)?))).collect())
    }

    /// What they have used since they had used `before`.
    pub(crate) fn used_since(&self, before: &Used) -> Used {
        self.used().since(before)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_we_use_is_seen() {
        let processes = Processes::watch(&[]);
        let (before, started) = (processes.used(), Instant::now());
        while processes.used_since(&before).by(CLIENT).is_zero() {
            assert!(started.elapsed() < Duration::from_mins(1), "a minute's work took nothing");
        }
    }
}
