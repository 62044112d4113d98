//! Installing a tool of others, pinned, below the target directory, by its own language's package manager.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::process::run_quietly;
use crate::programs;
use crate::report;
use crate::workspace::Workspace;

/// Says that an installation came to its end.
const COMPLETE: &str = "complete";

/// The program `name`, which the tool needs to run at all.
///
/// # Errors
/// If this machine hasn't got it.
fn require(name: &str) -> Result<PathBuf> {
    programs::find(&[name]).with_context(|| format!("{name} is not installed"))
}

/// The directory of the programs of these packages of Python's, by name and version, in an environment called `name`.
///
/// # Errors
/// If python3 is not there, or the packages can't be had.
pub(crate) async fn from_python(workspace: &Workspace, name: &str, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let python = require("python3")?;
    let versions: Vec<&str> = packages.iter().map(|(_, version)| *version).collect();
    let version = versions.join("-");
    let directory = provide(workspace, name, &version, |directory| {
        let mut environment = Command::new(python);
        environment.args(["-m", "venv"]).arg(directory);
        let mut install = Command::new(directory.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check"]);
        install.args(packages.iter().map(|(package, version)| format!("{package}=={version}")));
        vec![environment, install]
    });
    Ok(directory.await?.join("bin"))
}

/// The `node_modules` with this package.
///
/// # Errors
/// If node or npm is not there, or the package can't be had.
pub(crate) async fn from_node(workspace: &Workspace, package: &str, version: &str) -> Result<PathBuf> {
    require("node")?;
    let npm = require("npm")?;
    let directory = provide(workspace, package, version, |directory| {
        let mut command = Command::new(npm);
        command.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(directory);
        command.arg(format!("{package}@{version}"));
        vec![command]
    });
    Ok(directory.await?.join("node_modules"))
}

/// The directory of `name` in `version`, in which the commands that `install` makes for it have been run.
///
/// # Errors
/// If they fail, for instance because there is no network.
async fn provide(
    workspace: &Workspace,
    name: &str,
    version: &str,
    install: impl FnOnce(&Path) -> Vec<Command>,
) -> Result<PathBuf> {
    let directory = workspace.tools().join(format!("{name}-{version}"));
    if directory.join(COMPLETE).exists() {
        return Ok(directory);
    }
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("{} can't be removed", directory.display()))?;
    }
    fs::create_dir_all(&directory).with_context(|| format!("{} can't be made", directory.display()))?;
    report::step(&format!("Installing {name} {version}"), async {
        for command in install(&directory) {
            run_quietly(name, command).await?;
        }
        Ok(())
    })
    .await
    .context("it can't be installed")?;
    fs::write(directory.join(COMPLETE), "")?;
    Ok(directory)
}
