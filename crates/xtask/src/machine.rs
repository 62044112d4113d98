//! Where figures come from: without the machine and the commit they say nothing.

use serde::Serialize;
use sysinfo::{Cpu, CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

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
        let system = System::new_with_specifics(
            RefreshKind::nothing()
                .with_cpu(CpuRefreshKind::nothing())
                .with_memory(MemoryRefreshKind::nothing().with_ram()),
        );
        let (processor, memory) = system.as_ref().map_or((None, 0), |it| (it.cpus().first(), it.total_memory()));
        Self {
            cores: cores(),
            processor: processor.map_or("an unknown processor", Cpu::brand).to_owned(),
            memory_gib: memory.div_ceil(1 << 30),
            kernel: System::kernel_version().unwrap_or_else(|_| "unknown".to_owned()),
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
    System::load_average().map_or(0.0, |load| load.one)
}

/// How many programs can run at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

/// The commit that is checked out, and whether the files are as it has them.
pub(crate) async fn commit(workspace: &Workspace) -> String {
    said(workspace.git(&["describe", "--always", "--dirty=, changed", "--exclude=*"]))
        .await
        .unwrap_or_else(|_| "unknown".to_owned())
}
