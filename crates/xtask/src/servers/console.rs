//! Asking a database by the programs that come with it: a driver would be the longest wait of a command's build.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::process::Command;
use tokio::time::timeout;

use super::DATABASE_NAME;
use super::mariadb::prefixed;
use crate::process::said_to;
use crate::programs;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The client's names, best first.
const CLIENTS: [&str; 2] = ["mariadb", "mysql"];

/// A way to a database, by an account and its password.
#[derive(Clone)]
pub(crate) struct Console {
    /// The option file that has them.
    options: PathBuf,
    port: Option<u16>,
}

impl Console {
    /// The way that an option file of the database's clients leads.
    pub(crate) fn of(options: PathBuf) -> Self {
        Self { options, port: None }
    }

    /// The way to the server on another port, by the same account.
    pub(crate) fn at(&self, port: u16) -> Self {
        Self { port: Some(port), ..self.clone() }
    }

    /// The first of these programs that is installed, led to the database.
    pub(crate) fn program(&self, names: &[&str]) -> Result<Command> {
        let program = programs::find(names).with_context(|| format!("{} is not installed", names.join(" or ")))?;
        let mut command = Command::new(program);
        command.arg(prefixed("--defaults-file=", &self.options)).process_group(0);
        command.args(self.port.map(|port| format!("--port={port}")));
        Ok(command)
    }

    /// The rows that `sql` has, which is one statement or more.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let mut client = self.program(&CLIENTS)?;
        client.args(["--batch", "--skip-column-names", "--connect-timeout=3", DATABASE_NAME]);
        let answer = timeout(PATIENCE, said_to(client, sql.as_bytes())).await.context("the database doesn't answer")?;
        Ok(answer?.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// The first row that `sql` has.
    pub(crate) async fn row(&self, sql: &str) -> Result<Vec<String>> {
        self.rows(sql).await?.into_iter().next().with_context(|| format!("there is no row: {sql}"))
    }

    /// The first value that `sql` has.
    pub(crate) async fn value(&self, sql: &str) -> Result<String> {
        self.row(sql).await?.into_iter().next().with_context(|| format!("there is an empty row: {sql}"))
    }

    /// Carries `sql` out.
    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        self.rows(sql).await.map(drop)
    }

    /// Carries the statements of a file out, however long it takes.
    pub(crate) async fn feed(&self, file: &Path) -> Result<()> {
        let statements = fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
        let mut client = self.program(&CLIENTS)?;
        client.arg(DATABASE_NAME);
        said_to(client, &statements).await.map(drop).with_context(|| format!("{} can't be carried out", file.display()))
    }
}
