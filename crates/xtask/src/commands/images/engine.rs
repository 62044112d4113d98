//! The engine that builds and runs containers: Docker, or whatever answers to its command line.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::process::{Output, Process, said};
use crate::programs;
use crate::stack::Stack;

/// How long an engine may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often it is asked meanwhile.
const INTERVAL: Duration = Duration::from_millis(200);

/// An engine that answers.
pub(super) struct Engine {
    program: PathBuf,
}

impl Engine {
    /// The engine that runs here; where none does and we may, one of our own, which ends with `stack`.
    pub(super) async fn find(stack: &mut Stack) -> Result<Self> {
        let program = programs::find(&["docker"])
            .context("there is no `docker` here: install Docker, and its compose in version 2")?;
        let engine = Self { program };
        if engine.version().await.is_err() {
            engine.start(stack).await?;
        }
        Ok(engine)
    }

    async fn start(&self, stack: &mut Stack) -> Result<()> {
        let server = programs::find(&["dockerd"]).filter(|_| rustix::process::geteuid().is_root());
        let server = server.context("no container engine answers here, and only root could start dockerd")?;
        stack.push_server(Process::start("dockerd", Command::new(server), Output::Quiet)?)?;
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.version().await {
            if Instant::now() > deadline {
                return Err(error.context("dockerd was started and does not answer"));
            }
            sleep(INTERVAL).await;
        }
        Ok(())
    }

    /// The engine's version.
    pub(super) async fn version(&self) -> Result<String> {
        self.ask(["version", "--format", "{{.Server.Version}}"]).await
    }

    /// Whether it knows the system as a whole.
    pub(super) async fn has_compose(&self) -> bool {
        self.ask(["compose", "version"]).await.is_ok()
    }

    /// Whether it has `image`.
    pub(super) async fn has(&self, image: &str) -> bool {
        self.ask(["image", "inspect", "--format", "{{.Id}}", image]).await.is_ok()
    }

    /// The engine's command line.
    pub(super) fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        command
    }

    /// What it answers, without the space around it.
    pub(super) async fn ask(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String> {
        said(self.command(arguments)).await
    }

    /// Builds the Dockerfile `text` in `context`, as `image`.
    pub(super) async fn build(&self, image: &str, file: &Path, context: &Path, arguments: &[String]) -> Result<()> {
        let mut command = self.command(["build", "--tag", image, "--file"]);
        command.arg(file).args(arguments).arg(context);
        said(command).await.map(drop).with_context(|| format!("{image} can't be built"))
    }
}
