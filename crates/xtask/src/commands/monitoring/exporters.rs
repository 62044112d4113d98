//! What a cluster has beside MySQL and Redis: exporters, whose series a dashboard asks for as it does for ours.
//!
//! They are Debian's, which are older than those deployed (deploy/monitoring/metrics-of-others.txt tells which).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::probe;
use crate::process::{Output, Process};
use crate::programs;
use crate::servers::mariadb::prefixed;
use crate::servers::{CLIENT_FILE, Cache};
use crate::services::any_free;
use crate::stack::Stack;

/// What Debian and everybody else call them.
const OF_MYSQL: [&str; 2] = ["prometheus-mysqld-exporter", "mysqld_exporter"];
const OF_REDIS: [&str; 2] = ["prometheus-redis-exporter", "redis_exporter"];

/// What the services' user of the database may not see; in a cluster the exporter has a user of its own.
const HIDDEN: [&str; 3] =
    ["--no-collect.slave_status", "--no-collect.info_schema.innodb_cmp", "--no-collect.info_schema.innodb_cmpmem"];

/// How long they may take to become ready.
const PATIENCE: Duration = Duration::from_mins(2);

/// An exporter that answers.
pub(super) struct Exporter {
    /// Its Service in a cluster.
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
}

/// Starts one for the database of `stack`'s place and one for `cache`; what they say goes to `logs`.
pub(super) async fn start(cache: &Cache, logs: &Path, stack: &mut Stack) -> Result<[Exporter; 2]> {
    let mut of_mysql = command(&OF_MYSQL)?;
    of_mysql.arg(prefixed("--config.my-cnf=", &stack.place()?.path(CLIENT_FILE))).args(HIDDEN);
    let mut of_redis = command(&OF_REDIS)?;
    of_redis.arg(format!("--redis.addr=redis://127.0.0.1:{}", cache.port));
    Ok([
        exporter("mysql-exporter", of_mysql, logs, stack).await?,
        exporter("redis-exporter", of_redis, logs, stack).await?,
    ])
}

fn command(names: &[&str]) -> Result<Command> {
    Ok(Command::new(programs::find(names).with_context(|| format!("{} is not installed", names[0]))?))
}

async fn exporter(name: &'static str, mut command: Command, logs: &Path, stack: &mut Stack) -> Result<Exporter> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, any_free()?));
    command.arg(format!("--web.listen-address={address}"));
    let mut process = Process::start(name, command, Output::File(&logs.join(format!("{name}.log"))))?;
    probe::until_ready(&mut process, PATIENCE, || probe::http_at(address, "/metrics")).await?;
    stack.push_worker(process)?;
    Ok(Exporter { name, address })
}
