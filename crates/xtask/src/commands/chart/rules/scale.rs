//! How many pods there are, and how they come and go.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::object::{Object, Objects, Reach as _};
use super::{Faults, Render, told};

/// How long a service finishes what it has begun, at most: `common::http` says so.
const DRAIN: u64 = 20;

/// A number of replicas beside an autoscaler would be set back by every deployment.
pub(super) fn who_scales_sets_the_replicas(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for workload in render.objects.workloads() {
        match (scalers(render.objects, workload).count(), workload.has("/spec/replicas")) {
            (0, true) | (1, false) => {}
            (0, false) => faults.push(format!("{workload}: nobody says how many")),
            (1, true) => faults.push(format!("{workload} says how many, and its autoscaler, too")),
            _ => faults.push(format!("{workload} has several autoscalers")),
        }
    }
    faults
}

/// A proxy beside the program has its own processor: together they would say neither that one is busy nor that it isn't.
pub(super) fn scalers_look_at_the_program(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for workload in render.objects.workloads() {
        let containers = workload.pod().map_or(&[][..], |pod| pod.list("/spec/containers"));
        let is_there = |name: &str| containers.iter().any(|container| container.text("/name") == name);
        for scaler in scalers(render.objects, workload) {
            let metrics = scaler.list("/spec/metrics").iter().map(|metric| metric.text("/containerResource/container"));
            let triggers = scaler.list("/spec/triggers").iter().filter(|trigger| trigger.text("/type") == "cpu");
            let mut looked_at = metrics.chain(triggers.map(|trigger| trigger.text("/metadata/containerName")));
            if !looked_at.all(is_there) {
                faults.push(format!("{scaler}: it looks at more than the program"));
            }
        }
    }
    faults
}

/// At each database: all pods that there can be while new versions come in, each with its pool and the connection of its
/// probes, and the jobs beside them. The migration's are among those reserved.
pub(super) fn connections_are_enough(render: &Render<'_>) -> Faults {
    let limit = render.values.number("/database/connectionLimit");
    let reserved = render.values.number("/database/reservedConnections");
    let mut needed: BTreeMap<&str, u64> = BTreeMap::new();
    for owner in render.objects.iter().filter(|owner| told(render.objects, owner, "DB_PASSWORD_FILE").is_some()) {
        let pool: u64 =
            told(render.objects, owner, "DB_POOL_SIZE").and_then(|size| size.parse().ok()).unwrap_or_default();
        let connections = match owner.kind() {
            "CronJob" => pool,
            _ if owner.is_workload() => most_pods(render.objects, owner) * (pool + 1),
            _ => continue,
        };
        let host = told(render.objects, owner, "DB_HOST").unwrap_or_default();
        *needed.entry(host).or_insert(reserved) += connections;
    }
    let too_many = needed.into_iter().filter(|(_, needed)| *needed > limit);
    too_many.map(|(host, needed)| format!("{host:?} may need {needed} connections of {limit}")).collect()
}

fn most_pods(objects: &Objects, workload: &Object) -> u64 {
    let max = |scaler: &Object| scaler.number("/spec/maxReplicas").max(scaler.number("/spec/maxReplicaCount"));
    let replicas = scalers(objects, workload).map(max).max().unwrap_or(workload.number("/spec/replicas"));
    let surge = workload.number("/spec/strategy/rollingUpdate/maxSurge");
    if workload.kind() == "Rollout" { 2 * replicas } else { replicas + surge }
}

fn scalers<'a>(objects: &'a Objects, workload: &'a Object) -> impl Iterator<Item = &'a Object> {
    let scales = |object: &&Object| {
        object.namespace() == workload.namespace()
            && object.at("/spec/scaleTargetRef/kind") == workload.at("/kind")
            && object.text("/spec/scaleTargetRef/name") == workload.name()
    };
    objects.iter().filter(scales)
}

