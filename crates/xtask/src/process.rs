//! A child process that can't outlive us unnoticed.
//!
//! Each child leads a process group of its own: Ctrl-C in a terminal reaches only us, and we end the children in
//! the right order, with everything they started. A [`Process`] that is dropped while it runs, because its step
//! failed, was interrupted or panicked, is killed at once.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output as Said, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::logs::Writer;
use crate::report;

/// How many of a process's last lines are told when it fails.
const LAST_LINES: usize = 25;

/// Where a child's standard output and error go.
pub(crate) enum Output<'a> {
    /// To our own terminal.
    Terminal,
    /// Into this file, which is written anew.
    File(&'a Path),
    /// Nowhere; the last lines are remembered.
    Quiet,
    /// Into the common log.
    Log(Writer),
}

/// A running child.
pub(crate) struct Process {
    name: String,
    command: String,
    child: Child,
    told: Told,
}

/// What a child said, as far as it may still be needed.
enum Told {
    Nothing,
    File(PathBuf),
    Lines(Arc<Mutex<VecDeque<String>>>),
}

impl Process {
    /// Starts `command` and calls it `name`.
    pub(crate) fn start(name: impl Into<String>, mut command: Command, output: Output<'_>) -> Result<Self> {
        let name = name.into();
        let is_plain = match output {
            Output::Terminal => false,
            Output::File(_) | Output::Quiet => true,
            Output::Log(_) => !report::is_coloured(),
        };
        if is_plain {
            command.env("NO_COLOR", "1");
        }
        let told = match output {
            Output::Terminal => Told::Nothing,
            Output::File(path) => {
                let file = File::create(path).with_context(|| format!("{} can't be written", path.display()))?;
                command.stdout(file.try_clone()?).stderr(file);
                Told::File(path.to_owned())
            }
            Output::Quiet => Told::Lines(read_lines(&mut command, None)?),
            Output::Log(writer) => Told::Lines(read_lines(&mut command, Some(writer))?),
        };
        let line = line_of(&command);
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{name} can't be started ({line})"))?;
        Ok(Self { name, command: line, child, told })
    }

    /// What we call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its process id and command line, by which a later run can recognise it.
    pub(crate) fn identity(&self) -> Option<(u32, &str)> {
        Some((self.child.id()?, &self.command))
    }

    /// Waits until it has ended. May be dropped and called again.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Waits until it has ended, and well.
    pub(crate) async fn succeeded(&mut self) -> Result<()> {
        let status = self.ended().await?;
        if !status.success() {
            bail!("{}", self.obituary(status).await);
        }
        Ok(())
    }

    /// One sentence on how it ended, and its last lines.
    pub(crate) async fn obituary(&self, status: ExitStatus) -> String {
        let lines = self.last_lines().await;
        if lines.is_empty() {
            format!("{} ended with {status}.", self.name)
        } else {
            format!("{} ended with {status}. Its last lines:\n{}", self.name, indented(&lines))
        }
    }

    /// The last lines it said, where they were kept.
    pub(crate) async fn last_lines(&self) -> Vec<String> {
        match &self.told {
            Told::Nothing => Vec::new(),
            Told::File(path) => {
                let text = fs::read(path).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let lines: Vec<_> = text.lines().map(str::to_owned).collect();
                lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()
            }
            Told::Lines(lines) => {
                // The reader shares our thread: give it the time to see the end of the pipe.
                tokio::time::sleep(Duration::from_millis(50)).await;
                lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
            }
        }
    }

    /// Sends `signal` to it and to everything it started; nothing if it has ended already.
    pub(crate) fn send(&self, signal: Signal) {
        let group = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Kills it at once, with everything it started, and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.send(Signal::KILL);
        self.ended().await.map(drop)
    }

    /// Waits for its end until `deadline`, then kills it.
    pub(crate) async fn end_by(&mut self, deadline: Instant) {
        if tokio::time::timeout_at(deadline, self.child.wait()).await.is_err() {
            self.send(Signal::KILL);
            let _ = self.child.wait().await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.send(Signal::KILL);
        }
    }
}

