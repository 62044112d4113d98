//! A private MariaDB (or MySQL) server.
//!
//! Its account `cloudjet` and its database are made by an init file at every start, so no client program is
//! needed and a lost password mends itself. A data directory is made under another name and renamed when it is
//! complete: one that exists is whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::geteuid;
use tokio::process::Command;

use super::{CLIENT_FILE, Database, URL_FILE};
use crate::place::Place;
use crate::process::{Output, Process, run_quietly};
use crate::stack::Stack;
use crate::{probe, programs, services};

/// The server's names, best first.
pub(crate) const PROGRAMS: [&str; 2] = ["mariadbd", "mysqld"];

/// How long it may take to start; repairing the data after a crash takes a while.
const PATIENCE: Duration = Duration::from_secs(90);

/// What both kinds of server are told.
///
/// The socket's path is relative to the data directory: a socket's address holds about a hundred bytes, and the path
/// of a checkout may be longer.
pub(crate) const ALWAYS: [&str; 13] = [
    "--bind-address=127.0.0.1",
    "--socket=cloudjet.sock",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--default-time-zone=+00:00",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
    "--performance-schema=OFF",
    "--key-buffer-size=1M",
    "--loose-aria-pagecache-buffer-size=8M",
    "--loose-mysqlx=OFF",
    "--innodb-log-buffer-size=4M",
    "--innodb-buffer-pool-dump-at-shutdown=OFF",
];

/// A server for a person: small, and its data survives a crash.
const TO_KEEP: [&str; 3] =
    ["--innodb-buffer-pool-size=64M", "--loose-innodb-log-file-size=16M", "--max-connections=200"];

/// A server for tests: fast, many connections, and nothing survives a crash.
const THROW_AWAY: [&str; 7] = [
    "--innodb-buffer-pool-size=384M",
    "--loose-innodb-log-file-size=96M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--loose-innodb-flush-method=nosync",
    "--loose-debug-no-sync",
    "--max-connections=1000",
];

/// A server whose data is going to be lost: a transaction is on disk, and in the binary log, before it is acknowledged.
const LOGGED: [&str; 6] = [
    "--innodb-buffer-pool-size=128M",
    "--loose-innodb-log-file-size=48M",
    "--max-connections=300",
    "--server-id=1",
    "--binlog-format=ROW",
    "--sync-binlog=1",
];

/// Which of the two it is. Neither can read the other's data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    MariaDb,
    MySql,
}

/// An installed server.
pub(crate) struct Server {
    program: PathBuf,
    kind: Kind,
    version: String,
}

/// Starts the private server of `stack`'s place, making its data first if there is none.
pub(crate) async fn start(stack: &mut Stack) -> Result<Database> {
    start_with(stack, None).await
}

/// The same for a server that writes a binary log into the directory `log`.
pub(crate) async fn start_logged(stack: &mut Stack, log: &Path) -> Result<Database> {
    fs::create_dir_all(log).with_context(|| format!("{} can't be made", log.display()))?;
    start_with(stack, Some(log)).await
}

/// Kills the private server, as an accident would, and removes its data; its binary log stays.
pub(crate) async fn lose(stack: &mut Stack) -> Result<()> {
    let kind = Server::installed().await?.kind;
    stack.lose_server(kind.name()).await?;
    let data = stack.place()?.path(kind.directory());
    fs::remove_dir_all(&data).with_context(|| format!("{} can't be removed", data.display()))
}

async fn start_with(stack: &mut Stack, log: Option<&Path>) -> Result<Database> {
    let server = Server::installed().await?;
    let place = stack.place()?;
    place.forget(URL_FILE)?;
    let data = place.path(server.kind.directory());
    if !data.exists() {
        server.make_data(place, &data).await?;
    }
    let port = choose_port(place)?;
    let description = format!("{} on 127.0.0.1:{port}", server.description());
    let database = Database::private(port, place.secret("database-password")?, description);
    let init_file = place.write_private("init.sql", &init_statements(&database))?;

    let purpose = match log {
        Some(_) => &LOGGED[..],
        None if place.is_throw_away() => &THROW_AWAY[..],
        None => &TO_KEEP[..],
    };
    let mut command = server.command(&data);
    command
        .args(ALWAYS)
        .args(purpose)
        .arg(format!("--port={port}"))
        .arg(prefixed("--pid-file=", &place.path("mariadb.pid")))
        .arg(prefixed("--init-file=", &init_file));
    // It comes after ALWAYS, which has none: what stands later wins.
    command.args(log.map(|log| prefixed("--log-bin=", &log.join("binlog"))));
    let process = Process::start(server.kind.name(), command, Output::File(&place.path("mariadb.log")))?;
    let process = stack.push_server(process)?;
    let ready = probe::until_ready(process, PATIENCE, || probe::mysql(port)).await;
    fs::remove_file(&init_file)?;
    ready?;
    let place = stack.place()?;
    place.write_private(CLIENT_FILE, &database.client_options())?;
    place.write_private(URL_FILE, &database.url())?;
    Ok(database)
}

/// Where what makes several MariaDB servers a cluster may be, on Debian and others.
const GALERA_PROVIDERS: [&str; 3] =
    ["/usr/lib/galera/libgalera_smm.so", "/usr/lib/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so"];

