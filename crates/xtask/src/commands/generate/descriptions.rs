//! `openapi.json` of each service, as the service itself prints it.

use std::collections::BTreeMap;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use super::Files;
use crate::process::indented;
use crate::services;
use crate::workspace::{Profile, Workspace};

/// Lets each built service describe its API.
pub(super) async fn generate(workspace: &Workspace) -> Result<Files> {
    let mut files = BTreeMap::new();
    for service in services::described() {
        files.insert(service.description(), ask(workspace, service.package, "--openapi").await?);
    }
    Ok(Files(files))
}

/// What the built `program` prints when it is run with `flag`, ending with one line break.
pub(super) async fn ask(workspace: &Workspace, program: &str, flag: &str) -> Result<Vec<u8>> {
    let mut command = Command::new(workspace.binary(program, Profile::Debug));
    command.arg(flag).current_dir(workspace.root()).stdin(Stdio::null()).kill_on_drop(true);
    let answer = command.output().await.with_context(|| format!("{program} can't be started"))?;
    if !answer.status.success() {
        let lines: Vec<String> = String::from_utf8_lossy(&answer.stderr).lines().map(str::to_owned).collect();
        bail!("{program} {flag} ended with {}:\n{}", answer.status, indented(&lines));
    }
    let mut text = answer.stdout.trim_ascii_end().to_vec();
    text.push(b'\n');
    Ok(text)
}
