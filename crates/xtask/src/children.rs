//! A list of child processes on disk, by which a later run ends what a killed one has left behind.
//!
//! Process ids are used again, so each stands with its command line, and only a process that still has that command
//! line is touched.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::process::Process;

/// How long a left-over child may take to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often we look whether it has.
const INTERVAL: Duration = Duration::from_millis(50);

/// Adds `child` to `list`.
pub(crate) fn remember(list: &Path, child: &Process) -> Result<()> {
    let Some((id, command)) = child.identity() else { return Ok(()) };
    let file = OpenOptions::new().append(true).create(true).open(list);
    file.and_then(|mut file| writeln!(file, "{id} {command}"))
        .with_context(|| format!("{} can't be written", list.display()))
}

/// Ends the children of `list` that are still alive.
pub(crate) fn end_left_over(list: &Path) {
    let list = fs::read_to_string(list).unwrap_or_default();
    let alive: Vec<(Pid, &str)> = list
        .lines()
        .filter_map(|line| {
            let (id, command) = line.split_once(' ')?;
            Some((Pid::from_raw(id.parse().ok()?)?, command))
        })
        .filter(|(id, command)| is_still(*id, command))
        .collect();
    for (id, _) in &alive {
        let _ = kill_process_group(*id, Signal::TERM);
    }
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && alive.iter().any(|(id, command)| is_still(*id, command)) {
        std::thread::sleep(INTERVAL);
    }
    for (id, command) in alive {
        if is_still(id, command) {
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// Whether process `id` is the one that was started as `command`; a script has its interpreter in front.
fn is_still(id: Pid, command: &str) -> bool {
    command_line(id).is_some_and(|line| line.ends_with(command))
}

/// The command line of a live process.
pub(crate) fn command_line(id: Pid) -> Option<String> {
    let id = id.as_raw_pid();
    let line = if Path::new("/proc/self/cmdline").exists() {
        String::from_utf8_lossy(&fs::read(format!("/proc/{id}/cmdline")).ok()?).replace('\0', " ")
    } else {
        let answer = Command::new("ps").args(["-ww", "-o", "command=", "-p", &id.to_string()]).output().ok()?;
        String::from_utf8_lossy(&answer.stdout).into_owned()
    };
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Output;
    use crate::random;

    #[tokio::test]
    async fn only_the_same_process_is_ended() {
        let list = std::env::temp_dir().join(format!("cloudjet-children-{}", random::hex(4).unwrap()));
        let sleep = |seconds: &str| {
            let mut command = tokio::process::Command::new("sleep");
            command.arg(seconds);
            let sleep = Process::start("sleep", command, Output::Quiet).unwrap();
            // A process that was started a moment ago may have no command line yet.
            let (id, line) = sleep.identity().unwrap();
            let id = Pid::from_raw(id.cast_signed()).unwrap();
            while !is_still(id, line) {
                std::thread::yield_now();
            }
            sleep
        };
        let (mut ours, mut others) = (sleep("601"), sleep("602"));
        remember(&list, &ours).unwrap();
        let (id, _) = others.identity().unwrap();
        let mut file = OpenOptions::new().append(true).open(&list).unwrap();
        writeln!(file, "{id} another command that had this number").unwrap();

        end_left_over(&list);
        fs::remove_file(list).unwrap();
        assert!(!ours.ended().await.unwrap().success());
        assert!(tokio::time::timeout(Duration::from_millis(50), others.ended()).await.is_err());
    }
}
