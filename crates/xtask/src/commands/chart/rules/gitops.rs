//! What Argo CD is told: it may make what the chart renders, and what it is pointed at is in the checkout.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::super::object::{Object, Objects, Reach as _};
use super::{Faults, Render};

/// Objects of `helm test` aside: Argo CD leaves them alone.
pub(super) fn the_project_allows_it(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for object in render.objects.iter().filter(|object| !is_test(object)) {
        let kind = (object.group().to_owned(), object.kind().to_owned());
        if !render.project.kinds.contains(&kind) {
            faults.push(format!("{object}: the AppProject doesn't list {kind:?}"));
        }
        if !render.project.namespaces.contains(object.namespace()) {
            faults.push(format!("{object}: the AppProject doesn't list its namespace"));
        }
    }
    faults
}

fn is_test(object: &Object) -> bool {
    object.hook() == Some("test")
}

/// What must be there before a pod can start, or do anything: its account, settings, secrets and its own network policy.
fn needs<'a>(objects: &'a Objects, owner: &Object) -> Vec<&'a Object> {
    let Some(pod) = owner.pod() else { return Vec::new() };
    let volumes = pod.list("/spec/volumes").iter().flat_map(|volume| volume.list("/projected/sources"));
    let secrets: Vec<&str> = volumes.map(|source| source.text("/secret/name")).collect();
    let containers = pod.list("/spec/containers").iter().flat_map(|container| container.list("/envFrom"));
    let mounted = pod.list("/spec/volumes").iter().map(|volume| volume.text("/configMap/name"));
    let configs: Vec<&str> = containers.map(|from| from.text("/configMapRef/name")).chain(mounted).collect();
    let is_needed = |object: &&Object| match object.kind() {
        "ServiceAccount" => object.name() == pod.text("/spec/serviceAccountName"),
        "ConfigMap" => configs.contains(&object.name()),
        "ExternalSecret" => secrets.contains(&object.text("/spec/target/name")),
        "NetworkPolicy" => {
            object.has("/spec/podSelector/matchLabels/app")
                && object.at("/spec/podSelector/matchLabels/app") == pod.at("/metadata/labels/app")
        }
        _ => false,
    };
    objects.iter().filter(|object| object.namespace() == owner.namespace()).filter(is_needed).collect()
}

/// Argo CD goes on to the next wave when everything in one is healthy: who waits for something comes behind it.
pub(super) fn waves_are_in_order(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for owner in render.objects.iter().filter(|object| !is_test(object)) {
        for needed in needs(render.objects, owner).into_iter().filter(|needed| needed.wave() >= owner.wave()) {
            faults.push(format!("{owner} comes before {needed}"));
        }
    }
    let jobs = render.objects.of("Job");
    for (job, workload) in jobs.flat_map(|job| render.objects.workloads().map(move |workload| (job, workload))) {
        if job.wave() >= workload.wave() {
            faults.push(format!("{workload} comes before {job}"));
        }
    }
    let gateways = render.objects.of("Gateway");
    for (gateway, certificate) in gateways.flat_map(|g| render.objects.of("Certificate").map(move |c| (g, c))) {
        if certificate.wave() < gateway.wave() && !gateway.name().contains("waypoint") {
            faults.push(format!("{certificate} may wait for {gateway}, through which it is proven whose the name is"));
        }
    }
    faults
}

/// What runs before a release's other objects are there, Helm has to make before them, too.
pub(super) fn hooks_bring_what_they_need(render: &Render<'_>) -> Faults {
    let weight = |object: &Object| object.text("/metadata/annotations/helm.sh~1hook-weight").parse().unwrap_or(0);
    let mut faults = Faults::new();
    for owner in render.objects.iter().filter(|object| object.hook().is_some() && !is_test(object)) {
        for needed in needs(render.objects, owner) {
            if needed.hook() != owner.hook() || weight(needed) >= weight(owner) {
                faults.push(format!("{owner}: Helm doesn't make {needed} before it"));
            }
        }
    }
    faults
}

/// Where taking something out of Git would take away more than was meant, or a change in it would never arrive.
pub(in super::super) fn careless(application: &Object) -> Faults {
    let mut faults = Faults::new();
    let is_set = application.kind() == "ApplicationSet";
    if is_set && application.at("/spec/syncPolicy/preserveResourcesOnDeletion") != &Value::Bool(true) {
        faults.push(format!("{application}: an environment that is taken out of it is deleted with all that is in it"));
    }
    if !application.list("/metadata/finalizers").is_empty() {
        faults.push(format!("{application}: to delete it deletes all that it has made"));
    }
    let ignored = application.list("/spec/template/spec/ignoreDifferences").iter();
    if ignored.flat_map(|ignored| ignored.list("/jsonPointers")).any(|pointer| pointer == "/spec/replicas") {
        faults.push(format!("{application}: a change of `replicas` never arrives"));
    }
    faults
}

/// Kinds and namespaces that a project allows.
pub(in super::super) fn allowed(project: &Object) -> (BTreeSet<(String, String)>, BTreeSet<String>) {
    let kinds = project.list("/spec/namespaceResourceWhitelist").iter();
    let kinds = kinds.map(|kind| (kind.text("/group").to_owned(), kind.text("/kind").to_owned()));
    let namespaces = project.list("/spec/destinations").iter().map(|to| to.text("/namespace").to_owned());
    (kinds.collect(), namespaces.collect())
}

