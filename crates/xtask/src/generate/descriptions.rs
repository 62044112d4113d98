//! `openapi.json` of each service, as the service itself prints it.

use std::collections::BTreeMap;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use super::Files;
use crate::build;
use crate::process::indented;
use crate::services::{self, Service};
use crate::workspace::{Profile, Workspace};

/// Builds the services and lets each describe its API.
pub(super) async fn generate(workspace: &Workspace) -> Result<Files> {
    build::services(workspace, services::described()).await?;
    let mut files = BTreeMap::new();
    for service in services::described() {
        files.insert(service.description(), describe(workspace, service).await?);
    }
    Ok(Files(files))
}

async fn describe(workspace: &Workspace, service: &Service) -> Result<Vec<u8>> {
    let mut command = Command::new(workspace.binary(service.package, Profile::Debug));
    command.arg("--openapi").current_dir(workspace.root()).stdin(Stdio::null()).kill_on_drop(true);
    let answer = command.output().await.with_context(|| format!("{} can't be started", service.package))?;
    if !answer.status.success() {
        let lines: Vec<String> = String::from_utf8_lossy(&answer.stderr).lines().map(str::to_owned).collect();
        bail!("{} --openapi ended with {}:\n{}", service.package, answer.status, indented(&lines));
    }
    let mut text = answer.stdout.trim_ascii_end().to_vec();
    text.push(b'\n');
    Ok(text)
}
