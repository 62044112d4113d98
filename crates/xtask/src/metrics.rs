//! What the programs count, as docs/metrics.md lists it, and what a query of Prometheus asks for.
//!
//! A query for what nobody counts answers "all is well" for ever: so whoever writes queries (alerts, dashboards,
//! analyses, autoscalers) has them held against what is really exported.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::Matchers;
use promql_parser::parser::{self, Expr, LabelModifier};
use promql_parser::util::{ExprVisitor, walk_expr};

/// Where the list is.
pub(crate) const DOCUMENT: &str = "docs/metrics.md";

/// How the names of what our programs themselves count begin.
const OURS: &str = "cloudjet_";

/// Labels that Prometheus gives what it scrapes from our Services in a cluster.
const SCRAPED: [&str; 6] = ["app", "instance", "job", "namespace", "pod", "service"];

/// What Prometheus itself says of whom it scrapes.
const UP: &str = "up";

/// Every metric that can be asked for, with its labels; of one that rules make of others any label goes.
#[derive(Clone)]
pub(crate) struct Metrics(BTreeMap<String, Option<BTreeSet<String>>>);

impl Metrics {
    /// Reads the table of docs/metrics.md.
    pub(crate) fn read(document: &str) -> Self {
        let mut metrics = Self(BTreeMap::from([(UP.to_owned(), Some(BTreeSet::new()))]));
        for line in document.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split(" | ").collect();
            let [name, kind, labels, ..] = cells.as_slice() else { continue };
            let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            metrics.add(name.trim_matches(['|', ' ', '`']), kind, labels);
        }
        metrics
    }

    /// Adds one of some kind; a histogram is asked for by its parts.
    fn add(&mut self, name: &str, kind: &str, labels: BTreeSet<String>) {
        let mut insert = |name: String, labels| self.0.insert(name, Some(labels));
        if kind == "histogram" {
            insert(format!("{name}_bucket"), labels.iter().cloned().chain(["le".to_owned()]).collect());
            insert(format!("{name}_sum"), labels.clone());
            insert(format!("{name}_count"), labels);
        } else {
            insert(name.to_owned(), labels);
        }
    }

    /// Adds what others export, or what rules record.
    pub(crate) fn with(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.0.extend(names.into_iter().map(|name| (name, None)));
        self
    }

    /// What is wrong with `query`: it asks for what nobody exports, or counts a pod as often as it is scraped.
    pub(crate) fn faults(&self, query: &str) -> Vec<String> {
        let query = match Query::parse(query) {
            Ok(query) => query,
            Err(error) => return vec![format!("{query:?} can't be read: {error}")],
        };
        let doubled = query.doubled.iter();
        let mut faults: Vec<String> =
            doubled.map(|name| format!("{name} is added up without a max by (pod, …) of it")).collect();
        let mut labels: Option<BTreeSet<&str>> = Some(SCRAPED.into());
        for (name, asked) in &query.selectors {
            let Some(known) = self.0.get(name) else {
                faults.push(format!("nobody exports {name}"));
                continue;
            };
            let Some(known) = known else {
                labels = None;
                continue;
            };
            let missing = asked.iter().filter(|label| !known.contains(*label) && !SCRAPED.contains(&label.as_str()));
            faults.extend(missing.map(|label| format!("{name} has no label {label:?}")));
            if let Some(labels) = &mut labels {
                labels.extend(known.iter().map(String::as_str));
            }
        }
        if query.selectors.is_empty() {
            faults.push("it asks for nothing".to_owned());
        } else if let Some(labels) = labels {
            let missing = query.grouped.iter().filter(|label| !labels.contains(label.as_str()));
            faults.extend(missing.map(|label| format!("nothing there has a label {label:?}")));
        }
        faults
    }
}

/// What a query asks for.
#[derive(Default)]
pub(crate) struct Query {
    /// The metrics it names, each with the labels that it is selected by.
    pub(crate) selectors: Vec<(String, Vec<String>)>,
    /// The labels that it sums by.
    grouped: BTreeSet<String>,
    /// Our counters that it adds up without regard to pods that two Services find, and that so are scraped twice.
    doubled: Vec<String>,
    /// While it is read: what is around, the inmost last. A sum counts a pod twice (false), unless each is reduced to
    /// its greatest before (true).
    around: Vec<Option<bool>>,
}

