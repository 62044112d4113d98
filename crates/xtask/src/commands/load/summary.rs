//! What k6 counted, held against what must hold, and told.
//!
//! In k6's export a threshold's `true` means that it was crossed.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::report;

/// Everything k6 counted.
#[derive(Deserialize)]
pub(super) struct Summary {
    metrics: BTreeMap<String, Metric>,
}

/// One metric: which of the numbers it has depends on its kind.
#[derive(Default, Deserialize)]
struct Metric {
    count: Option<f64>,
    rate: Option<f64>,
    med: Option<f64>,
    #[serde(rename = "p(95)")]
    p95: Option<f64>,
    passes: Option<f64>,
    fails: Option<f64>,
    #[serde(default)]
    thresholds: BTreeMap<String, bool>,
}

impl Metric {
    /// How often it was fed.
    fn samples(&self) -> f64 {
        self.count.unwrap_or_else(|| self.passes.unwrap_or_default() + self.fails.unwrap_or_default())
    }
}

impl Summary {
    /// Reads k6's export.
    ///
    /// # Errors
    /// If there is no threshold in it: then it says nothing.
    pub(super) fn read(text: &str) -> Result<Self> {
        let summary: Self = serde_json::from_str(text).context("k6's summary can't be read")?;
        let judged = summary.metrics.values().any(|metric| !metric.thresholds.is_empty());
        ensure!(judged, "k6 held nothing against any threshold");
        Ok(summary)
    }

    /// Every threshold that wasn't kept, or that nothing was counted for.
    pub(super) fn faults(&self) -> Vec<String> {
        let judged = self.metrics.iter().filter(|(_, metric)| !metric.thresholds.is_empty());
        judged.flat_map(|(name, metric)| faults_of(name, metric)).collect()
    }

    /// How much there was, in a few words.
    pub(super) fn told(&self) -> String {
        let requests = |journey: &str| self.metrics.get(&format!("http_reqs{{scenario:{journey}}}"))?.count;
        let all: f64 = self.journeys().filter_map(requests).sum();
        format!("{} journeys, {all} requests", self.journeys().count())
    }

    /// A line for each journey, and what wasn't kept.
    pub(super) fn table(&self) -> String {
        format!("{}{}", report::table(&self.rows()), self.remarks("  "))
    }

    /// The same as Markdown.
    pub(super) fn markdown(&self) -> String {
        format!("{}{}", report::markdown(&self.rows()), self.remarks("- "))
    }

    fn rows(&self) -> Vec<[String; COLUMNS.len()]> {
        let mut rows = vec![COLUMNS.map(str::to_owned)];
        rows.extend(self.journeys().map(|journey| self.row(journey)));
        rows
    }

    /// The scenarios, by the metric that each of them has.
    fn journeys(&self) -> impl Iterator<Item = &str> {
        self.metrics.keys().filter_map(|name| name.strip_prefix("http_reqs{scenario:")?.strip_suffix('}'))
    }

    fn row(&self, journey: &str) -> [String; COLUMNS.len()] {
        let of = |name: &str| self.metrics.get(&format!("{name}{{scenario:{journey}}}"));
        let number = |metric: Option<f64>, digits: usize| {
            metric.map_or_else(|| "–".to_owned(), |number| format!("{number:.digits$}"))
        };
        let (requests, times, failed) = (of("http_reqs"), of("http_req_duration"), of("http_req_failed"));
        let ours = self.metrics.iter().filter(|(name, _)| name.ends_with(&format!("{{scenario:{journey}}}")));
        let thresholds: Vec<_> = ours.collect();
        let all: usize = thresholds.iter().map(|(_, metric)| metric.thresholds.len()).sum();
        let broken: usize = thresholds.iter().map(|(name, metric)| faults_of(name, metric).len()).sum();
        [
            journey.to_owned(),
            number(requests.and_then(|metric| metric.count), 0),
            number(requests.and_then(|metric| metric.rate), 1),
            number(times.and_then(|metric| metric.med), 1),
            number(times.and_then(|metric| metric.p95), 1),
            // Of a rate of failures, those that "pass" are the failures.
            number(failed.and_then(|metric| metric.passes), 0),
            if broken == 0 { format!("{all} ✔") } else { format!("{} of {all} ✘", all.saturating_sub(broken)) },
        ]
    }

