//! Everything a command has started, and the order in which it ends.
//!
//! Whatever way a command comes to its end, its stack is stopped: first what uses the servers, then the servers,
//! the last one started first, then the directory they lived in.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::logs::Logs;
use crate::place::Place;
use crate::probe;
use crate::process::{Process, exit_code};

/// How long services and test runners may take to stop.
const PATIENCE_WITH_WORKERS: Duration = Duration::from_secs(12);

/// How long a database may take to write down what it holds.
const PATIENCE_WITH_SERVERS: Duration = Duration::from_secs(30);

/// The processes of one command, and their place.
#[derive(Default)]
pub(crate) struct Stack {
    place: Option<Place>,
    servers: Vec<Process>,
    workers: Vec<Process>,
    logs: Option<Logs>,
    up: bool,
}

impl Stack {
    /// Lets the servers live in `place`.
    pub(crate) fn settle(&mut self, place: Place) -> &Place {
        self.place.insert(place)
    }

    /// The directory the servers live in.
    pub(crate) fn place(&self) -> Result<&Place> {
        self.place.as_ref().context("no directory has been chosen for the servers")
    }

    /// Adds a database or a cache.
    pub(crate) fn push_server(&mut self, server: Process) -> Result<&mut Process> {
        self.remember(&server)?;
        Ok(self.servers.push_mut(server))
    }

    /// Kills the server `name` at once, as an accident would.
    pub(crate) async fn lose_server(&mut self, name: &str) -> Result<()> {
        let index = self.servers.iter().position(|server| server.name() == name);
        let mut server = self.servers.remove(index.with_context(|| format!("{name} doesn't run"))?);
        server.kill().await
    }

    /// Adds what uses the servers.
    pub(crate) fn push_worker(&mut self, worker: Process) -> Result<()> {
        self.remember(&worker)?;
        self.workers.push(worker);
        Ok(())
    }

    /// Collects the workers' log lines.
    pub(crate) fn logs(&mut self) -> &mut Logs {
        self.logs.get_or_insert_with(Logs::collect)
    }

    /// Declares that all is running and that the person at the terminal decides when it ends.
    pub(crate) fn is_up(&mut self) {
        self.up = true;
        if let Some(logs) = &mut self.logs {
            logs.show();
        }
    }

    /// Whether stopping it is how it ends, rather than a failure.
    pub(crate) fn was_up(&self) -> bool {
        self.up
    }

    /// Waits until any process ends, and tells which and how. May be dropped and called again.
    pub(crate) async fn first_end(&mut self) -> Result<(&Process, ExitStatus)> {
        let (index, status) = poll_fn(|context| {
            for (index, process) in self.workers.iter_mut().chain(&mut self.servers).enumerate() {
                if let Poll::Ready(status) = pin!(process.ended()).poll(context) {
                    return Poll::Ready((index, status));
                }
            }
            Poll::Pending
        })
        .await;
        let process = self.workers.iter().chain(&self.servers).nth(index).context("a process has vanished")?;
        Ok((process, status?))
    }

    /// Lets `worker` run to its end, which needs all of it, and tells with what code it ended.
    ///
    /// # Errors
    /// How another process ended that did so before.
    pub(crate) async fn run(&mut self, worker: Process) -> Result<u8> {
        let name = worker.name().to_owned();
        self.push_worker(worker)?;
        let (process, status) = self.first_end().await?;
        if process.name() != name {
            bail!("{}", process.obituary(status).await);
        }
        Ok(exit_code(status))
    }

    /// What `work` comes to, which needs all of it.
    ///
    /// # Errors
    /// That of the work; or how the first process ended that did so meanwhile.
    pub(crate) async fn while_it_lives<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            end = self.first_end() => {
                let (process, status) = end?;
                bail!("{}", process.obituary(status).await)
            }
        }
    }

    /// The processes that run, by name.
    pub(crate) fn process_ids(&self) -> impl Iterator<Item = (&str, u32)> {
        let all = self.servers.iter().chain(&self.workers);
        all.filter_map(|process| Some((process.name(), process.identity()?.0)))
    }

    /// What to tell of the worker `name`, which lives but does not become ready.
    pub(crate) async fn not_ready(&self, name: &str, error: &io::Error) -> String {
        match self.workers.iter().find(|worker| worker.name() == name) {
            Some(worker) => probe::not_ready(worker, error).await,
            None => format!("{name} does not become ready: {error}"),
        }
    }

    /// Ends everything, gently.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        end_all(&mut self.workers, PATIENCE_WITH_WORKERS).await;
        if let Some(logs) = self.logs.take() {
            logs.finish().await;
        }
        end_all(&mut self.servers, PATIENCE_WITH_SERVERS).await;
        self.place.take().map_or(Ok(()), Place::leave)
    }

    /// Ends everything at once. The database repairs itself at its next start.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        for process in self.workers.iter().chain(&self.servers) {
            process.send(Signal::KILL);
        }
        self.stop().await
    }

    fn remember(&self, process: &Process) -> Result<()> {
        self.place.as_ref().map_or(Ok(()), |place| place.remember(process))
    }
}

async fn end_all(processes: &mut Vec<Process>, patience: Duration) {
    for process in &*processes {
        process.send(Signal::TERM);
    }
    let deadline = Instant::now() + patience;
    while let Some(mut process) = processes.pop() {
        process.end_by(deadline).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::process::Command;

    use super::*;
    use crate::process::Output;

    fn sleep(seconds: &str) -> Process {
        let mut command = Command::new("sleep");
        command.arg(seconds);
        Process::start(format!("sleep {seconds}"), command, Output::Quiet).unwrap()
    }

    #[tokio::test]
    async fn tells_which_process_ended_first() {
        let mut stack = Stack::default();
        stack.push_worker(sleep("600")).unwrap();
        stack.push_server(sleep("0.1")).unwrap();
        let (process, status) = stack.first_end().await.unwrap();
        assert_eq!(process.name(), "sleep 0.1");
        assert!(status.success());
        stack.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_worker_runs_to_its_end_if_all_others_live() {
        let worker = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Process::start("worker", command, Output::Quiet).unwrap()
        };
        let mut stack = Stack::default();
        assert_eq!(stack.run(worker("exit 3")).await.unwrap(), 3);
        stack.stop().await.unwrap();
        stack.push_server(sleep("0.1")).unwrap();
        let why = stack.run(worker("sleep 600")).await.unwrap_err();
        assert_eq!(why.to_string(), "sleep 0.1 ended with exit status: 0.");
        stack.stop().await.unwrap();
    }

    #[tokio::test]
    async fn work_ends_with_the_stack_it_needs() {
        let mut stack = Stack::default();
        assert_eq!(stack.while_it_lives(async { Ok(7) }).await.unwrap(), 7);
        stack.push_worker(sleep("0.1")).unwrap();
        let why = stack.while_it_lives(std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!(why.to_string(), "sleep 0.1 ended with exit status: 0.");
        stack.stop().await.unwrap();
    }
}
