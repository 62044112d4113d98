//! Queries ask for what the services count: a query for nothing answers "all is well" for ever.

use super::super::object::{Object, Reach as _};
use super::{Faults, Render};

/// Seconds after which Prometheus, with its usual settings, has asked a new pod once.
const SCRAPED_AFTER: u64 = 30;

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
            render.project.metrics.faults(query).into_iter().map(move |fault| format!("{object}: {fault}"))
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

/// Where there are monitors at all, each Service that is to be scraped is found by one, at a port that it has.
pub(super) fn services_are_watched(render: &Render<'_>) -> Faults {
    let monitors: Vec<_> = render.objects.of("ServiceMonitor").collect();
    if monitors.is_empty() {
        return Faults::new();
    }
    let mut faults = Faults::new();
    for service in render.objects.of("Service") {
        let is_found = |monitor: &&&Object| {
            let mut wanted = monitor.entries("/spec/selector/matchLabels");
            monitor.namespace() == service.namespace()
                && wanted.all(|(name, value)| service.at("/metadata/labels").get(name) == Some(value))
        };
        let found: Vec<_> = monitors.iter().filter(is_found).collect();
        let expected = usize::from(service.at("/metadata/labels").get("cloudjet/scrape").is_some());
        if found.len() != expected {
            faults.push(format!("{service} is found by {} monitors", found.len()));
        }
        for endpoint in found.iter().flat_map(|monitor| monitor.list("/spec/endpoints")) {
            if !service.list("/spec/ports").iter().any(|port| port.at("/name") == endpoint.at("/port")) {
                faults.push(format!("{service} has no port {}", endpoint.at("/port")));
            }
            if endpoint.at("/honorLabels") != true {
                faults.push(format!("{service}: what jobs are called would be lost"));
            }
        }
    }
    faults
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
        shown_to_fail(exist, &good, query, json!("sum by (code) (cloudjet_x_total{route=\"x\"})"), "a label \"code\"");
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
    fn a_service_that_nobody_watches_is_found() {
        let good = json!([
            {
                "kind": "Service",
                "metadata": { "name": "x-active", "namespace": "user", "labels": { "cloudjet/scrape": "true" } },
                "spec": { "ports": [{ "name": "internal" }] }
            },
            { "kind": "Service", "metadata": { "name": "x", "namespace": "user", "labels": {} } },
            {
                "kind": "ServiceMonitor",
                "metadata": { "name": "cloudjet", "namespace": "user" },
                "spec": {
                    "selector": { "matchLabels": { "cloudjet/scrape": "true" } },
                    "endpoints": [{ "port": "internal", "honorLabels": true }]
                }
            }
        ]);
        let fails =
            |pointer: &str, changed, fault: &str| shown_to_fail(services_are_watched, &good, pointer, changed, fault);
        fails("/2/metadata/namespace", json!("admin"), "x-active is found by 0 monitors");
        fails("/1/metadata/labels", json!({ "cloudjet/scrape": "true" }), "has no port");
        fails("/2/spec/selector/matchLabels", json!({}), "is found by 1 monitors");
        fails("/2/spec/endpoints/0/port", json!("metrics"), "has no port \"metrics\"");
        fails("/2/spec/endpoints/0/honorLabels", json!(false), "jobs are called would be lost");
    }
}