/// Routers learn of it, then the process finishes, then the proxy goes, and only then it would be killed.
pub(super) fn pods_leave_in_order(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for workload in render.objects.workloads() {
        let Some(pod) = workload.pod() else { continue };
        let delay = told(render.objects, workload, "SHUTDOWN_DELAY_SECONDS");
        let delay: u64 = delay.and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
        let grace = pod.number("/spec/terminationGracePeriodSeconds");
        let sleep = pod.list("/spec/containers").iter().map(|c| c.number("/lifecycle/preStop/sleep/seconds")).min();
        let Some(sleep @ 1..) = sleep else {
            faults.push(format!("{workload}: it is told to stop before routers know"));
            continue;
        };
        let done = sleep + delay + DRAIN;
        if done >= grace {
            faults.push(format!("{workload}: it may need {done} s and is killed after {grace}"));
        }
        let proxy = pod.text("/metadata/annotations/proxy.istio.io~1config");
        if !proxy.is_empty() {
            let proxy: Value = serde_json::from_str(proxy).unwrap_or_default();
            let drain = seconds(proxy.text("/terminationDrainDuration"));
            if drain < done || drain >= grace {
                faults.push(format!("{workload}: its proxy leaves after {drain} s, not between {done} and {grace}"));
            }
        }
    }
    faults
}

/// Ending the old version ends the analysis, too, and there would be nothing to go back to.
pub(super) fn the_old_version_outlives_its_analysis(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for rollout in render.objects.of("Rollout") {
        let strategy = rollout.at("/spec/strategy/blueGreen");
        for template in strategy.list("/postPromotionAnalysis/templates") {
            let template = render.objects.find("AnalysisTemplate", rollout.namespace(), template.text("/templateName"));
            let metrics = template.map_or(&[][..], |template| template.list("/spec/metrics"));
            let longest = metrics
                .iter()
                .map(|metric| {
                    seconds(metric.text("/initialDelay")) + metric.number("/count") * seconds(metric.text("/interval"))
                })
                .max();
            let Some(longest) = longest else { continue };
            let deadline = rollout.number("/spec/progressDeadlineSeconds");
            if deadline <= longest {
                faults.push(format!("{rollout}: it is aborted after {deadline} s, and its analysis takes {longest}"));
            }
            let stays = strategy.number("/scaleDownDelaySeconds");
            if stays <= longest {
                faults.push(format!("{rollout}: the old version stays {stays} s, its analysis takes {longest}"));
            }
        }
        if strategy.is_object() && strategy.number("/scaleDownDelayRevisionLimit") != 1 {
            faults.push(format!("{rollout}: several old versions may stay, each with its connections"));
        }
    }
    faults
}

