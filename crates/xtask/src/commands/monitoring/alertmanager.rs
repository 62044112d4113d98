//! A real Alertmanager with our configuration, for what its tool can't tell: which alerts silence which, and what is read
//! in Slack.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use super::rules::UnitTests;
use super::slack::{Message, Slack};
use super::{routes, told, yaml};
use crate::client::{self, Client, Request};
use crate::process::{Output, Process};
use crate::services::any_free;
use crate::workspace::Workspace;
use crate::{probe, programs};

/// What Debian and everybody else call it.
const PROGRAMS: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

/// Who silences whom.
const INHIBITIONS: &str = "deploy/monitoring/tests/inhibitions.yaml";

/// What is read in Slack.
const MESSAGES: &str = "deploy/monitoring/tests/messages.yaml";

/// How long it may take to become ready, and to have thought about all alerts.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long a message may take: half a minute of it is the time in which alerts gather.
const PATIENCE_WITH_MESSAGES: Duration = Duration::from_mins(4);

type Labels = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Inhibition {
    r#while: Labels,
    silent: Labels,
    heard: Labels,
}

#[derive(Deserialize)]
struct Conversation {
    alerts: Vec<Alert>,
    message: Message,
}

#[derive(Deserialize)]
struct Alert {
    labels: Labels,
    annotations: Option<BTreeMap<String, String>>,
}

impl Alert {
    /// As Prometheus sends it.
    fn sent(&self, tests: &UnitTests) -> Result<Value> {
        let mut labels = self.labels.clone();
        let name = labels.remove("alertname").context("an alert has no name")?;
        let annotations = self.annotations.as_ref().or_else(|| tests.annotations(&name, &labels));
        let annotations = annotations.with_context(|| format!("no unit test expects {name} with {labels:?}"))?;
        labels.extend([("alertname".to_owned(), name), ("environment".to_owned(), "prod".to_owned())]);
        Ok(json!({ "labels": labels, "annotations": annotations }))
    }
}

/// An Alertmanager that answers, and writes to nobody but us. It is gone when this is dropped.
pub(super) struct Alertmanager {
    address: SocketAddr,
    slack: Slack,
    _process: Process,
}

impl Alertmanager {
    /// Starts it; its files are in `directory`.
    pub(super) async fn start(directory: &Path, workspace: &Workspace) -> Result<Self> {
        let [program, amtool] = [&PROGRAMS[..], &["amtool"]]
            .map(|names| programs::find(names).with_context(|| format!("{} is not installed", names[0])));
        let slack = Slack::listen().await?;
        let config = routes::config_for(&slack.url(), directory, workspace)?;
        let (config, _) = routes::write(&config, &amtool?, directory).await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, any_free()?));
        let mut command = Command::new(program?);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", directory.join("alertmanager").display()))
            .arg(format!("--web.listen-address={address}"))
            // It is alone.
            .arg("--cluster.listen-address=");
        let mut process = Process::start("Alertmanager", command, Output::File(&directory.join("alertmanager.log")))?;
        probe::until_ready(&mut process, PATIENCE, || probe::http_at(address, "/-/ready")).await?;
        Ok(Self { address, slack, _process: process })
    }

    /// Fires everything at once and asks which alerts are silent.
    pub(super) async fn inhibitions(&self, workspace: &Workspace) -> Result<String> {
        let tests: Vec<Inhibition> = yaml(workspace, Path::new(INHIBITIONS))?;
        let all = tests.iter().flat_map(|test| [&test.r#while, &test.silent, &test.heard]);
        self.fire(all.map(|labels| json!({ "labels": labels })).collect()).await?;
        let mut faults = Vec::new();
        for Inhibition { r#while, silent, heard } in &tests {
            for (labels, expected) in [(r#while, "active"), (silent, "suppressed"), (heard, "active")] {
                let is_so = || async { self.is(labels, expected).await.map_err(std::io::Error::other) };
                if let Err(error) = probe::until_yes(PATIENCE, is_so).await {
                    faults.push(error.to_string());
                }
            }
        }
        told(&faults, format!("{} inhibitions", tests.len()))
    }

    /// Fires what on-call is to read of, and waits for the messages.
    pub(super) async fn messages(&mut self, workspace: &Workspace) -> Result<String> {
        let conversations: Vec<Conversation> = yaml(workspace, Path::new(MESSAGES))?;
        let tests = UnitTests::read(workspace)?;
        let alerts = conversations.iter().flat_map(|conversation| &conversation.alerts);
        self.fire(alerts.map(|alert| alert.sent(&tests)).collect::<Result<_>>()?).await?;
        let mut awaited: Vec<Message> = conversations.into_iter().map(|conversation| conversation.message).collect();
        let (count, mut others) = (awaited.len(), Vec::new());
        let all = async {
            while !awaited.is_empty() {
                let message = self.slack.next().await?;
                match awaited.iter().position(|awaited| *awaited == message) {
                    Some(index) => drop(awaited.remove(index)),
                    None => others.push(message),
                }
            }
            anyhow::Ok(())
        };
        match timeout(PATIENCE_WITH_MESSAGES, all).await {
            Ok(done) => done?,
            Err(_) => anyhow::bail!("Slack wasn't told {awaited:#?}, but {others:#?}"),
        }
        Ok(format!("{count} messages"))
    }

    async fn fire(&self, alerts: Vec<Value>) -> Result<()> {
        Client::new(self.address).ask(&Request::post("/api/v2/alerts", &json!(alerts))).await?;
        Ok(())
    }

    /// Whether the alert with these labels is in this state.
    async fn is(&self, labels: &Labels, expected: &str) -> Result<()> {
        let alerts = client::ask(self.address, &Request::get("/api/v2/alerts")).await?;
        let mut alerts = alerts.as_array().into_iter().flatten();
        let found = alerts.find(|alert| alert["labels"] == json!(labels)).map(|alert| &alert["status"]["state"]);
        anyhow::ensure!(
            found.is_some_and(|state| state == expected),
            "{labels:?} should be {expected}, and is {found:?}"
        );
        Ok(())
    }
}