impl Query {
    /// Reads a query. What Argo and Grafana fill in later (`{{args.service}}`, `$__rate_interval`) is no obstacle.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut asked = Self::default();
        let query = query.replace("$__rate_interval", "5m").replace("$__range", "1h");
        walk_expr(&mut asked, &parser::parse(&query)?)?;
        Ok(asked)
    }

    fn select(&mut self, name: Option<&String>, matchers: &Matchers) {
        let labels = matchers.matchers.iter().map(|matcher| matcher.name.clone()).collect();
        self.selectors.push((name.cloned().unwrap_or_default(), labels));
    }
}

impl ExprVisitor for Query {
    type Error = String;

    fn pre_visit(&mut self, part: &Expr) -> Result<bool, String> {
        match part {
            Expr::VectorSelector(asked) => self.select(asked.name.as_ref(), &asked.matchers),
            Expr::MatrixSelector(asked) => {
                self.select(asked.vs.name.as_ref(), &asked.vs.matchers);
                let ours = asked.vs.name.as_ref().filter(|name| name.starts_with(OURS));
                // Of one Service nobody is there twice.
                let ours = ours.filter(|_| asked.vs.matchers.find_matchers("service").is_empty());
                if self.around.iter().rev().flatten().next() == Some(&false) {
                    self.doubled.extend(ours.cloned());
                }
            }
            Expr::Aggregate(sum) => {
                let mut by_pod = false;
                if let Some(LabelModifier::Include(by)) = &sum.modifier {
                    self.grouped.extend(by.labels.iter().cloned());
                    by_pod = by.labels.iter().any(|label| label == "pod");
                }
                self.around.push(match sum.op.to_string().as_str() {
                    "sum" => Some(false),
                    "max" if by_pod => Some(true),
                    _ => None,
                });
            }
            _ => {}
        }
        Ok(true)
    }

    fn post_visit(&mut self, part: &Expr) -> Result<bool, String> {
        if matches!(part, Expr::Aggregate(_)) {
            self.around.pop();
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_asked_for_by_its_buckets() {
        let metrics = Metrics::read("| `a_seconds` | histogram | `route`, `method` | all | A. |");
        let none: Vec<String> = Vec::new();
        assert_eq!(metrics.faults("sum by (le) (rate(a_seconds_bucket{route=\"x\", method=\"GET\"}[1m]))"), none);
        assert_eq!(metrics.faults("a_seconds"), ["nobody exports a_seconds"]);
        assert_eq!(metrics.faults("a_seconds_sum{code=\"1\"}"), ["a_seconds_sum has no label \"code\""]);
        assert_eq!(metrics.faults("sum by (code) (a_seconds_count)"), ["nothing there has a label \"code\""]);
    }

    #[test]
    fn what_is_recorded_may_have_any_label() {
        let metrics = Metrics::read("").with(["slo:burn_rate:1h".to_owned()]);
        let none: Vec<String> = Vec::new();
        assert_eq!(metrics.faults("sum by (slo) (slo:burn_rate:1h{slo=\"x\"}) > 1"), none);
        assert_eq!(metrics.faults("rate(up[$__rate_interval]) and gone"), ["nobody exports gone"]);
        assert_eq!(metrics.faults("vector(1)"), ["it asks for nothing"]);
        assert!(metrics.faults("sum(").concat().contains("can't be read"));
    }

    #[test]
    fn what_two_services_find_is_counted_once() {
        let metrics = Metrics::read("| `cloudjet_a_total` | counter | `code` | all | A. |");
        for once in [
            "sum(max by (app, pod, code) (increase(cloudjet_a_total[1h]))) / sum(max by (pod) (rate(cloudjet_a_total[5m])))",
            "max(increase(cloudjet_a_total[5m])) > 0",
            "sum(rate(cloudjet_a_total{service=\"x-preview\"}[5m]))",
            "topk(3, sum by (code) (max by (pod, code) (rate(cloudjet_a_total[5m]))))",
        ] {
            assert_eq!(metrics.faults(once), Vec::<String>::new(), "{once}");
        }
        let fault = "cloudjet_a_total is added up without a max by (pod, …) of it";
        for twice in [
            "sum(increase(cloudjet_a_total[1h])) > 20",
            "sum(max by (code) (rate(cloudjet_a_total[5m])))",
            "max by (pod) (sum by (pod) (rate(cloudjet_a_total[5m])))",
            "max by (pod) (rate(cloudjet_a_total[5m])) and sum(rate(cloudjet_a_total[5m]))",
        ] {
            assert_eq!(metrics.faults(twice), [fault], "{twice}");
        }
    }
}