/// Runs `command` to its end, showing its output only if it fails.
pub(crate) async fn run_quietly(name: &str, command: Command) -> Result<()> {
    Process::start(name, command, Output::Quiet)?.succeeded().await
}

/// Runs `command` to its end on our terminal.
pub(crate) async fn run_on_terminal(name: &str, command: Command) -> Result<()> {
    Process::start(name, command, Output::Terminal)?.succeeded().await
}

/// What `command` prints, without the space around it.
///
/// # Errors
/// If it doesn't end well, with its last lines.
pub(crate) async fn said(command: Command) -> Result<String> {
    Ok(said_to(command, b"").await?.trim().to_owned())
}

/// What `command` prints when it is given `input`.
///
/// # Errors
/// If it doesn't end well, with its last lines.
pub(crate) async fn said_to(mut command: Command, input: &[u8]) -> Result<String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("{name} can't be started"))?;
    let mut pipe = child.stdin.take().context("a child takes no input")?;
    let giving = async move { pipe.write_all(input).await };
    let (given, answer) = tokio::join!(giving, child.wait_with_output());
    let Said { status, stdout, stderr } = answer?;
    if !status.success() {
        let all = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        let lines: Vec<_> = all.lines().map(str::to_owned).collect();
        let last = indented(&lines[lines.len().saturating_sub(LAST_LINES)..]);
        bail!("{name} ended with {status}. Its last lines:\n{last}");
    }
    given.with_context(|| format!("{name} takes not all of its input"))?;
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// The code to end with as a child did; 1 if it was killed.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Lines, each set off from the margin.
pub(crate) fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn line_of(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Gives `command` one pipe for both its outputs, so that their order is kept, and reads it line by line.
fn read_lines(command: &mut Command, writer: Option<Writer>) -> Result<Arc<Mutex<VecDeque<String>>>> {
    let (reader, pipe) = std::io::pipe().context("no pipe can be made")?;
    command.stdout(pipe.try_clone()?).stderr(pipe);
    let mut reader = BufReader::new(pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?);

    let last = Arc::new(Mutex::new(VecDeque::new()));
    let kept = Arc::clone(&last);
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).await.is_ok_and(|length| length > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LAST_LINES {
                    kept.pop_front();
                }
                kept.push_back(line.clone());
            }
            if let Some(writer) = &writer {
                writer.write(line).await;
            }
        }
    });
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_failure_tells_the_last_lines_in_order() {
        let failure = run_quietly("the script", shell("echo one; echo two >&2; echo three; exit 3")).await.unwrap_err();
        assert_eq!(
            failure.to_string(),
            "the script ended with exit status: 3. Its last lines:\n    one\n    two\n    three"
        );
    }

    #[tokio::test]
    async fn what_is_kept_has_no_colours() {
        let failure = run_quietly("the script", shell("echo ${NO_COLOR:-coloured}; exit 3")).await.unwrap_err();
        assert_eq!(failure.to_string(), "the script ended with exit status: 3. Its last lines:\n    1");
    }

    #[tokio::test]
    async fn what_a_program_says_is_told_or_why_it_failed() {
        assert_eq!(said(shell("echo ' seven '")).await.unwrap(), "seven");
        let long = "a line\n".repeat(100_000);
        assert_eq!(said_to(shell("cat"), long.as_bytes()).await.unwrap(), long);
        let failure = said_to(shell("echo no >&2; exit 3"), long.as_bytes()).await.unwrap_err().to_string();
        assert_eq!(failure, "sh ended with exit status: 3. Its last lines:\n    no");
    }

    #[tokio::test]
    async fn dropping_a_process_ends_its_whole_group() {
        let mut process = Process::start("sleeper", shell("sleep 600 & echo $!; wait"), Output::Quiet).unwrap();
        let grandchild = loop {
            if let Some(line) = process.last_lines().await.first() {
                break line.parse().unwrap();
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(1), process.ended()).await;
        drop(process);

        let grandchild = Pid::from_raw(grandchild).unwrap();
        let gone = async {
            while crate::children::command_line(grandchild).is_some_and(|line| line.contains("sleep")) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
    }
}