/// What makes several MariaDB servers a cluster, if it is installed.
pub(crate) fn galera_provider() -> Option<&'static Path> {
    GALERA_PROVIDERS.iter().map(Path::new).find(|path| path.exists())
}

/// Makes sure that the installed server is MariaDB: what sqlx's macros learn differs between the two.
pub(crate) async fn require_mariadb() -> Result<()> {
    let server = Server::installed().await?;
    if server.kind != Kind::MariaDb {
        bail!(
            "the query data is made with MariaDB, and only {} is installed; install Debian's mariadb-server",
            server.program.display()
        );
    }
    Ok(())
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "MariaDB",
            Self::MySql => "MySQL",
        }
    }

    const fn directory(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }
}

impl Server {
    /// Finds the installed server and asks it what it is.
    pub(crate) async fn installed() -> Result<Self> {
        let program = programs::find(&PROGRAMS).context("neither mariadbd nor mysqld is installed")?;
        let answer = Command::new(&program)
            .args(["--no-defaults", "--version"])
            .output()
            .await
            .with_context(|| format!("{} can't be run", program.display()))?;
        let (kind, version) = told_version(&String::from_utf8_lossy(&answer.stdout));
        Ok(Self { program, kind, version })
    }

    /// What it is, for people.
    pub(crate) fn description(&self) -> String {
        format!("{} {}", self.kind.name(), self.version)
    }

    /// The server on `data`, with no configuration but what follows.
    fn command(&self, data: &Path) -> Command {
        self.command_as(data, "root")
    }

    /// The same; where we are root, it becomes `user`.
    pub(crate) fn command_as(&self, data: &Path, user: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--no-defaults").arg(prefixed("--datadir=", data));
        if geteuid().is_root() {
            command.arg(format!("--user={user}"));
        }
        command
    }

    /// Makes a new data directory. It needs no syncing: until the rename nobody relies on it.
    pub(crate) async fn make_data(&self, place: &Place, data: &Path) -> Result<()> {
        let half_made = place.path("half-made");
        if half_made.exists() {
            fs::remove_dir_all(&half_made).with_context(|| format!("{} can't be removed", half_made.display()))?;
        }
        let command = match self.kind {
            Kind::MariaDb => install_command(&half_made)?,
            Kind::MySql => {
                let mut command = self.command(&half_made);
                command.arg("--initialize-insecure");
                command
            }
        };
        run_quietly("The making of a database", command).await?;
        fs::rename(&half_made, data).with_context(|| format!("{} can't be renamed", half_made.display()))
    }
}

/// MariaDB's own script for a new data directory. Its root account can be used by nobody over TCP.
fn install_command(data: &Path) -> Result<Command> {
    let program = programs::find(&["mariadb-install-db", "mysql_install_db"])
        .context("mariadbd is installed, but mariadb-install-db is not; install Debian's mariadb-server")?;
    let mut command = Command::new(program);
    command.arg("--no-defaults").arg(prefixed("--datadir=", data)).args([
        "--auth-root-authentication-method=socket",
        "--skip-test-db",
        "--skip-name-resolve",
        "--loose-innodb-log-file-size=16M",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--loose-innodb-flush-method=nosync",
        "--loose-debug-no-sync",
    ]);
    if geteuid().is_root() {
        command.arg("--user=root");
    }
    Ok(command)
}

/// What the server does before it takes connections, one statement a line. The tests of sqlx create databases of
/// their own, so the account may do everything.
pub(crate) fn init_statements(database: &Database) -> String {
    let Database { user, password, name, .. } = database;
    format!(
        "create user if not exists '{user}'@'%' identified by '{password}';\n\
         alter user '{user}'@'%' identified by '{password}';\n\
         grant all privileges on *.* to '{user}'@'%' with grant option;\n\
         alter user if exists 'root'@'localhost' account lock;\n\
         create database if not exists {name} character set utf8mb4 collate utf8mb4_unicode_ci;\n"
    )
}

/// The port of the last run, so that a `DATABASE_URL` stays good, or another one.
fn choose_port(place: &Place) -> Result<u16> {
    let file = place.path("mariadb.port");
    let last = fs::read_to_string(&file).ok().and_then(|port| port.parse().ok());
    if let Some(port) = last.filter(|port| services::is_free(*port)) {
        return Ok(port);
    }
    let port = services::any_free()?;
    fs::write(&file, port.to_string()).with_context(|| format!("{} can't be written", file.display()))?;
    Ok(port)
}

/// `option` and `path` as one argument.
pub(crate) fn prefixed(option: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(option);
    argument.push(path);
    argument
}

/// Reads `mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for …` or `mysqld  Ver 8.4.6 for …`.
fn told_version(answer: &str) -> (Kind, String) {
    let version = answer.split_once("Ver ").map_or("", |(_, rest)| rest).split([' ', '-']).next().unwrap_or_default();
    let kind = if answer.contains("MariaDB") { Kind::MariaDb } else { Kind::MySql };
    (kind, version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_two_apart() {
        let (kind, version) = told_version("/usr/sbin/mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu");
        assert!(kind == Kind::MariaDb);
        assert_eq!(version, "10.11.19");
        let (kind, version) =
            told_version("/usr/sbin/mysqld  Ver 8.4.6 for Linux on x86_64 (MySQL Community Server - GPL)");
        assert!(kind == Kind::MySql);
        assert_eq!(version, "8.4.6");
    }
}
