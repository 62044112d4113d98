//! Who hears of an alert: Alertmanager's configuration, as it stands in the values of its chart, and tests of its routes.

use std::collections::{BTreeMap, BTreeSet};
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

/// Where a webhook's address is read from, which Debian's Alertmanager (0.25) doesn't know.
const NEWER: &str = "url_file";

#[derive(Deserialize)]
struct Test {
    labels: BTreeMap<String, String>,
    receiver: String,
}

/// Has amtool read the configuration and find the way of each test.
pub(super) async fn check(amtool: &Path, workspace: &Workspace) -> Result<String> {
    let (config, unread) = write(&config(workspace)?, amtool, &workspace.renders()).await?;
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
    let unread = unread.map(|setting| format!("; this amtool knows no {setting} yet")).unwrap_or_default();
    Ok(format!("{} routes{unread}", tests.len()))
}

/// Alertmanager's configuration alone.
pub(super) fn config(workspace: &Workspace) -> Result<Value> {
    let mut values: Value = yaml(workspace, Path::new(VALUES))?;
    let config = values.pointer_mut("/alertmanager/config").map(Value::take);
    config.with_context(|| format!("{VALUES} configures no Alertmanager"))
}

/// The same for an Alertmanager that is to write to `slack`; the file that tells it so is in `directory`.
pub(super) fn config_for(slack: &str, directory: &Path, workspace: &Workspace) -> Result<Value> {
    fs::create_dir_all(directory)?;
    let secret = directory.join("slack-url");
    fs::write(&secret, slack).with_context(|| format!("{} can't be written", secret.display()))?;
    let mut config = config(workspace)?;
    let file = config.pointer_mut("/global/slack_api_url_file").context("Slack's address isn't read from a file")?;
    *file = Value::from(secret.display().to_string());
    Ok(config)
}

/// The labels that all alerts of a message share, whatever their route.
pub(super) fn grouped(config: &Value) -> BTreeSet<String> {
    fn common(route: &Value, above: &BTreeSet<String>) -> BTreeSet<String> {
        let own = serde_json::from_value(route["group_by"].clone()).unwrap_or_else(|_| above.clone());
        let below = route["routes"].as_array().into_iter().flatten();
        below.fold(own.clone(), |all, route| &all & &common(route, &own))
    }
    common(&config["route"], &BTreeSet::new())
}

/// Writes a configuration into `directory` as the installed Alertmanager reads it, and tells which setting it doesn't know.
pub(super) async fn write(config: &Value, amtool: &Path, directory: &Path) -> Result<(PathBuf, Option<&'static str>)> {
    fs::create_dir_all(directory)?;
    let path = directory.join("alertmanager.json");
    let try_it = async |config: &Value| {
        fs::write(&path, config.to_string()).with_context(|| format!("{} can't be written", path.display()))?;
        let mut check = Command::new(amtool);
        check.arg("check-config").arg(&path);
        run_quietly("amtool check-config", check).await
    };
    let unread = match try_it(config).await {
        Err(error) if error.to_string().contains(&format!("field {NEWER} not found")) => {
            try_it(&for_older(config)).await?;
            Some(NEWER)
        }
        tried => tried.map(|()| None)?,
    };
    Ok((path, unread))
}

/// The configuration without what Alertmanager learned in 0.26.
fn for_older(config: &Value) -> Value {
    let mut config = config.clone();
    let receivers = config["receivers"].as_array_mut().into_iter().flatten();
    let webhooks = receivers.flat_map(|receiver| receiver["webhook_configs"].as_array_mut().into_iter().flatten());
    for webhook in webhooks.filter_map(Value::as_object_mut) {
        if webhook.remove(NEWER).is_some() {
            webhook.insert("url".to_owned(), Value::from("http://127.0.0.1:9/"));
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_that_groups_by_less_leaves_less_in_common() {
        let below = json!([{ "routes": [{ "group_by": ["alertname", "job"] }] }, {}]);
        let route = json!({ "route": { "group_by": ["alertname", "app"], "routes": below } });
        assert_eq!(grouped(&route), BTreeSet::from(["alertname".to_owned()]));
        assert_eq!(grouped(&json!({ "route": {} })), BTreeSet::new());
    }
}
