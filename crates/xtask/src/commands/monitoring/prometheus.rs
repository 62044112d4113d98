//! A real Prometheus that watches a running system as it would in a cluster: the same labels, the same rules.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use super::exporters::Exporter;
use super::rules;
use crate::client::{self, Request};
use crate::probe;
use crate::process::{Output, Process};
use crate::services::{Ports, any_free, internal};
use crate::stack::Stack;
use crate::workspace::Workspace;

/// What it is called.
const NAME: &str = "Prometheus";

/// How long it may take to become ready.
const PATIENCE: Duration = Duration::from_mins(2);

/// A series over time.
pub(super) struct Line {
    pub(super) labels: BTreeMap<String, String>,
    /// Seconds since the beginning, and a value that may be no number.
    pub(super) points: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

impl Series {
    fn line(self, start: f64) -> Line {
        let points = self.values.into_iter().map(|(at, value)| (at - start, value.parse().unwrap_or(f64::NAN)));
        Line { labels: self.metric, points: points.collect() }
    }
}

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A Prometheus that answers.
pub(super) struct Prometheus {
    address: SocketAddr,
}

impl Prometheus {
    /// Starts `program` to watch the services on `ports`, and `exporters`; what it says goes to `logs`.
    pub(super) async fn start(
        program: &Path,
        ports: &Ports,
        exporters: &[Exporter],
        logs: &Path,
        workspace: &Workspace,
        stack: &mut Stack,
    ) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, any_free()?));
        let place = stack.place()?;
        let config = configuration(ports, exporters, &rules::paths(workspace)?);
        let config = place.write_private("prometheus.json", &config.to_string())?;
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", place.path("prometheus").display()))
            .arg(format!("--web.listen-address={address}"));
        let mut process = Process::start(NAME, command, Output::File(&logs.join("prometheus.log")))?;
        probe::until_ready(&mut process, PATIENCE, || probe::http_at(address, "/-/ready")).await?;
        stack.push_worker(process)?;
        Ok(Self { address })
    }

    /// What a query finds now: how many series.
    pub(super) async fn query(&self, query: &str) -> Result<usize> {
        let data = self.ask("/api/v1/query", &[("query", query)]).await?;
        Ok(data["result"].as_array().map_or(0, Vec::len))
    }

    /// What a query found in `time` (seconds since 1970), asked every `step` seconds: a line for each series.
    pub(super) async fn range(&self, query: &str, time: &Range<f64>, step: f64) -> Result<Vec<Line>> {
        let [from, to, step] = [time.start, time.end, step].map(|seconds| seconds.to_string());
        let asked = [("query", query), ("start", &from), ("end", &to), ("step", &step)];
        let data = self.ask("/api/v1/query_range", &asked).await?;
        let series: Vec<Series> = serde_json::from_value(data["result"].clone())?;
        Ok(series.into_iter().map(|series| series.line(time.start)).collect())
    }

    /// The names of all metrics that it has a series of.
    pub(super) async fn names(&self) -> Result<Vec<String>> {
        let data = self.ask("/api/v1/label/__name__/values", &[]).await?;
        Ok(serde_json::from_value(data)?)
    }

    /// What went wrong with rules, by their names.
    pub(super) async fn sick_rules(&self) -> Result<Vec<String>> {
        let data = self.ask("/api/v1/rules", &[]).await?;
        let groups = data["groups"].as_array().into_iter().flatten();
        let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
        let sick = rules.filter(|rule| rule["health"] != "ok");
        Ok(sick.map(|rule| format!("{}: {} {}", rule["name"], rule["health"], rule["lastError"])).collect())
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let parameters = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let mut answer = client::ask(self.address, &Request::get(format!("{path}?{parameters}"))).await?;
        Ok(answer["data"].take())
    }
}

/// Targets with the labels that the charts' monitors give them, and our rules. Quicker than in a cluster, as nobody has
/// the time to wait.
fn configuration(ports: &Ports, exporters: &[Exporter], rules: &[PathBuf]) -> Value {
    let services = ports.services().map(|(service, port)| {
        let app = service.package;
        json!({
            "targets": [format!("127.0.0.1:{}", internal(port))],
            "labels": {
                "app": app,
                "namespace": if service.name == "admin" { "admin" } else { "user" },
                "service": format!("{app}-active"),
                "pod": format!("{app}-0"),
            }
        })
    });
    let services = services.collect::<Value>();
    let mut jobs = vec![json!({ "job_name": "cloudjet", "honor_labels": true, "static_configs": services })];
    jobs.extend(exporters.iter().map(|Exporter { name, address }| {
        let labels = json!({ "namespace": "monitoring", "service": name, "pod": format!("{name}-0") });
        json!({ "job_name": name, "static_configs": [{ "targets": [address], "labels": labels }] })
    }));
    json!({
        "global": { "scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s" },
        "rule_files": rules,
        "scrape_configs": jobs
    })
}
