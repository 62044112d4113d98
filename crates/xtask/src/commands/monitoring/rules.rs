//! Rules of Prometheus, and their unit tests: every alert says what it means and is shown to fire and to be silent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Files, runbooks, yaml};
use crate::workspace::Workspace;

/// Where the rules are: in the chart, which gives them to the cluster.
pub(super) const RULES: &str = "deploy/cloudjet/monitoring/rules";

/// Where their unit tests are.
const TESTS: &str = "deploy/monitoring/tests";

/// The files there that are Alertmanager's affair.
const OTHERS: [&str; 3] = ["inhibitions.yaml", "messages.yaml", "routes.yaml"];

/// What a page and a ticket are called.
const SEVERITIES: [&str; 2] = ["page", "ticket"];

/// A rule that records a series or raises an alert.
#[derive(Clone, Deserialize)]
pub(super) struct Rule {
    pub(super) record: Option<String>,
    pub(super) alert: Option<String>,
    pub(super) expr: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Rule {
    /// What it is called.
    pub(super) fn name(&self) -> &str {
        self.alert.as_deref().or(self.record.as_deref()).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// The unit tests of all rules.
pub(super) struct UnitTests(Vec<Test>);

#[derive(Deserialize)]
struct TestFile {
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    #[serde(default)]
    alert_rule_test: Vec<Expectation>,
}

#[derive(Deserialize)]
struct Expectation {
    alertname: String,
    exp_alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    exp_labels: BTreeMap<String, String>,
    #[serde(default)]
    exp_annotations: BTreeMap<String, String>,
}

impl UnitTests {
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let mut tests = Vec::new();
        for path in test_paths(workspace)? {
            tests.extend(yaml::<TestFile>(workspace, &path)?.tests);
        }
        Ok(Self(tests))
    }

    /// How many times an alert is looked at.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|test| test.alert_rule_test.len()).sum()
    }

    /// What the alert `name` says where it fires with `labels`.
    pub(super) fn annotations(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Option<&BTreeMap<String, String>> {
        let mut alerts = self.of(name).flat_map(|expected| &expected.exp_alerts);
        alerts.find(|alert| alert.exp_labels == *labels).map(|alert| &alert.exp_annotations)
    }

    /// Whether some test expects this very rule to fire: with its name and all the labels that it gives.
    fn fires(&self, rule: &Rule) -> bool {
        let has_all = |alert: &Alert| rule.labels.iter().all(|(key, value)| alert.exp_labels.get(key) == Some(value));
        self.of(rule.name()).any(|expected| expected.exp_alerts.iter().any(has_all))
    }

    /// Whether some test expects it to be silent.
    fn is_silent(&self, rule: &Rule) -> bool {
        self.of(rule.name()).any(|expected| expected.exp_alerts.is_empty())
    }

    /// The labels by which alerts of this rule differ.
    fn labels(&self, rule: &Rule) -> BTreeSet<&str> {
        let alerts = self.of(rule.name()).flat_map(|expected| &expected.exp_alerts);
        let labels = alerts.flat_map(|alert| alert.exp_labels.keys()).filter(|label| !rule.labels.contains_key(*label));
        labels.map(String::as_str).collect()
    }

    /// What is expected of the alert `name`.
    fn of(&self, name: &str) -> impl Iterator<Item = &Expectation> {
        let all = self.0.iter().flat_map(|test| &test.alert_rule_test);
        all.filter(move |expected| expected.alertname == name)
    }
}

/// The files with rules.
pub(super) fn paths(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    files(workspace, RULES, |_| true)
}

/// The files with unit tests.
pub(super) fn test_paths(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    files(workspace, TESTS, |name| !OTHERS.contains(&name))
}

/// The YAML files in a directory of the checkout, sorted by name.
fn files(workspace: &Workspace, directory: &str, wanted: fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let directory = workspace.root().join(directory);
    let entries = fs::read_dir(&directory).with_context(|| format!("{} can't be read", directory.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let is_wanted = |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(wanted);
    let mut paths: Vec<_> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "yaml") && is_wanted(path)).collect();
    paths.sort();
    Ok(paths)
}

/// All rules, in the order of their files.
pub(super) fn read(workspace: &Workspace) -> Result<Vec<Rule>> {
    let mut rules = Vec::new();
    for path in paths(workspace)? {
        rules.extend(yaml::<File>(workspace, &path)?.groups.into_iter().flat_map(|group| group.rules));
    }
    Ok(rules)
}

/// What is wrong with the rules, a line each.
pub(super) fn faults(files: &Files, tests: &UnitTests) -> Vec<String> {
    let known = files.metrics.clone().with(files.others.iter().cloned());
    let mut faults = Vec::new();
    for rule in &files.rules {
        let name = rule.name();
        // What a constant is recorded for asks for nothing.
        let asked = known.faults(&rule.expr).into_iter().filter(|_| !rule.expr.starts_with("vector("));
        faults.extend(asked.map(|fault| format!("{name}: {fault}")));
        if rule.alert.is_some() {
            faults.extend(shortcomings(rule, files, tests).into_iter().map(|fault| format!("{name}: {fault}")));
        }
    }
    faults
}

/// What an alert lacks.
fn shortcomings(alert: &Rule, files: &Files, tests: &UnitTests) -> Vec<String> {
    let mut faults = Vec::new();
    if !alert.labels.get("severity").is_some_and(|severity| SEVERITIES.contains(&severity.as_str())) {
        faults.push(format!("its severity is none of {SEVERITIES:?}"));
    }
    for needed in ["summary", "description"] {
        if alert.annotations.get(needed).is_none_or(String::is_empty) {
            faults.push(format!("it has no {needed}"));
        }
    }
    if alert.annotations.get("runbook_url") != Some(&runbooks::address(alert.name())) {
        faults.push(format!("its runbook_url isn't {}", runbooks::address(alert.name())));
    }
    let dashboard = alert.annotations.get("dashboard");
    if let Some(uid) = dashboard.filter(|uid| !files.dashboards.iter().any(|dashboard| dashboard.uid == **uid)) {
        faults.push(format!("there is no dashboard {uid}"));
    }
    faults.extend(muddles(alert, files, tests));
    let which = format!("{:?}", alert.labels);
    if !tests.fires(alert) {
        faults.push(format!("no test shows it fire with {which}"));
    }
    if !tests.is_silent(alert) {
        faults.push("no test shows it silent".to_owned());
    }
    faults
}

/// What nobody could read in Slack, where all alerts of a group are one message: its title is the summary that they share,
/// and below it stands each one's description.
fn muddles(alert: &Rule, files: &Files, tests: &UnitTests) -> Vec<String> {
    let named = |annotation| alert.annotations.get(annotation).map(String::as_str).map(named_in).unwrap_or_default();
    let apart = |label: &&str| !files.grouped.contains(*label);
    let differing = named("summary").into_iter().filter(apart);
    let mut faults: Vec<String> = differing
        .map(|label| format!("its summary isn't the same for each {label}, and so no message's title"))
        .collect();
    let described = named("description");
    let unsaid = tests.labels(alert).into_iter().filter(apart).filter(|label| !described.contains(label));
    faults.extend(unsaid.map(|label| format!("its description doesn't say which {label} it is")));
    faults
}

/// The labels that a text tells.
fn named_in(text: &str) -> BTreeSet<&str> {
    let told = text.split("$labels.").skip(1);
    told.filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    const ALERT: &str = "
alert: SeatsGone
expr: cloudjet_x_total > 0
labels: { severity: page }
annotations:
  summary: Seats are gone
  description: All of them.
  runbook_url: https://github.com/cloudjet/cloudjet/blob/main/docs/runbooks.md#seatsgone
";

    const TESTED: &str = "
- alert_rule_test:
    - { alertname: SeatsGone, exp_alerts: [] }
    - { alertname: SeatsGone, exp_alerts: [{ exp_labels: { severity: page } }] }
";

    fn judged(alert: &str, tests: &str) -> Vec<String> {
        let rules = vec![serde_saphyr::from_str(alert).unwrap()];
        let metrics = Metrics::read("| `cloudjet_x_total` | counter |  | all | X. |");
        let tests = UnitTests(serde_saphyr::from_str(tests).unwrap());
        let grouped = BTreeSet::from(["app".to_owned()]);
        faults(&Files { rules, dashboards: Vec::new(), metrics, others: BTreeSet::new(), grouped }, &tests)
    }

    #[test]
    fn an_alert_lacks_nothing() {
        assert_eq!(judged(ALERT, TESTED), Vec::<String>::new());
        for (text, instead, fault) in [
            ("severity: page", "severity: bad", "its severity is none of"),
            ("  summary: Seats are gone\n", "", "it has no summary"),
            ("#seatsgone", "#others", "its runbook_url isn't"),
            ("summary:", "dashboard: nowhere\n  summary:", "there is no dashboard nowhere"),
            ("cloudjet_x_total", "cloudjet_y_total", "nobody exports cloudjet_y_total"),
            ("cloudjet_x_total", "sum(rate(cloudjet_x_total[1m]))", "cloudjet_x_total is added up without a max by"),
        ] {
            let faults = judged(&ALERT.replace(text, instead), TESTED);
            assert!(faults.iter().any(|found| found.contains(fault)), "{instead}: {faults:?}");
        }
    }

    #[test]
    fn it_is_tested_both_ways() {
        let silent_only = TESTED.replace("[{ exp_labels: { severity: page } }]", "[]");
        assert_eq!(judged(ALERT, &silent_only), [r#"SeatsGone: no test shows it fire with {"severity": "page"}"#]);
        let firing_only = TESTED.replace("exp_alerts: []", "exp_alerts: [{ exp_labels: { severity: page } }]");
        assert_eq!(judged(ALERT, &firing_only), ["SeatsGone: no test shows it silent"]);
        let other_severity = TESTED.replace("severity: page", "severity: ticket");
        assert!(judged(ALERT, &other_severity).concat().contains("no test shows it fire"));
    }

    #[test]
    fn a_message_of_several_has_a_title_and_tells_them_apart() {
        let tested = TESTED.replace("severity: page", "severity: page, app: a, cabin: b");
        assert_eq!(judged(ALERT, &tested), ["SeatsGone: its description doesn't say which cabin it is"]);
        let told = ALERT.replace("All of them.", "\"All of {{ $labels.cabin }}.\"");
        assert_eq!(judged(&told, &tested), Vec::<String>::new());
        let by_app = told.replace("Seats are gone", "\"{{ $labels.app }} has no seats\"");
        assert_eq!(judged(&by_app, &tested), Vec::<String>::new());
        let by_cabin = told.replace("Seats are gone", "\"{{ $labels.cabin }} has no seats\"");
        let untitled = "SeatsGone: its summary isn't the same for each cabin, and so no message's title";
        assert_eq!(judged(&by_cabin, &tested), [untitled]);
    }
}
