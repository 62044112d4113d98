//! What pods are allowed, and what they are made of.

use serde_json::{Value, json};

use super::super::object::{Object, Reach as _};
use super::{Faults, Render, settings, told};

/// Volumes that the `restricted` Pod Security Standard lets a pod have.
const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

/// The `restricted` Pod Security Standard, a root that can't be written, and bounds.
pub(super) fn pods_are_restricted(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for owner in render.objects.iter() {
        let Some(pod) = owner.pod().map(|pod| pod.at("/spec")) else { continue };
        let mut wrong: Vec<String> = Vec::new();
        for (pointer, wanted) in [
            ("/securityContext/runAsNonRoot", json!(true)),
            ("/securityContext/runAsUser", json!(65532)),
            ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
        ] {
            if pod.at(pointer) != &wanted {
                wrong.push(format!("{pointer} is {}, not {wanted}", pod.at(pointer)));
            }
        }
        wrong.extend(
            ["hostNetwork", "hostPID", "hostIPC"]
                .iter()
                .filter(|h| pod.has(&format!("/{h}")))
                .map(|h| format!("it has {h}")),
        );
        let volumes = pod.list("/volumes").iter().flat_map(|volume| volume.entries("").map(|(key, _)| key));
        wrong.extend(
            volumes
                .filter(|key| *key != "name" && !VOLUMES.contains(&key.as_str()))
                .map(|key| format!("it mounts {key}")),
        );
        let containers = ["/containers", "/initContainers"].iter().flat_map(|kind| pod.list(kind));
        wrong.extend(containers.flat_map(unrestricted));
        faults.extend(wrong.into_iter().map(|fault| format!("{owner}: {fault}")));
    }
    faults
}

fn unrestricted(container: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (pointer, wanted) in [
        ("/securityContext/allowPrivilegeEscalation", json!(false)),
        ("/securityContext/readOnlyRootFilesystem", json!(true)),
        ("/securityContext/capabilities", json!({ "drop": ["ALL"] })),
    ] {
        if container.at(pointer) != &wanted {
            wrong.push(format!("{pointer} is {}, not {wanted}", container.at(pointer)));
        }
    }
    if container.at("/securityContext/privileged") == &json!(true) {
        wrong.push("it is privileged".to_owned());
    }
    for bound in ["/resources/requests/cpu", "/resources/requests/memory", "/resources/limits/memory"] {
        if !container.has(bound) {
            wrong.push(format!("it has no {bound}"));
        }
    }
    wrong.extend(
        container.list("/ports").iter().filter(|port| port.has("/hostPort")).map(|_| "it has a host port".to_owned()),
    );
    wrong
}

/// And every service is somebody of its own.
pub(super) fn pods_have_no_token(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for owner in render.objects.iter().filter(|owner| owner.pod().is_some() || owner.kind() == "ServiceAccount") {
        let spec = owner.pod().map_or(&owner.0, |pod| pod.at("/spec"));
        if spec.at("/automountServiceAccountToken") != &json!(false) {
            faults.push(format!("{owner} is given a token"));
        }
    }
    let account = |owner: &Object| {
        let name = owner.pod().map(|pod| pod.text("/spec/serviceAccountName").to_owned());
        (owner.namespace().to_owned(), name)
    };
    for workload in render.objects.workloads() {
        if render.objects.iter().filter(|o| o.pod().is_some() && account(o) == account(workload)).count() > 1 {
            faults.push(format!("{workload} shares its account"));
        }
    }
    faults
}

/// Every pod has a policy both ways, and none lets everybody in.
pub(super) fn networks_are_closed(render: &Render<'_>) -> Faults {
    if render.values.at("/networkPolicy/enabled") == &json!(false) {
        return Faults::new();
    }
    let mut faults = Faults::new();
    for owner in render.objects.iter() {
        let Some(pod) = owner.pod() else { continue };
        let closes = |policy: &&Object| {
            let mut wanted = policy.entries("/spec/podSelector/matchLabels");
            policy.namespace() == owner.namespace()
                && policy.at("/spec/policyTypes") == &json!(["Ingress", "Egress"])
                && wanted.all(|(key, value)| pod.at("/metadata/labels").get(key) == Some(value))
        };
        if !render.objects.of("NetworkPolicy").any(|policy| closes(&policy)) {
            faults.push(format!("{owner}: no network policy closes it"));
        }
    }
    for policy in render.objects.of("NetworkPolicy") {
        if policy.list("/spec/ingress").iter().any(|rule| rule.list("/from").is_empty()) {
            faults.push(format!("{policy} lets everybody in"));
        }
        let rules = ["/spec/ingress", "/spec/egress"].iter().flat_map(|way| policy.list(way));
        if rules.filter(|rule| rule.list("/ports").is_empty()).count() > 0 {
            faults.push(format!("{policy} opens every port"));
        }
    }
    faults
}

