//! What a process takes of this machine: memory, and the processor's time.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Both, of one process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// The memory it has from the machine, in bytes: its resident set, with the pages of its program.
    pub(crate) memory: u64,
    /// The processor's time that it has used since it began, its own and the kernel's for it. A tick of the kernel's clock,
    /// ten milliseconds, is as fine as it gets.
    pub(crate) processor: Duration,
}

impl Vitals {
    /// Those of the process with this id.
    ///
    /// # Errors
    /// If it doesn't run.
    pub(crate) fn of(id: u32) -> Result<Self> {
        let id = Pid::from_u32(id);
        let mut system = System::new().context("this machine tells nothing of its processes")?;
        let both = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[id]), false, both);
        let process = system.process(id).with_context(|| format!("process {id} doesn't run"))?;
        Ok(Self { memory: process.memory(), processor: Duration::from_millis(process.accumulated_cpu_time()) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_process_that_works_takes_more_and_more() {
        let before = Vitals::of(std::process::id()).unwrap();
        assert!(before.memory > 1 << 20, "{before:?}");
        let started = Instant::now();
        while Vitals::of(std::process::id()).unwrap().processor == before.processor {
            assert!(started.elapsed() < Duration::from_mins(1), "a minute's work took nothing: {before:?}");
        }
        assert!(Vitals::of(u32::MAX).is_err());
    }
}
