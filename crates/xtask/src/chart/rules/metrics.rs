//! Queries ask for what the services count: a query for nothing answers "all is well" for ever.

use std::collections::{BTreeMap, BTreeSet};

use super::super::object::Reach as _;
use super::{Faults, Render};

/// Labels that Prometheus gives what it scrapes from a Service in a cluster.
const SCRAPED: [&str; 3] = ["namespace", "service", "pod"];

/// Seconds after which Prometheus, with its usual settings, has asked a new pod once.
const SCRAPED_AFTER: u64 = 30;

/// What Prometheus itself says of whom it scrapes.
const UP: &str = "up";

/// Every metric that a program exports, as it is asked for, with its labels.
pub(in super::super) struct Metrics(BTreeMap<String, BTreeSet<String>>);

impl Metrics {
    /// Reads the table of docs/metrics.md.
    pub(in super::super) fn read(document: &str) -> Self {
        let mut metrics = BTreeMap::from([(UP.to_owned(), BTreeSet::new())]);
        for line in document.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split(" | ").collect();
            let [name, kind, labels, ..] = cells.as_slice() else { continue };
            let name = name.trim_matches(['|', ' ', '`']);
            let labels: BTreeSet<String> = labels.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            if *kind == "histogram" {
                let bucket = labels.iter().cloned().chain(["le".to_owned()]).collect();
                metrics.insert(format!("{name}_bucket"), bucket);
                metrics.insert(format!("{name}_sum"), labels.clone());
                metrics.insert(format!("{name}_count"), labels);
            } else {
                metrics.insert(name.to_owned(), labels);
            }
        }
        Self(metrics)
    }

    /// What `query` asks for that nobody exports.
    fn unknown(&self, query: &str) -> Faults {
        let mut faults = Faults::new();
        let mut named = 0;
        for (name, selector) in selectors(query) {
            named += 1;
            let Some(labels) = self.0.get(name) else {
                faults.push(format!("nobody exports {name}"));
                continue;
            };
            let asked = selector.split(',').map(|matcher| matcher.split(['=', '!']).next().unwrap_or_default().trim());
            let grouped =
                query.split("by (").skip(1).filter_map(|rest| rest.split(')').next()).flat_map(|by| by.split(','));
            for label in asked.chain(grouped.map(str::trim)) {
                if !labels.contains(label) && !SCRAPED.contains(&label) {
                    faults.push(format!("{name} has no label {label:?}"));
                }
            }
        }
        if named == 0 {
            faults.push(format!("{query:?} asks for nothing"));
        }
        faults
    }
}

/// The metrics a query names, each with what stands in its braces. Double braces are Argo's arguments.
fn selectors(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let alone = |at: usize| !query[..at].ends_with('{') && !query[at + 1..].starts_with('{');
    query.match_indices('{').filter(move |(at, _)| alone(*at)).map(|(at, _)| {
        let before = &query[..at];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let name = &before[before.trim_end_matches(is_name).len()..];
        let selector = &query[at + 1..];
        let end = selector.replace("}}", "__").find('}').unwrap_or(selector.len());
        (name, &selector[..end])
    })
}

pub(super) fn exist(render: &Render<'_>) -> Faults {
    let analyses = render.objects.of("AnalysisTemplate").flat_map(|template| {
        template.list("/spec/metrics").iter().map(move |metric| (template, metric.at("/provider/prometheus/query")))
    });
    let scalers = render.objects.of("ScaledObject").flat_map(|scaler| {
        scaler.list("/spec/triggers").iter().map(move |trigger| (scaler, trigger.at("/metadata/query")))
    });
    let queries = analyses.chain(scalers).filter_map(|(object, query)| Some((object, query.as_str()?)));
    queries
        .flat_map(|(object, query)| {
            render.project.metrics.unknown(query).into_iter().map(move |fault| format!("{object}: {fault}"))
        })
        .collect()
}

/// What is new is unknown to Prometheus until it has been scraped: asked sooner, it would be judged by its silence.
pub(super) fn analyses_wait_for_them(render: &Render<'_>) -> Faults {
    let analyses = render.objects.of("AnalysisTemplate");
    let metrics = analyses.flat_map(|template| template.list("/spec/metrics").iter().map(move |m| (template, m)));
    metrics
        .filter(|(_, metric)| super::scale::seconds(metric.text("/initialDelay")) < SCRAPED_AFTER)
        .map(|(template, metric)| format!("{template}: {} is asked before anybody was scraped", metric.text("/name")))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::shown_to_fail;
    use super::*;

    #[test]
    fn a_query_for_what_nobody_counts_is_found() {
        let good = json!([
            { "kind": "ScaledObject", "spec": { "triggers": [
                { "metadata": { "query": "sum(max by (pod, route) (rate(cloudjet_x_total{service=\"x\", route!=\"\"}[1m])))" } }
            ] } },
            { "kind": "AnalysisTemplate", "spec": { "metrics": [
                { "provider": { "prometheus": { "query": "min(up{service=\"{{args.service}}\"})" } } }
            ] } }
        ]);
        let query = "/0/spec/triggers/0/metadata/query";
        shown_to_fail(exist, &good, query, json!("rate(http_requests_total{service=\"x\"}[1m])"), "nobody exports");
        shown_to_fail(exist, &good, query, json!("cloudjet_x_total{code=\"x\"}"), "no label \"code\"");
        shown_to_fail(exist, &good, query, json!("sum by (code) (cloudjet_x_total{route=\"x\"})"), "no label \"code\"");
        shown_to_fail(exist, &good, query, json!("vector(1)"), "asks for nothing");
        let query = "/1/spec/metrics/0/provider/prometheus/query";
        shown_to_fail(exist, &good, query, json!("down{service=\"x\"}"), "nobody exports down");
    }

    #[test]
    fn an_analysis_that_asks_too_early_is_found() {
        let good = json!([
            { "kind": "AnalysisTemplate", "spec": { "metrics": [{ "name": "ready", "initialDelay": "1m" }] } }
        ]);
        let delay = "/0/spec/metrics/0/initialDelay";
        shown_to_fail(analyses_wait_for_them, &good, delay, json!("10s"), "ready is asked before");
        shown_to_fail(analyses_wait_for_them, &good, delay, json!(null), "ready is asked before");
    }

    #[test]
    fn a_histogram_is_asked_for_by_its_buckets() {
        let metrics = Metrics::read("| `a_seconds` | histogram | `route`, `method` | all | A. |");
        assert_eq!(
            metrics.unknown("sum by (le) (rate(a_seconds_bucket{route=\"x\", method=\"GET\"}[1m]))"),
            Faults::new()
        );
        assert_eq!(metrics.unknown("a_seconds{}").len(), 1);
    }
}