/// Settings that say which port a program calls, or a customer who isn't one: a number, or an address with or without one.
const CALLED: [&str; 8] = [
    "DB_PORT",
    "REDIS_PORT",
    "BOOTPAY_API_URL",
    "NEWS_URL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "JOURNEY_URL",
    "BASE_URL",
    "SIMULATOR_URL",
];

/// And whom a program is told to call, it can.
pub(super) fn networks_let_through_what_is_called(render: &Render<'_>) -> Faults {
    if render.values.at("/networkPolicy/enabled") == &json!(false) {
        return Faults::new();
    }
    let mut faults = Faults::new();
    for owner in render.objects.iter() {
        let Some(pod) = owner.pod() else { continue };
        let program = settings::program(owner);
        let app = pod.at("/metadata/labels/app");
        let own = render.objects.of("NetworkPolicy").filter(|policy| {
            policy.namespace() == owner.namespace() && policy.at("/spec/podSelector/matchLabels/app") == app
        });
        let open: Vec<u64> = own
            .flat_map(|policy| policy.list("/spec/egress"))
            .flat_map(|rule| rule.list("/ports").iter().map(|port| port.number("/port")))
            .collect();
        // A program of ours is told more than it reads; whoever travels is told what they need.
        let reads = |env: &str| {
            let mut known = render.project.settings.iter();
            program.is_none_or(|program| known.any(|known| known.env == env && known.readers.contains(program)))
        };
        for setting in CALLED.into_iter().filter(|setting| reads(setting)) {
            // News is sent by the service, not by a job that has its settings.
            if setting == "NEWS_URL" && !owner.is_workload() {
                continue;
            }
            let port = told(render.objects, owner, setting).and_then(port_of);
            if let Some(port) = port.filter(|port| !open.contains(port)) {
                faults.push(format!("{owner}: no policy lets it call port {port} of {setting}"));
            }
        }
    }
    faults
}

/// Of `3306`, `http://x:4317` or `https://x/y`.
fn port_of(called: &str) -> Option<u64> {
    let Some((scheme, rest)) = called.split_once("://") else { return called.parse().ok() };
    let host = rest.split('/').next()?;
    host.split_once(':').map_or(Some(if scheme == "https" { 443 } else { 80 }), |(_, port)| port.parse().ok())
}

/// By a version, and where values ask for it by a digest.
pub(super) fn images_are_pinned(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    let by_digest = render.values.at("/image/requireDigest") == &json!(true);
    for owner in render.objects.iter() {
        for image in owner.pod().into_iter().flat_map(|p| p.list("/spec/containers")).map(|c| c.text("/image")) {
            let (name, digest) = image.split_once('@').unwrap_or((image, ""));
            let tag = name.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag);
            if tag.is_empty() || tag == "latest" {
                faults.push(format!("{owner}: {image} may be anything"));
            }
            if by_digest && !digest.starts_with("sha256:") {
                faults.push(format!("{owner}: {image} has no digest"));
            }
        }
    }
    faults
}

/// Pods of two versions differ in a label that people and the mesh read, also where the tag stays and digests change.
pub(super) fn versions_are_told_apart(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for workload in render.objects.workloads() {
        let Some(pod) = workload.pod() else { continue };
        let version = pod.text("/metadata/labels/version");
        for image in pod.list("/spec/containers").iter().map(|container| container.text("/image")) {
            let digest = image.split_once("@sha256:").map_or("", |(_, digest)| digest);
            let told = digest.is_empty() || digest.get(..8).is_some_and(|begin| version.ends_with(begin));
            if !told || version.is_empty() {
                faults.push(format!("{workload}: version {version:?} is the same for another digest"));
            }
        }
    }
    faults
}

