//! Where things are: the checkout, cargo's target directory, and the binaries cargo writes there.
//!
//! The target directory is the one this very program was built into, so `CARGO_TARGET_DIR` and the like are
//! honoured without asking cargo.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::process::Command;

/// How cargo builds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

impl Profile {
    /// What people and cargo call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// A checkout of CloudJet and the directory its builds go to.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    cargo: OsString,
}

impl Workspace {
    /// Finds the checkout this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest).ancestors().nth(2).context("crates/xtask has left the workspace")?.to_owned();
        let program = env::current_exe().context("this program's own path is unknown")?;
        let target = program.ancestors().nth(2).context("this program is not in a target directory")?.to_owned();
        Ok(Self { root, target, cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()) })
    }

    /// Another one, for tests of what looks at a history.
    #[cfg(test)]
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { target: root.join("target"), root, cargo: "cargo".into() }
    }

    /// The top of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The text of a file of the checkout.
    pub(crate) fn read(&self, path: &Path) -> Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| format!("{} can't be read", path.display()))
    }

    /// Where the servers and secrets of `up` and `db` live from one run to the next. `cargo clean` removes it.
    pub(crate) fn home(&self) -> PathBuf {
        self.target.join("cloudjet")
    }

    /// Where servers live that go away with their run.
    pub(crate) fn throw_away(&self) -> PathBuf {
        self.target.join("throw-away")
    }

    /// Where the tools of others live that commands install for themselves.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Where `cargo xtask contract` leaves what it and the services said.
    pub(crate) fn contract_logs(&self) -> PathBuf {
        self.target.join("contract")
    }

    /// Where `cargo xtask chart` leaves what the chart renders to.
    pub(crate) fn renders(&self) -> PathBuf {
        self.target.join("chart")
    }

    /// Where `cargo xtask monitoring --live` leaves what everything said.
    pub(crate) fn monitoring_logs(&self) -> PathBuf {
        self.target.join("monitoring")
    }

    /// Where `cargo xtask measure` leaves what the services said.
    pub(crate) fn measure_logs(&self) -> PathBuf {
        self.target.join("measure")
    }

    /// Where `cargo xtask drill` leaves what the services said.
    pub(crate) fn drill_logs(&self) -> PathBuf {
        self.target.join("drill")
    }

    /// Where `cargo xtask prove` leaves its report, and what everything said.
    pub(crate) fn prove_logs(&self) -> PathBuf {
        self.target.join("prove")
    }

    /// Where `cargo xtask load` leaves its report, and what k6 and the services said.
    pub(crate) fn load_logs(&self) -> PathBuf {
        self.target.join("load")
    }

    /// Where `cargo xtask images` works, and leaves what programs are made of.
    pub(crate) fn images(&self) -> PathBuf {
        self.target.join("images")
    }

    /// Where cargo puts the binary `name`.
    pub(crate) fn binary(&self, name: &str, profile: Profile) -> PathBuf {
        self.target.join(profile.name()).join(name)
    }

    /// The program `name` as it was built, to be run in this checkout and told `environment`.
    pub(crate) fn program(&self, name: &str, profile: Profile, environment: &BTreeMap<String, String>) -> Command {
        let mut command = Command::new(self.binary(name, profile));
        command.current_dir(&self.root).envs(environment);
        command
    }

    /// A cargo command in this workspace, with the macros of sqlx reading `.sqlx` instead of a database.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo);
        command.args(arguments).current_dir(&self.root).env("SQLX_OFFLINE", "true");
        if let Some(target) = env::var_os("CARGO_TARGET_DIR").and_then(|given| std::path::absolute(given).ok()) {
            command.env("CARGO_TARGET_DIR", target);
        }
        command
    }

    /// A command of git's about this checkout. Whose it is doesn't matter: in a container it is often another user's.
    pub(crate) fn git(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(["-c", "safe.directory=*"]).args(arguments).current_dir(&self.root);
        command
    }

    /// The same path as a person in the checkout would type it.
    pub(crate) fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
