//! Dashboards of Grafana, as files: few panels, each with a unit, and each asking for what somebody exports.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use super::Files;
use crate::metrics::Query;
use crate::workspace::Workspace;

/// Where they are: in the chart, which puts each into a ConfigMap.
const DASHBOARDS: &str = "deploy/cloudjet/monitoring/dashboards";

/// What Istio's proxies and the exporters of MySQL and Redis count, as far as dashboards ask for it. Our programs don't.
pub(super) const OTHERS: &str = "deploy/monitoring/metrics-of-others.txt";

/// More than this nobody reads.
const MOST_PANELS: usize = 16;

/// One dashboard.
pub(super) struct Dashboard {
    pub(super) uid: String,
    pub(super) title: String,
    pub(super) panels: Vec<Panel>,
    /// Where its first heading is; above it stands what one looks at first.
    heading: u32,
    faults: Vec<String>,
}

impl Dashboard {
    /// The panels that are seen without scrolling or opening anything.
    pub(super) fn first(&self) -> impl Iterator<Item = &Panel> {
        self.panels.iter().filter(|panel| panel.place.y < self.heading)
    }
}

/// A panel that shows something.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) description: String,
    /// What it asks Prometheus for.
    pub(super) questions: Vec<Question>,
    /// As Grafana calls it: a curve, a number, a table.
    pub(super) kind: String,
    pub(super) place: Place,
    /// What its numbers are; they end at `most`, and something is wrong above the limits.
    pub(super) unit: Option<String>,
    pub(super) most: Option<f64>,
    pub(super) limits: Vec<f64>,
}

/// What a panel asks for, and what a series of the answer is called, with `{{label}}` in it.
#[derive(Deserialize)]
pub(super) struct Question {
    #[serde(rename = "expr", default)]
    pub(super) query: String,
    #[serde(rename = "legendFormat", default)]
    pub(super) legend: String,
}

/// Where a panel is, and how large, in columns (of 24) and rows of the dashboard.
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Place {
    pub(super) x: u32,
    pub(super) y: u32,
    #[serde(rename = "w")]
    pub(super) width: u32,
    #[serde(rename = "h")]
    pub(super) height: u32,
}

impl Panel {
    fn of(panel: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let targets = panel["targets"].as_array().into_iter().flatten();
        let questions = targets.filter_map(|target| Question::deserialize(target).ok());
        let shown = &panel["fieldConfig"]["defaults"];
        let limits = shown["thresholds"]["steps"].as_array().into_iter().flatten();
        Self {
            title: text(&panel["title"]),
            description: text(&panel["description"]),
            questions: questions.filter(|question| !question.query.is_empty()).collect(),
            kind: text(&panel["type"]),
            place: place(panel),
            unit: shown["unit"].as_str().map(str::to_owned),
            most: shown["max"].as_f64(),
            limits: limits.filter_map(|limit| limit["value"].as_f64()).collect(),
        }
    }
}

fn place(panel: &Value) -> Place {
    Place::deserialize(&panel["gridPos"]).unwrap_or_default()
}

/// All of them, by name.
pub(super) fn read(workspace: &Workspace) -> Result<Vec<Dashboard>> {
    let directory = workspace.root().join(DASHBOARDS);
    let Ok(entries) = fs::read_dir(&directory) else { return Ok(Vec::new()) };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    paths.iter().map(|path| dashboard(path).with_context(|| format!("{}", workspace.shown(path)))).collect()
}

fn dashboard(path: &Path) -> Result<Dashboard> {
    let json: Value = serde_json::from_slice(&fs::read(path)?)?;
    let uid = json["uid"].as_str().context("it has no uid")?.to_owned();
    let all = json["panels"].as_array().context("it has no panels")?;
    let headings = all.iter().filter(|panel| panel["type"] == "row").map(|heading| place(heading).y);
    let panels: Vec<Panel> = all
        .iter()
        .filter(|panel| !matches!(panel["type"].as_str(), Some("row" | "text" | "logs")))
        .map(Panel::of)
        .collect();
    let mut faults = Vec::new();
    if path.file_stem().and_then(|name| name.to_str()).map(|name| format!("cloudjet-{name}")).as_ref() != Some(&uid) {
        faults.push(format!("its uid {uid} isn't its file's name"));
    }
    let links = json["links"].as_array().into_iter().flatten();
    if !links.clone().any(|link| link["url"].as_str().is_some_and(|url| url.contains("runbooks.md"))) {
        faults.push("it doesn't link to the runbooks".to_owned());
    }
    let title = json["title"].as_str().unwrap_or_default().to_owned();
    Ok(Dashboard { uid, title, panels, heading: headings.min().unwrap_or(u32::MAX), faults })
}

/// Names in the list of what others export: a line each, with remarks after `#`.
pub(super) fn others(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim().to_owned())
        .filter(|name| !name.is_empty())
}

/// What is wrong with them, a line each.
pub(super) fn faults(files: &Files) -> Vec<String> {
    let known = files.metrics.clone().with(files.others.iter().cloned());
    let mut faults = Vec::new();
    let mut asked = BTreeSet::new();
    for Dashboard { uid, panels, faults: own, .. } in &files.dashboards {
        faults.extend(own.iter().map(|fault| format!("{uid}: {fault}")));
        if panels.len() > MOST_PANELS {
            faults.push(format!("{uid}: {} panels are more than anybody reads", panels.len()));
        }
        for Panel { title, questions, unit, .. } in panels {
            if questions.is_empty() {
                faults.push(format!("{uid}, {title}: it asks for nothing"));
            }
            if unit.is_none() {
                faults.push(format!("{uid}, {title}: it has no unit"));
            }
            for Question { query, .. } in questions {
                faults.extend(known.faults(query).into_iter().map(|fault| format!("{uid}, {title}: {fault}")));
                asked.extend(Query::parse(query).into_iter().flat_map(|query| query.selectors).map(|(name, _)| name));
            }
        }
    }
    let idle = files.others.iter().filter(|name| !asked.contains(*name));
    faults.extend(idle.map(|name| format!("{OTHERS}: no dashboard asks for {name}")));
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metrics::Metrics;

    fn judged(panel: &Value) -> Vec<String> {
        let (uid, title, panels) = ("x".to_owned(), String::new(), vec![Panel::of(panel)]);
        let dashboards = vec![Dashboard { uid, title, panels, heading: u32::MAX, faults: Vec::new() }];
        let others = others("# Istio\nistio_requests_total # in all\n").collect();
        faults(&Files { rules: Vec::new(), dashboards, metrics: Metrics::read(""), others, grouped: BTreeSet::new() })
    }

    #[test]
    fn a_panel_has_a_unit_and_asks_for_what_is_there() {
        let good = json!({
            "title": "Requests",
            "fieldConfig": { "defaults": { "unit": "reqps" } },
            "targets": [{ "expr": "rate(istio_requests_total[$__rate_interval])" }],
        });
        assert_eq!(judged(&good), Vec::<String>::new());
        for (pointer, instead, fault) in [
            ("/fieldConfig", json!({}), "it has no unit"),
            ("/targets", json!([]), "it asks for nothing"),
            ("/targets/0/expr", json!("http_requests_total"), "nobody exports http_requests_total"),
            ("/targets/0/expr", json!("up"), "no dashboard asks for istio_requests_total"),
        ] {
            let mut doctored = good.clone();
            *doctored.pointer_mut(pointer).unwrap() = instead;
            let faults = judged(&doctored);
            assert!(faults.iter().any(|found| found.contains(fault)), "{pointer}: {faults:?}");
        }
    }
}