/// A pod that is to end has nobody beside it who wouldn't, isn't started again by itself, and is ended some day.
pub(super) fn jobs_come_to_an_end(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for owner in render.objects.iter().filter(|owner| !owner.is_workload()) {
        let Some(pod) = owner.pod() else { continue };
        let outside = [("sidecar.istio.io~1inject", "false"), ("istio.io~1dataplane-mode", "none")];
        if outside.iter().any(|(label, off)| pod.text(&format!("/metadata/labels/{label}")) != *off) {
            faults.push(format!("{owner}: the mesh may put a proxy beside it that never ends"));
        }
        let deadline = owner.job().unwrap_or(pod.at("/spec")).number("/activeDeadlineSeconds");
        if pod.text("/spec/restartPolicy") != "Never" || deadline == 0 {
            faults.push(format!("{owner} may run for ever"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::tests::{judged, shown_to_fail};
    use super::*;

    fn scene() -> Value {
        json!([
            { "kind": "Job", "metadata": { "name": "j", "namespace": "user" }, "spec": { "template": {
                "metadata": { "labels": { "app": "j" } },
                "spec": {
                    "serviceAccountName": "j",
                    "automountServiceAccountToken": false,
                    "hostNetwork": null,
                    "securityContext": { "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": { "type": "RuntimeDefault" } },
                    "volumes": [{ "name": "tmp", "emptyDir": {} }],
                    "containers": [{
                        "image": "there:5000/cloudjet/j:1.0",
                        "ports": [{}],
                        "resources": { "requests": { "cpu": "1", "memory": "1" }, "limits": { "memory": "1" } },
                        "securityContext": {
                            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "privileged": false,
                            "capabilities": { "drop": ["ALL"] }
                        }
                    }]
                }
            } } },
            { "kind": "ServiceAccount", "metadata": { "name": "j", "namespace": "user" }, "automountServiceAccountToken": false },
            { "kind": "NetworkPolicy", "metadata": { "name": "j", "namespace": "user" }, "spec": {
                "podSelector": { "matchLabels": { "app": "j" } },
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{ "from": [{}], "ports": [{}] }],
                "egress": [{ "ports": [{}] }]
            } }
        ])
    }

    #[test]
    fn what_a_pod_is_allowed_too_much_is_found() {
        let pod = "/0/spec/template/spec";
        let container = format!("{pod}/containers/0");
        for (pointer, value, fault) in [
            ("/securityContext/runAsNonRoot", json!(false), "runAsNonRoot"),
            ("/securityContext/runAsUser", json!(0), "runAsUser"),
            ("/securityContext/seccompProfile", Value::Null, "seccompProfile"),
            ("/hostNetwork", json!(true), "hostNetwork"),
            ("/volumes/0", json!({ "name": "x", "hostPath": {} }), "mounts hostPath"),
        ] {
            shown_to_fail(pods_are_restricted, &scene(), &format!("{pod}{pointer}"), value, fault);
        }
        for (pointer, value, fault) in [
            ("/securityContext/allowPrivilegeEscalation", Value::Null, "allowPrivilegeEscalation"),
            ("/securityContext/readOnlyRootFilesystem", json!(false), "readOnlyRootFilesystem"),
            ("/securityContext/capabilities/drop", json!([]), "capabilities"),
            ("/securityContext/privileged", json!(true), "privileged"),
            ("/resources/limits", json!({}), "limits/memory"),
            ("/ports/0", json!({ "hostPort": 80 }), "host port"),
        ] {
            shown_to_fail(pods_are_restricted, &scene(), &format!("{container}{pointer}"), value, fault);
        }
    }

    #[test]
    fn versions_that_look_the_same_are_found() {
        let image = "there/x:1.0@sha256:0123456789abcdef";
        let good = json!([{ "kind": "Deployment", "spec": { "template": {
            "metadata": { "labels": { "version": "1.0-01234567" } }, "spec": { "containers": [{ "image": image }] }
        } } }]);
        let version = "/0/spec/template/metadata/labels/version";
        shown_to_fail(versions_are_told_apart, &good, version, json!("1.0"), "for another digest");
    }

    #[test]
    fn a_job_that_may_never_end_is_found() {
        let rule = jobs_come_to_an_end;
        let pod = json!({
            "metadata": { "labels": { "sidecar.istio.io/inject": "false", "istio.io/dataplane-mode": "none" } },
            "spec": { "restartPolicy": "Never" }
        });
        let good = json!([
            { "kind": "CronJob", "spec": { "jobTemplate": { "spec": { "activeDeadlineSeconds": 60, "template": pod } } } }
        ]);
        let job = "/0/spec/jobTemplate/spec";
        let label = format!("{job}/template/metadata/labels/sidecar.istio.io~1inject");
        shown_to_fail(rule, &good, &label, json!("true"), "never ends");
        shown_to_fail(rule, &good, &format!("{job}/template/spec/restartPolicy"), json!("OnFailure"), "for ever");
        shown_to_fail(rule, &good, &format!("{job}/activeDeadlineSeconds"), Value::Null, "for ever");
    }

    #[test]
    fn a_pod_with_a_token_is_found() {
        let rule = pods_have_no_token;
        shown_to_fail(rule, &scene(), "/0/spec/template/spec/automountServiceAccountToken", Value::Null, "a token");
        shown_to_fail(rule, &scene(), "/1/automountServiceAccountToken", json!(true), "a token");
        let shared = json!([
            { "kind": "Deployment", "spec": { "template": { "spec": { "serviceAccountName": "a", "automountServiceAccountToken": false } } } },
            { "kind": "Job", "spec": { "template": { "spec": { "serviceAccountName": "b", "automountServiceAccountToken": false } } } }
        ]);
        shown_to_fail(rule, &shared, "/1/spec/template/spec/serviceAccountName", json!("a"), "shares its account");
    }

    #[test]
    fn an_open_network_is_found() {
        let rule = networks_are_closed;
        shown_to_fail(rule, &scene(), "/2/spec/podSelector/matchLabels/app", json!("y"), "closes it");
        shown_to_fail(rule, &scene(), "/2/spec/policyTypes", json!(["Ingress"]), "closes it");
        shown_to_fail(rule, &scene(), "/2/spec/ingress/0/from", json!([]), "everybody in");
        shown_to_fail(rule, &scene(), "/2/spec/egress/0/ports", json!([]), "every port");
    }

    #[test]
    fn a_network_that_stops_what_is_called_is_found() {
        let good = json!([
            { "kind": "Deployment", "metadata": { "name": "auth-service", "namespace": "user" }, "spec": { "template": {
                "metadata": { "labels": { "app": "auth-service" } },
                "spec": { "containers": [{ "name": "auth-service", "env": [{ "name": "DB_PORT", "value": "3307" }] }] }
            } } },
            { "kind": "NetworkPolicy", "metadata": { "namespace": "user" }, "spec": {
                "podSelector": { "matchLabels": { "app": "auth-service" } }, "egress": [{ "ports": [{ "port": 3307 }] }]
            } }
        ]);
        let rule = networks_let_through_what_is_called;
        shown_to_fail(rule, &good, "/1/spec/egress/0/ports/0/port", json!(3306), "3307");
        shown_to_fail(rule, &good, "/1/metadata/namespace", json!("admin"), "of DB_PORT");
        let travels = json!([
            { "kind": "Job", "metadata": { "name": "load", "namespace": "user" }, "spec": { "template": {
                "metadata": { "labels": { "app": "load" } },
                "spec": { "containers": [{ "name": "k6", "env": [{ "name": "BASE_URL", "value": "https://x.example.com:8443" }] }] }
            } } },
            { "kind": "NetworkPolicy", "metadata": { "namespace": "user" }, "spec": {
                "podSelector": { "matchLabels": { "app": "load" } }, "egress": [{ "ports": [{ "port": 8443 }] }]
            } }
        ]);
        shown_to_fail(rule, &travels, "/1/spec/egress/0/ports/0/port", json!(5000), "8443 of BASE_URL");
        assert_eq!(port_of("http://collector:4317"), Some(4317));
        assert_eq!(port_of("https://x.example.com/v2"), Some(443));
    }

    #[test]
    fn an_image_that_may_change_is_found() {
        let image = "/0/spec/template/spec/containers/0/image";
        shown_to_fail(images_are_pinned, &scene(), image, json!("there:5000/cloudjet/j"), "anything");
        shown_to_fail(images_are_pinned, &scene(), image, json!("there/j:latest@sha256:0"), "anything");
        let strict = judged(images_are_pinned, scene(), &json!({ "image": { "requireDigest": true } }));
        assert!(strict.join("").contains("has no digest"), "{strict:?}");
    }
}
