//! Where figures come from: without the machine and the commit they say nothing.

use std::fs;

use serde::Serialize;

use crate::process::said;
use crate::servers::Servers;
use crate::workspace::{Profile, Workspace};

/// What else decides about the figures.
#[derive(Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// How busy it was for a minute before, as the system tells it: about 0 if these figures are to be trusted.
    pub(crate) load_before: f64,
    pub(crate) database: String,
    pub(crate) cache: String,
    pub(crate) commit: String,
    pub(crate) build: &'static str,
}

impl Machine {
    /// This machine.
    pub(crate) async fn this(workspace: &Workspace, profile: Profile, servers: &Servers, load_before: f64) -> Self {
        let processor = field("/proc/cpuinfo", "model name");
        let kibibytes: u64 = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cores: cores(),
            processor,
            memory_gib: kibibytes.div_ceil(1 << 20),
            kernel: kernel.trim().to_owned(),
            load_before,
            database: servers.database.description.clone(),
            cache: servers.cache.description.clone(),
            commit: commit(workspace).await,
            build: profile.name(),
        }
    }
}

/// How busy the machine was for a minute, as the system tells it.
pub(crate) fn load() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().and_then(|minute| minute.parse().ok()).unwrap_or_default()
}

/// How many programs can run at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

/// What a file of `name : value` lines says of `name` first.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut values = text.lines().filter_map(|line| line.split_once(':')).filter(|(key, _)| key.trim() == name);
    values.next().map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

/// The commit that is checked out, and whether the files are as it has them.
pub(crate) async fn commit(workspace: &Workspace) -> String {
    said(workspace.git(&["describe", "--always", "--dirty=, changed", "--exclude=*"]))
        .await
        .unwrap_or_else(|_| "unknown".to_owned())
}
