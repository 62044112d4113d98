//! A real Alertmanager with our configuration, for what its tool can't tell: which alerts silence which.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{routes, told, yaml};
use crate::client::{self, Client, Request};
use crate::process::{Output, Process};
use crate::services::any_free;
use crate::workspace::Workspace;
use crate::{probe, programs};

/// What Debian and everybody else call it.
const PROGRAMS: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

/// Who silences whom.
const TESTS: &str = "deploy/monitoring/tests/inhibitions.yaml";

/// How long it may take to become ready, and to have thought about all alerts.
const PATIENCE: Duration = Duration::from_secs(30);

type Labels = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Test {
    r#while: Labels,
    silent: Labels,
    heard: Labels,
}

/// Fires everything at once and asks which alerts are silent.
pub(super) async fn check(logs: &Path, workspace: &Workspace) -> Result<String> {
    let tests: Vec<Test> = yaml(workspace, Path::new(TESTS))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, any_free()?));
    let mut command = Command::new(programs::find(&PROGRAMS).context("Alertmanager is not installed")?);
    command
        .arg(format!("--config.file={}", routes::write(workspace, logs)?.display()))
        .arg(format!("--storage.path={}", logs.join("alertmanager").display()))
        .arg(format!("--web.listen-address={address}"))
        // It is alone.
        .arg("--cluster.listen-address=");
    let mut process = Process::start("Alertmanager", command, Output::File(&logs.join("alertmanager.log")))?;
    probe::until_ready(&mut process, PATIENCE, || probe::http_at(address, "/-/ready")).await?;

    let all = tests.iter().flat_map(|test| [&test.r#while, &test.silent, &test.heard]);
    let alerts: Vec<Value> = all.map(|labels| json!({ "labels": labels })).collect();
    Client::new(address).ask(&Request::post("/api/v2/alerts", &json!(alerts))).await?;
    let mut faults = Vec::new();
    for Test { r#while, silent, heard } in &tests {
        for (labels, expected) in [(r#while, "active"), (silent, "suppressed"), (heard, "active")] {
            let is_so = || async { is(address, labels, expected).await.map_err(std::io::Error::other) };
            if let Err(error) = probe::until_yes(PATIENCE, is_so).await {
                faults.push(error.to_string());
            }
        }
    }
    told(&faults, format!("{} inhibitions", tests.len()))
}

/// Whether the alert with these labels is in this state.
async fn is(address: SocketAddr, labels: &Labels, expected: &str) -> Result<()> {
    let alerts = client::ask(address, &Request::get("/api/v2/alerts")).await?;
    let mut alerts = alerts.as_array().into_iter().flatten();
    let found = alerts.find(|alert| alert["labels"] == json!(labels)).map(|alert| &alert["status"]["state"]);
    anyhow::ensure!(found.is_some_and(|state| state == expected), "{labels:?} should be {expected}, and is {found:?}");
    Ok(())
}
