//! Whatever an object names is there, and there once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::object::{Object, Objects, Reach as _};
use super::{Faults, Render, destinations, service_of};

pub(super) fn names_are_unique(render: &Render<'_>) -> Faults {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for object in render.objects.iter() {
        *seen.entry(format!("{object} ({})", object.group())).or_default() += 1;
    }
    seen.into_iter()
        .filter(|(_, times)| *times > 1)
        .map(|(name, times)| format!("{name} is there {times} times"))
        .collect()
}

/// Of services, budgets and the mesh's policies. A network policy may be about several workloads.
pub(super) fn selectors_find_one_workload(render: &Render<'_>) -> Faults {
    let selectors = [
        ("Service", "/spec/selector"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("AuthorizationPolicy", "/spec/selector/matchLabels"),
        ("PeerAuthentication", "/spec/selector/matchLabels"),
    ];
    let chosen = selectors.iter().flat_map(|(kind, pointer)| render.objects.of(kind).map(move |o| (o, *pointer)));
    chosen
        .filter(|(object, pointer)| object.has(pointer))
        .map(|(object, pointer)| (object, render.objects.selected(object.namespace(), object.at(pointer)).len()))
        .filter(|(_, found)| *found != 1)
        .map(|(object, found)| format!("{object} finds {found} workloads"))
        .collect()
}

pub(super) fn ports_are_there(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for service in render.objects.of("Service") {
        for workload in render.objects.selected(service.namespace(), service.at("/spec/selector")) {
            for port in service.list("/spec/ports") {
                let wanted = port.at("/targetPort");
                let has = |port: &Value| port.at("/name") == wanted || port.at("/containerPort") == wanted;
                if !containers(workload).flat_map(|c| c.list("/ports")).any(has) {
                    faults.push(format!("{service}: {workload} has no port {wanted}"));
                }
            }
        }
    }
    faults
}

/// Configuration, secrets and an account.
pub(super) fn pods_have_what_they_need(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    let external = render.values.text("/secrets/source") == "external";
    for owner in render.objects.iter() {
        let Some(pod) = owner.pod() else { continue };
        let account = pod.text("/spec/serviceAccountName");
        if render.objects.find("ServiceAccount", owner.namespace(), account).is_none() {
            faults.push(format!("{owner}: there is no ServiceAccount {account}"));
        }
        let read = containers(owner).flat_map(|c| c.list("/envFrom")).map(|from| from.text("/configMapRef/name"));
        let mounted = pod.list("/spec/volumes").iter().filter(|volume| volume.has("/configMap"));
        for config in read.chain(mounted.map(|volume| volume.text("/configMap/name"))) {
            if render.objects.find("ConfigMap", owner.namespace(), config).is_none() {
                faults.push(format!("{owner}: there is no ConfigMap {config}"));
            }
        }
        // Who travels in a test is nobody of the services'.
        if external && owner.hook() != Some("test") {
            faults.extend(missing_secrets(render.objects, owner, pod));
        }
    }
    faults
}

fn missing_secrets(objects: &Objects, owner: &Object, pod: &Value) -> Faults {
    let mut faults = Faults::new();
    for source in pod.list("/spec/volumes").iter().flat_map(|volume| volume.list("/projected/sources")) {
        let name = source.text("/secret/name");
        let mut makers = objects
            .of("ExternalSecret")
            .filter(|maker| maker.namespace() == owner.namespace() && maker.text("/spec/target/name") == name);
        let (Some(maker), None) = (makers.next(), makers.next()) else {
            faults.push(format!("{owner}: the secret {name} isn't made exactly once"));
            continue;
        };
        for key in source.list("/secret/items").iter().map(|item| item.text("/key")) {
            if !maker.list("/spec/data").iter().any(|made| made.text("/secretKey") == key) {
                faults.push(format!("{owner}: the secret {name} has no {key}"));
            }
        }
    }
    faults
}

pub(super) fn routes_lead_to_services(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for to in destinations(render.objects) {
        let service = render.objects.find("Service", to.namespace, to.service);
        let is_there = |port: &Value| port.at("/port") == to.port || port.at("/name") == to.port;
        if !service.is_some_and(|service| service.list("/spec/ports").iter().any(is_there)) {
            faults.push(format!("{}: there is no {}.{}:{}", to.route, to.service, to.namespace, to.port));
        }
    }
    for rule in render.objects.of("DestinationRule") {
        let (name, namespace) = service_of(rule.text("/spec/host"), rule.namespace());
        if render.objects.find("Service", namespace, name).is_none() {
            faults.push(format!("{rule}: there is no Service {namespace}/{name}"));
        }
    }
    faults
}

pub(super) fn routes_hang_on_a_gateway(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for route in render.objects.of("VirtualService") {
        for gateway in route.list("/spec/gateways").iter().filter_map(Value::as_str) {
            let Some(gateway) = render.objects.find("Gateway", route.namespace(), gateway) else {
                faults.push(format!("{route}: there is no Gateway {gateway}"));
                continue;
            };
            let open: Vec<&Value> = gateway.list("/spec/servers").iter().flat_map(|s| s.list("/hosts")).collect();
            for host in route.list("/spec/hosts").iter().filter(|host| !open.contains(host)) {
                faults.push(format!("{route}: {gateway} does not listen for {host}"));
            }
        }
    }
    for route in render.objects.of("HTTPRoute") {
        for parent in route.list("/spec/parentRefs") {
            let namespace = parent.at("/namespace").as_str().unwrap_or(route.namespace());
            let gateway = render.objects.find("Gateway", namespace, parent.text("/name"));
            let has = |gateway: &Object| {
                gateway.list("/spec/listeners").iter().any(|l| l.at("/name") == parent.at("/sectionName"))
            };
            if !gateway.is_some_and(has) {
                faults.push(format!("{route}: there is no listener for {parent}"));
            }
        }
    }
    faults
}

pub(super) fn policies_name_services(render: &Render<'_>) -> Faults {
    let policies = ["AuthorizationPolicy", "RequestAuthentication"];
    let targets = policies
        .iter()
        .flat_map(|kind| render.objects.of(kind))
        .flat_map(|policy| policy.list("/spec/targetRefs").iter().map(move |target| (policy, target)));
    targets
        .filter(|(policy, target)| {
            render.objects.find(target.text("/kind"), policy.namespace(), target.text("/name")).is_none()
        })
        .map(|(policy, target)| format!("{policy}: there is no {target}"))
        .collect()
}

pub(super) fn scalers_have_a_workload(render: &Render<'_>) -> Faults {
    let scalers = ["HorizontalPodAutoscaler", "ScaledObject"];
    let scalers = scalers.iter().flat_map(|kind| render.objects.of(kind));
    scalers
        .filter(|scaler| {
            let target = scaler.at("/spec/scaleTargetRef");
            let found = render.objects.find(target.text("/kind"), scaler.namespace(), target.text("/name"));
            found.is_none_or(|found| found.at("/apiVersion") != target.at("/apiVersion"))
        })
        .map(|scaler| format!("{scaler}: there is no {}", scaler.at("/spec/scaleTargetRef")))
        .collect()
}

/// And the analyses, and the routes whose weights they set.
pub(super) fn rollouts_have_their_services(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for rollout in render.objects.of("Rollout") {
        let strategies = [rollout.at("/spec/strategy/blueGreen"), rollout.at("/spec/strategy/canary")];
        for strategy in strategies {
            for field in ["/activeService", "/previewService", "/stableService", "/canaryService"] {
                let name = strategy.text(field);
                if strategy.has(field) && render.objects.find("Service", rollout.namespace(), name).is_none() {
                    faults.push(format!("{rollout}: there is no Service {name}"));
                }
            }
            let steps = strategy.list("/steps").iter().map(|step| step.at("/analysis"));
            let analyses = [strategy.at("/prePromotionAnalysis"), strategy.at("/postPromotionAnalysis")];
            for template in steps.chain(analyses).flat_map(|analysis| analysis.list("/templates")) {
                let name = template.text("/templateName");
                if render.objects.find("AnalysisTemplate", rollout.namespace(), name).is_none() {
                    faults.push(format!("{rollout}: there is no AnalysisTemplate {name}"));
                }
            }
        }
        faults.extend(wrong_weights(render.objects, rollout));
    }
    faults
}

/// Argo Rollouts refuses a route that hasn't got both services as its two destinations.
fn wrong_weights(objects: &Objects, rollout: &Object) -> Faults {
    let mut faults = Faults::new();
    let canary = rollout.at("/spec/strategy/canary");
    let services = [canary.text("/stableService"), canary.text("/canaryService")];
    let mesh = canary.at("/trafficRouting/istio/virtualService");
    if mesh.has("/name") {
        let (name, namespace) = service_of(mesh.text("/name"), rollout.namespace());
        let routes = objects.find("VirtualService", namespace, name).map_or(&[][..], |o| o.list("/spec/http"));
        for wanted in mesh.list("/routes") {
            let hosts = routes.iter().find(|route| route.at("/name") == wanted).map(|route| {
                let hosts = route.list("/route").iter().map(|to| to.text("/destination/host"));
                hosts.map(|host| service_of(host, namespace).0).collect::<Vec<_>>()
            });
            if hosts.as_deref() != Some(&services) {
                faults.push(format!("{rollout}: route {wanted} doesn't lead to both its services"));
            }
        }
    }
    let plugin = canary.at("/trafficRouting/plugins/argoproj-labs~1gatewayAPI");
    if plugin.has("/httpRoute") {
        let route = objects.find("HTTPRoute", plugin.text("/namespace"), plugin.text("/httpRoute"));
        let leads = |rule: &Value| rule.list("/backendRefs").iter().map(|to| to.text("/name")).eq(services);
        if !route.is_some_and(|route| route.list("/spec/rules").iter().all(leads)) {
            faults.push(format!("{rollout}: its HTTPRoute doesn't lead to both its services"));
        }
    }
    if rollout.has("/spec/strategy/canary") && !canary.has("/trafficRouting") {
        faults.push(format!("{rollout}: nobody gives its canary a share of the requests"));
    }
    faults
}

/// Where we make stores, every secret comes from one of them, and the store's account is there.
pub(super) fn secrets_have_a_store(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    if render.values.at("/secrets/external/createStore") == &json!(false) {
        return faults;
    }
    for secret in render.objects.of("ExternalSecret") {
        let name = secret.text("/spec/secretStoreRef/name");
        let Some(store) = render.objects.find("SecretStore", secret.namespace(), name) else {
            faults.push(format!("{secret}: there is no SecretStore {name}"));
            continue;
        };
        let hook = "/metadata/annotations/helm.sh~1hook";
        if secret.at(hook) != store.at(hook) {
            faults.push(format!("{secret}: Helm makes {store} at another time"));
        }
        let account = store.text("/spec/provider/aws/auth/jwt/serviceAccountRef/name");
        if render.objects.find("ServiceAccount", store.namespace(), account).is_none() {
            faults.push(format!("{store}: there is no ServiceAccount {account}"));
        }
    }
    faults
}

fn containers(owner: &Object) -> impl Iterator<Item = &Value> {
    owner.pod().into_iter().flat_map(|pod| pod.list("/spec/containers"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{judged, shown_to_fail};
    use super::*;

    /// A service, its workload, and who refers to them.
    fn scene() -> Value {
        json!([
            {
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
                "metadata": { "name": "x-rollout", "namespace": "user" },
                "spec": {
                    "strategy": { "canary": {
                        "stableService": "x-active", "canaryService": "x-preview",
                        "stableMetadata": { "labels": { "role": "active" } },
                        "steps": [{ "analysis": { "templates": [{ "templateName": "a" }] } }],
                        "trafficRouting": { "istio": { "virtualService": { "name": "vs.user", "routes": ["x"] } } }
                    } },
                    "template": {
                        "metadata": { "labels": { "app": "x" } },
                        "spec": {
                            "serviceAccountName": "x",
                            "containers": [{
                                "ports": [{ "name": "http", "containerPort": 5001 }],
                                "envFrom": [{ "configMapRef": { "name": "config" } }]
                            }]
                        }
                    }
                }
            },
            { "kind": "Service", "metadata": { "name": "x-active", "namespace": "user" },
              "spec": { "selector": { "app": "x", "role": "active" }, "ports": [{ "name": "http", "port": 5001, "targetPort": "http" }] } },
            { "kind": "Service", "metadata": { "name": "x-preview", "namespace": "user" },
              "spec": { "selector": { "app": "x" }, "ports": [{ "port": 5001, "targetPort": 5001 }] } },
            { "kind": "VirtualService", "metadata": { "name": "vs", "namespace": "user" },
              "spec": { "hosts": ["api"], "gateways": ["door"], "http": [{ "name": "x", "route": [
                  { "destination": { "host": "x-active.user.svc.cluster.local", "port": { "number": 5001 } } },
                  { "destination": { "host": "x-preview", "port": { "number": 5001 } }, "weight": 0 }
              ] }] } },
            { "kind": "Gateway", "metadata": { "name": "door", "namespace": "user" },
              "spec": { "servers": [{ "hosts": ["api"] }], "listeners": [{ "name": "https" }] } },
            { "kind": "ServiceAccount", "metadata": { "name": "x", "namespace": "user" } },
            { "kind": "ConfigMap", "metadata": { "name": "config", "namespace": "user" } },
            { "kind": "AnalysisTemplate", "metadata": { "name": "a", "namespace": "user" } },
            { "kind": "HorizontalPodAutoscaler", "metadata": { "name": "x", "namespace": "user" },
              "spec": { "scaleTargetRef": { "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "x-rollout" } } },
            { "kind": "AuthorizationPolicy", "metadata": { "name": "x", "namespace": "user" },
              "spec": { "targetRefs": [{ "kind": "Service", "name": "x-active" }] } },
            { "kind": "HTTPRoute", "metadata": { "name": "x", "namespace": "user" },
              "spec": { "parentRefs": [{ "name": "door", "sectionName": "https" }], "rules": [] } },
            { "kind": "DestinationRule", "metadata": { "name": "x", "namespace": "user" }, "spec": { "host": "x-active" } }
        ])
    }

    #[test]
    fn a_name_given_twice_is_found() {
        shown_to_fail(names_are_unique, &scene(), "/2/metadata/name", json!("x-active"), "2 times");
    }

    #[test]
    fn a_selector_that_finds_nothing_is_found() {
        let rule = selectors_find_one_workload;
        shown_to_fail(rule, &scene(), "/1/spec/selector/app", json!("y"), "finds 0 workloads");
        shown_to_fail(rule, &scene(), "/1/spec/selector/role", json!("old"), "finds 0 workloads");
    }

    #[test]
    fn a_port_that_leads_nowhere_is_found() {
        shown_to_fail(ports_are_there, &scene(), "/1/spec/ports/0/targetPort", json!("htpp"), "no port");
    }

    #[test]
    fn what_a_pod_lacks_is_found() {
        let rule = pods_have_what_they_need;
        shown_to_fail(rule, &scene(), "/5/metadata/namespace", json!("admin"), "no ServiceAccount x");
        shown_to_fail(rule, &scene(), "/6/metadata/name", json!("other"), "no ConfigMap config");
    }

    #[test]
    fn a_secret_that_nobody_makes_or_that_lacks_a_key_is_found() {
        let scene = |made: &str, key: &str| {
            json!([
                { "kind": "Job", "metadata": { "name": "j", "namespace": "user" }, "spec": { "template": { "spec": {
                    "serviceAccountName": "j", "volumes": [{ "projected": { "sources": [
                        { "secret": { "name": "s", "items": [{ "key": "K" }] } }
                    ] } }]
                } } } },
                { "kind": "ServiceAccount", "metadata": { "name": "j", "namespace": "user" } },
                { "kind": "ExternalSecret", "metadata": { "name": "s", "namespace": "user" },
                  "spec": { "target": { "name": made }, "data": [{ "secretKey": key }] } }
            ])
        };
        let values = json!({ "secrets": { "source": "external" } });
        let found = |made, key| judged(pods_have_what_they_need, scene(made, key), &values).join("\n");
        assert_eq!(found("s", "K"), "");
        assert!(found("t", "K").contains("isn't made exactly once"));
        assert!(found("s", "L").contains("has no K"));
    }

    #[test]
    fn files_that_nobody_brings_are_found() {
        let good = json!([
            { "kind": "ServiceAccount", "metadata": { "name": "j", "namespace": "user" } },
            { "kind": "ConfigMap", "metadata": { "name": "files", "namespace": "user" } },
            { "kind": "Job", "metadata": { "name": "j", "namespace": "user" }, "spec": { "template": { "spec": {
                "serviceAccountName": "j", "volumes": [{ "configMap": { "name": "files" } }]
            } } } }
        ]);
        let changed = json!("others");
        shown_to_fail(pods_have_what_they_need, &good, "/1/metadata/name", changed, "there is no ConfigMap files");
    }

    #[test]
    fn a_route_to_nowhere_is_found() {
        let rule = routes_lead_to_services;
        let to = "/3/spec/http/0/route/0/destination";
        shown_to_fail(rule, &scene(), &format!("{to}/host"), json!("x-active.admin.svc.cluster.local"), "there is no");
        shown_to_fail(rule, &scene(), &format!("{to}/port/number"), json!(80), "there is no");
        shown_to_fail(rule, &scene(), "/11/spec/host", json!("x"), "there is no Service user/x");
    }

    #[test]
    fn a_route_without_a_gateway_is_found() {
        let rule = routes_hang_on_a_gateway;
        shown_to_fail(rule, &scene(), "/3/spec/gateways/0", json!("window"), "no Gateway window");
        shown_to_fail(rule, &scene(), "/3/spec/hosts/0", json!("www"), "does not listen");
        shown_to_fail(rule, &scene(), "/10/spec/parentRefs/0/sectionName", json!("http"), "no listener");
    }

    #[test]
    fn a_policy_for_nobody_is_found() {
        shown_to_fail(policies_name_services, &scene(), "/9/spec/targetRefs/0/name", json!("x"), "there is no");
    }

    #[test]
    fn a_scaler_without_a_workload_is_found() {
        let rule = scalers_have_a_workload;
        shown_to_fail(rule, &scene(), "/8/spec/scaleTargetRef/kind", json!("Deployment"), "there is no");
        shown_to_fail(rule, &scene(), "/8/spec/scaleTargetRef/apiVersion", json!("apps/v1"), "there is no");
    }

    #[test]
    fn a_rollout_without_its_services_is_found() {
        let rule = rollouts_have_their_services;
        let canary = "/0/spec/strategy/canary";
        shown_to_fail(rule, &scene(), &format!("{canary}/canaryService"), json!("y"), "no Service y");
        shown_to_fail(rule, &scene(), "/7/metadata/name", json!("b"), "no AnalysisTemplate a");
        shown_to_fail(rule, &scene(), "/3/spec/http/0/name", json!("y"), "both its services");
        shown_to_fail(rule, &scene(), &format!("{canary}/trafficRouting"), Value::Null, "a share");
    }

    #[test]
    fn a_secret_without_a_store_is_found() {
        let good = json!([
            { "kind": "ExternalSecret", "metadata": { "name": "s", "namespace": "user", "annotations": {} },
              "spec": { "secretStoreRef": { "name": "store" } } },
            { "kind": "SecretStore", "metadata": { "name": "store", "namespace": "user" },
              "spec": { "provider": { "aws": { "auth": { "jwt": { "serviceAccountRef": { "name": "a" } } } } } } },
            { "kind": "ServiceAccount", "metadata": { "name": "a", "namespace": "user" } }
        ]);
        let rule = secrets_have_a_store;
        shown_to_fail(rule, &good, "/1/metadata/name", json!("shop"), "no SecretStore store");
        shown_to_fail(rule, &good, "/2/metadata/name", json!("b"), "no ServiceAccount a");
        let hook = json!({ "helm.sh/hook": "pre-install" });
        shown_to_fail(rule, &good, "/0/metadata/annotations", hook, "at another time");
    }
}