    /// What else is worth telling, and what went wrong.
    fn remarks(&self, indent: &str) -> String {
        let counted = |name: &str| self.metrics.get(name).and_then(|metric| metric.count).unwrap_or_default();
        let mut remarks = Vec::new();
        for (name, what) in [
            ("seats_booked", "seats were booked where too many wanted them"),
            ("seats_gone", "times such a seat was gone"),
            ("payments_confirmed", "payments were confirmed"),
            ("asked_again", "times somebody had to ask again"),
            (
                "dropped_iterations",
                "journeys weren't begun, because too many were still under way: the system was slower than customers came",
            ),
        ] {
            if counted(name) > 0.0 {
                remarks.push(format!("{} {what}", counted(name)));
            }
        }
        let confirmation = self.metrics.get("payment_to_confirmation").filter(|metric| metric.samples() > 0.0);
        if let Some(p95) = confirmation.and_then(|metric| metric.p95) {
            remarks.push(format!("95 of 100 were confirmed within {p95:.0} ms of being paid"));
        }
        remarks.extend(self.faults().into_iter().map(|fault| format!("✘ {fault}")));
        remarks.into_iter().map(|remark| format!("\n{indent}{remark}")).chain(["\n".to_owned()]).collect()
    }
}

const COLUMNS: [&str; 7] = ["journey", "requests", "a second", "p50, ms", "p95, ms", "failed", "thresholds kept"];

/// The threshold of what must never happen: nothing counted is what it wants.
const NEVER: &str = "count==0";

fn faults_of(name: &str, metric: &Metric) -> Vec<String> {
    let fault = |(threshold, crossed): (&String, &bool)| match (metric.samples() == 0.0, crossed) {
        (true, _) if threshold != NEVER => Some(format!("{name}: {threshold}: nothing was counted")),
        (_, true) => Some(format!("{name}: {threshold} wasn't kept")),
        (_, false) => None,
    };
    metric.thresholds.iter().filter_map(fault).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// As k6 exports it, of one journey that went well.
    fn exported() -> Value {
        json!({ "root_group": {}, "metrics": {
            "http_reqs{scenario:browse}": { "count": 120, "rate": 4.04, "thresholds": { "count>0": false } },
            "http_req_duration{scenario:browse}":
                { "count": 120, "med": 7.4, "p(95)": 25.8, "max": 65.6, "thresholds": { "p(95)<200": false } },
            "http_req_failed{scenario:browse}":
                { "passes": 0, "fails": 120, "value": 0, "thresholds": { "rate<0.001": false } },
            "checks{scenario:browse}": { "passes": 121, "fails": 0, "value": 1, "thresholds": { "rate>0.99": false } },
            "vus": { "value": 2, "min": 0, "max": 21 }
        } })
    }

    fn summary(exported: &Value) -> Summary {
        Summary::read(&exported.to_string()).unwrap()
    }

    #[test]
    fn a_journey_is_a_line() {
        let summary = summary(&exported());
        assert_eq!(summary.faults(), Vec::<String>::new());
        assert!(
            summary.table().contains("browse   120       4.0       7.4      25.8     0       4 ✔"),
            "{}",
            summary.table()
        );
        assert_eq!(summary.told(), "1 journeys, 120 requests");
        assert!(summary.markdown().contains("| browse | 120 | 4.0 | 7.4 | 25.8 | 0 | 4 ✔ |"), "{}", summary.markdown());
    }

    #[test]
    fn a_threshold_that_was_crossed_is_a_fault() {
        let mut exported = exported();
        exported["metrics"]["http_req_duration{scenario:browse}"]["thresholds"]["p(95)<200"] = json!(true);
        let summary = summary(&exported);
        assert_eq!(summary.faults(), ["http_req_duration{scenario:browse}: p(95)<200 wasn't kept"]);
        assert!(summary.table().contains("3 of 4 ✘"), "{}", summary.table());
    }

    /// k6 itself takes a rate of nothing for a good one.
    #[test]
    fn a_threshold_of_nothing_is_a_fault() {
        let mut exported = exported();
        let checks = &mut exported["metrics"]["checks{scenario:browse}"];
        (checks["passes"], checks["value"]) = (json!(0), json!(0));
        assert_eq!(summary(&exported).faults(), ["checks{scenario:browse}: rate>0.99: nothing was counted"]);
    }

    #[test]
    fn how_long_the_paid_waited_is_told() {
        let mut exported = exported();
        exported["metrics"]["payment_to_confirmation"] = json!({ "count": 10, "med": 49.5, "p(95)": 75.6 });
        assert!(summary(&exported).table().contains("95 of 100 were confirmed within 76 ms"));
        exported["metrics"]["payment_to_confirmation"]["count"] = json!(0);
        assert!(!summary(&exported).table().contains("were confirmed within"));
    }

    #[test]
    fn what_must_never_happen_needn_t_be_counted() {
        let mut exported = exported();
        exported["metrics"]["dropped_iterations"] = json!({ "count": 0, "thresholds": { "count==0": false } });
        assert_eq!(summary(&exported).faults(), Vec::<String>::new());
        exported["metrics"]["dropped_iterations"] = json!({ "count": 3, "thresholds": { "count==0": true } });
        assert_eq!(summary(&exported).faults(), ["dropped_iterations: count==0 wasn't kept"]);
    }

    #[test]
    fn a_summary_without_thresholds_says_nothing() {
        assert!(Summary::read(r#"{ "metrics": { "vus": { "value": 1 } } }"#).is_err());
    }
}