/// Paths and value files that an Application, or a set of them, names and `root` hasn't got; and clusters that the
/// project doesn't allow.
pub(in super::super) fn astray(application: &Object, project: &Object, root: &Path) -> Faults {
    let generators = application.list("/spec/generators").iter();
    let mut environments: Vec<&Value> = generators.flat_map(|generator| generator.list("/list/elements")).collect();
    if environments.is_empty() {
        environments.push(&Value::Null);
    }
    let spec =
        if application.has("/spec/template") { application.at("/spec/template/spec") } else { application.at("/spec") };
    let sources: Vec<&Value> =
        spec.list("/sources").iter().chain([spec.at("/source")].into_iter().filter(|s| s.is_object())).collect();
    let mut faults = Faults::new();
    for environment in environments {
        for source in &sources {
            let path = root.join(source.text("/path"));
            let values = source.list("/helm/valueFiles").iter().filter_map(Value::as_str);
            let files = values.map(|file| path.join(file.replace("{{ .env }}", environment.text("/env"))));
            for missing in files.chain([path.clone()]).filter(|path| !path.exists()) {
                faults.push(format!("{application}: there is no {}", missing.display()));
            }
        }
        let cluster = environment.at("/cluster");
        if !cluster.is_null() && !project.list("/spec/destinations").iter().any(|to| to.at("/server") == cluster) {
            faults.push(format!("{application}: the AppProject doesn't list {cluster}"));
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
    fn what_the_project_does_not_list_is_found() {
        let good = json!([{ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "x", "namespace": "user" } }]);
        shown_to_fail(the_project_allows_it, &good, "/0/kind", json!("Pod"), "doesn't list (\"\", \"Pod\")");
        shown_to_fail(the_project_allows_it, &good, "/0/apiVersion", json!("x.y/v1"), "doesn't list");
        shown_to_fail(the_project_allows_it, &good, "/0/metadata/namespace", json!("other"), "its namespace");
    }

    /// A job that needs an account, and a gateway with its certificate.
    fn scene() -> Value {
        let placed = |kind: &str, name: &str, wave: &str, weight: &str| {
            let annotations = json!({
                "argocd.argoproj.io/sync-wave": wave, "helm.sh/hook": "pre-install", "helm.sh/hook-weight": weight
            });
            json!({ "kind": kind, "metadata": { "name": name, "namespace": "user", "annotations": annotations } })
        };
        let mut job = placed("Job", "migrate", "-1", "0");
        job["spec"] = json!({ "template": { "spec": { "serviceAccountName": "migrate" } } });
        json!([
            job,
            placed("ServiceAccount", "migrate", "-3", "-10"),
            placed("Deployment", "x", "0", ""),
            placed("Gateway", "door", "1", ""),
            placed("Certificate", "tls", "1", "")
        ])
    }

    #[test]
    fn who_comes_before_what_it_waits_for_is_found() {
        let wave = |n: usize| format!("/{n}/metadata/annotations/argocd.argoproj.io~1sync-wave");
        let rule = waves_are_in_order;
        shown_to_fail(rule, &scene(), &wave(1), json!("-1"), "comes before ServiceAccount");
        shown_to_fail(rule, &scene(), &wave(2), json!("-1"), "comes before Job");
        shown_to_fail(rule, &scene(), &wave(4), json!("-2"), "may wait for Gateway");
    }

    #[test]
    fn a_hook_without_what_it_needs_is_found() {
        let rule = hooks_bring_what_they_need;
        shown_to_fail(rule, &scene(), "/1/metadata/annotations", json!({}), "doesn't make ServiceAccount");
        shown_to_fail(rule, &scene(), "/1/metadata/annotations/helm.sh~1hook-weight", json!("0"), "doesn't make");
    }

    #[test]
    fn what_deletes_or_ignores_more_than_is_meant_is_found() {
        let found = |object: Value| careless(&serde_json::from_value(object).unwrap()).join("\n");
        let set = |preserve: bool, pointer: &str| {
            json!({ "kind": "ApplicationSet", "spec": {
                "syncPolicy": { "preserveResourcesOnDeletion": preserve },
                "template": { "spec": { "ignoreDifferences": [{ "jsonPointers": [pointer] }] } }
            } })
        };
        assert_eq!(found(set(true, "/spec/selector")), "");
        assert!(found(set(false, "/spec/selector")).contains("is deleted with all"));
        assert!(found(set(true, "/spec/replicas")).contains("never arrives"));
        assert!(found(json!({ "kind": "Application", "metadata": { "finalizers": ["x"] } })).contains("deletes all"));
    }

    #[test]
    fn an_application_of_nothing_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let project: Object =
            serde_json::from_value(json!({ "spec": { "destinations": [{ "server": "a" }] } })).unwrap();
        let faults = |path: &str, file: &str, cluster: &str| {
            let set = json!({ "spec": {
                "generators": [{ "list": { "elements": [{ "env": "lib", "cluster": cluster }] } }],
                "template": { "spec": { "sources": [{ "path": path, "helm": { "valueFiles": [file] } }] } }
            } });
            astray(&serde_json::from_value(set).unwrap(), &project, root).len()
        };
        assert_eq!(faults("src", "main.rs", "a"), 0);
        assert_eq!(faults("src", "{{ .env }}.rs", "a"), 1);
        assert_eq!(faults("source", "main.rs", "a"), 2);
        assert_eq!(faults("src", "main.rs", "b"), 1);
    }
}