/// Of `90s` or `2m`.
pub(super) fn seconds(duration: &str) -> u64 {
    let (number, unit) = duration.split_at(duration.len().saturating_sub(1));
    number.parse::<u64>().unwrap_or_default() * if unit == "m" { 60 } else { 1 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{judged, shown_to_fail};
    use super::*;

    fn scene() -> Value {
        json!([
            { "kind": "Rollout", "metadata": { "name": "x", "namespace": "user" }, "spec": {
                "replicas": null,
                "progressDeadlineSeconds": 660,
                "strategy": { "blueGreen": {
                    "scaleDownDelaySeconds": 900, "scaleDownDelayRevisionLimit": 1,
                    "postPromotionAnalysis": { "templates": [{ "templateName": "a" }] }
                } },
                "template": {
                    "metadata": { "annotations": { "proxy.istio.io/config": "{ \"terminationDrainDuration\": \"40s\" }" } },
                    "spec": {
                        "terminationGracePeriodSeconds": 45,
                        "containers": [{
                            "name": "x",
                            "env": [{ "name": "DB_PASSWORD_FILE", "value": "/f" }],
                            "envFrom": [{ "configMapRef": { "name": "config" } }],
                            "lifecycle": { "preStop": { "sleep": { "seconds": 5 } } }
                        }]
                    }
                }
            } },
            { "kind": "HorizontalPodAutoscaler", "metadata": { "name": "x", "namespace": "user" },
              "spec": { "maxReplicas": 6, "scaleTargetRef": { "kind": "Rollout", "name": "x" },
                "metrics": [{ "containerResource": { "name": "cpu", "container": "x" } }] } },
            { "kind": "ConfigMap", "metadata": { "name": "config", "namespace": "user" },
              "data": { "DB_HOST": "db", "DB_POOL_SIZE": "5", "SHUTDOWN_DELAY_SECONDS": "3" } },
            { "kind": "AnalysisTemplate", "metadata": { "name": "a", "namespace": "user" },
              "spec": { "metrics": [{ "initialDelay": "30s", "count": 5, "interval": "2m" }] } }
        ])
    }

    #[test]
    fn two_who_set_the_replicas_or_nobody_are_found() {
        shown_to_fail(who_scales_sets_the_replicas, &scene(), "/0/spec/replicas", json!(2), "its autoscaler, too");
        let name = "/1/spec/scaleTargetRef/name";
        shown_to_fail(who_scales_sets_the_replicas, &scene(), name, json!("y"), "nobody says");
    }

    #[test]
    fn a_scaler_that_looks_at_the_proxy_too_is_found() {
        let rule = scalers_look_at_the_program;
        let container = "/1/spec/metrics/0/containerResource/container";
        shown_to_fail(rule, &scene(), container, json!("istio-proxy"), "more than the program");
        shown_to_fail(rule, &scene(), "/1/spec/metrics/0", json!({ "resource": { "name": "cpu" } }), "more than");
    }

    #[test]
    fn too_many_connections_are_found() {
        let with = |limit| json!({ "database": { "connectionLimit": limit, "reservedConnections": 20 } });
        // Twice six pods of six connections, and 20.
        assert_eq!(judged(connections_are_enough, scene(), &with(92)), Faults::new());
        assert_eq!(judged(connections_are_enough, scene(), &with(91)).len(), 1);
        // A job has its pool; and one that asks a replica counts there.
        let job = |host: &str| {
            let mut scene = scene();
            let env = json!([{ "name": "DB_PASSWORD_FILE", "value": "/f" }, { "name": "DB_HOST", "value": host }]);
            let container = json!({ "env": env, "envFrom": [{ "configMapRef": { "name": "config" } }] });
            let template = json!({ "spec": { "containers": [container] } });
            scene.as_array_mut().unwrap().push(json!({ "kind": "CronJob", "metadata": { "namespace": "user" },
                "spec": { "jobTemplate": { "spec": { "template": template } } } }));
            scene
        };
        assert_eq!(judged(connections_are_enough, job("db"), &with(96)).len(), 1);
        assert_eq!(judged(connections_are_enough, job("db"), &with(97)), Faults::new());
        assert_eq!(judged(connections_are_enough, job("replica"), &with(92)), Faults::new());
    }

    #[test]
    fn a_pod_that_is_cut_off_is_found() {
        let pod = "/0/spec/template/spec";
        let rule = pods_leave_in_order;
        shown_to_fail(rule, &scene(), &format!("{pod}/terminationGracePeriodSeconds"), json!(28), "killed after 28");
        shown_to_fail(rule, &scene(), &format!("{pod}/containers/0/lifecycle"), Value::Null, "before routers know");
        let proxy = "/0/spec/template/metadata/annotations/proxy.istio.io~1config";
        let early = json!("{ \"terminationDrainDuration\": \"5s\" }");
        shown_to_fail(rule, &scene(), proxy, early, "leaves after 5 s");
    }

    #[test]
    fn an_old_version_that_goes_too_early_is_found() {
        let strategy = "/0/spec/strategy/blueGreen";
        let rule = the_old_version_outlives_its_analysis;
        shown_to_fail(rule, &scene(), &format!("{strategy}/scaleDownDelaySeconds"), json!(630), "stays 630 s");
        shown_to_fail(rule, &scene(), &format!("{strategy}/scaleDownDelayRevisionLimit"), Value::Null, "several old");
        shown_to_fail(rule, &scene(), "/0/spec/progressDeadlineSeconds", json!(600), "aborted after 600 s");
    }
}
