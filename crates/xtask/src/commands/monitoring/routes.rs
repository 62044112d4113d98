//! Who hears of an alert: Alertmanager's configuration, as it stands in the values of its chart, and tests of its routes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::yaml;
use crate::process::run_quietly;
use crate::workspace::Workspace;

/// The values with the configuration in them.
const VALUES: &str = "deploy/monitoring/kube-prometheus-stack.yaml";

/// Which labels lead to which receiver.
const TESTS: &str = "deploy/monitoring/tests/routes.yaml";

#[derive(Deserialize)]
struct Test {
    labels: BTreeMap<String, String>,
    receiver: String,
}

/// Has amtool read the configuration and find the way of each test.
pub(super) async fn check(amtool: &Path, workspace: &Workspace) -> Result<String> {
    let config = write(workspace, &workspace.renders())?;
    let mut check = Command::new(amtool);
    check.arg("check-config").arg(&config);
    run_quietly("amtool check-config", check).await?;
    let tests: Vec<Test> = yaml(workspace, Path::new(TESTS))?;
    let mut lost = Vec::new();
    for Test { labels, receiver } in &tests {
        let mut test = Command::new(amtool);
        test.args(["config", "routes", "test", "--config.file"]).arg(&config);
        test.arg(format!("--verify.receivers={receiver}"));
        test.args(labels.iter().map(|(name, value)| format!("{name}={value}")));
        if let Err(error) = run_quietly(&format!("{labels:?} should go to {receiver}: amtool"), test).await {
            lost.push(error.to_string());
        }
    }
    if !lost.is_empty() {
        bail!("{}", lost.join("\n"));
    }
    Ok(format!("{} routes", tests.len()))
}

/// Writes Alertmanager's configuration alone into `directory`.
pub(super) fn write(workspace: &Workspace, directory: &Path) -> Result<PathBuf> {
    let values: Value = yaml(workspace, Path::new(VALUES))?;
    let config =
        values.pointer("/alertmanager/config").with_context(|| format!("{VALUES} configures no Alertmanager"))?;
    fs::create_dir_all(directory)?;
    let path = directory.join("alertmanager.json");
    fs::write(&path, for_older(config)).with_context(|| format!("{} can't be written", path.display()))?;
    Ok(path)
}

/// The configuration as Debian's Alertmanager (0.25) reads it: of a webhook it knows no file that has the address yet.
fn for_older(config: &Value) -> String {
    let mut config = config.clone();
    let receivers = config["receivers"].as_array_mut().into_iter().flatten();
    let webhooks = receivers.flat_map(|receiver| receiver["webhook_configs"].as_array_mut().into_iter().flatten());
    for webhook in webhooks.filter_map(Value::as_object_mut) {
        if webhook.remove("url_file").is_some() {
            webhook.insert("url".to_owned(), Value::from("http://127.0.0.1:9/"));
        }
    }
    config.to_string()
}
