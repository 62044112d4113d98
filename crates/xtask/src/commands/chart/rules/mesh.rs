//! How the world's requests come in, and who may send what inside.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::object::{Object, Objects, Reach as _};
use super::{Faults, Render, destinations, service_of, settings, told};

/// Whatever gets requests is the service that Argo Rollouts points to the promoted version.
pub(super) fn the_world_reaches_promoted_versions(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for to in destinations(render.objects).into_iter().filter(|to| to.weight > 0) {
        let selector = render.objects.find("Service", to.namespace, to.service).map(|s| s.at("/spec/selector"));
        let workloads = selector.map(|selector| render.objects.selected(to.namespace, selector)).unwrap_or_default();
        for workload in workloads.into_iter().filter(|workload| workload.kind() == "Rollout") {
            let promoted = ["blueGreen/activeService", "canary/stableService"]
                .map(|f| workload.text(&format!("/spec/strategy/{f}")));
            if !promoted.contains(&to.service) {
                faults.push(format!("{} sends requests to {}, which may find another version", to.route, to.service));
            }
        }
    }
    faults
}

pub(super) fn origins_are_exact(render: &Render<'_>) -> Faults {
    let rules =
        render.objects.of("VirtualService").flat_map(|o| o.list("/spec/http").iter().map(move |rule| (o, rule)));
    let origins =
        rules.flat_map(|(o, rule)| rule.list("/corsPolicy/allowOrigins").iter().map(move |origin| (o, origin)));
    let in_mesh = origins
        .filter(|(_, origin)| !origin.has("/exact") || origin.text("/exact").contains('*'))
        .map(|(object, origin)| format!("{object} lets in {origin}"));
    let in_services = render
        .objects
        .workloads()
        .filter(|workload| told(render.objects, workload, "CORS_ALLOWED_ORIGINS").is_some_and(|all| all.contains('*')))
        .map(|workload| format!("{workload} lets in everybody"));
    in_mesh.chain(in_services).collect()
}

pub(super) fn http_is_sent_to_https(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for gateway in render.objects.of("Gateway") {
        let plain = |server: &&Value| server.text("/port/protocol") == "HTTP";
        for server in gateway.list("/spec/servers").iter().filter(plain) {
            if server.at("/tls/httpsRedirect") != &json!(true) {
                faults.push(format!("{gateway} answers without TLS"));
            }
        }
        for listener in gateway.list("/spec/listeners").iter().filter(|l| l.text("/protocol") == "HTTP") {
            if !is_redirected(render.objects, gateway, listener) {
                faults.push(format!("{gateway}: nobody sends {} to https", listener.text("/name")));
            }
        }
    }
    faults
}

/// Whether all that hangs on a listener redirects, and something does.
fn is_redirected(objects: &Objects, gateway: &Object, listener: &Value) -> bool {
    let hangs_on = |route: &&Object| {
        route.list("/spec/parentRefs").iter().any(|parent| {
            let names_it = parent.text("/name") == gateway.name();
            names_it && (!parent.has("/sectionName") || parent.at("/sectionName") == listener.at("/name"))
        })
    };
    let redirects = |route: &Object| {
        route
            .list("/spec/rules")
            .iter()
            .all(|rule| rule.list("/filters").iter().any(|filter| filter.text("/requestRedirect/scheme") == "https"))
    };
    let mut routes = objects.of("HTTPRoute").filter(hangs_on).peekable();
    routes.peek().is_some() && routes.all(redirects)
}

/// In a mesh: everything is refused but what one policy of its own allows, and nothing goes unencrypted.
pub(super) fn workloads_have_policies(render: &Render<'_>) -> Faults {
    if render.values.text("/mesh/mode") == "none" {
        return Faults::new();
    }
    let mut faults = Faults::new();
    for workload in render.objects.workloads() {
        let here = |object: &&Object| object.namespace() == workload.namespace();
        if !render.objects.of("AuthorizationPolicy").filter(here).any(|policy| policy.at("/spec") == &json!({})) {
            faults.push(format!("{workload}: nothing is refused by default"));
        }
        let strict = |object: &Object| !object.has("/spec/selector") && object.text("/spec/mtls/mode") == "STRICT";
        if !render.objects.of("PeerAuthentication").filter(here).any(strict) {
            faults.push(format!("{workload}: it may be spoken to without TLS"));
        }
        let is_about = |policy: &&Object| {
            let selector = policy.at("/spec/selector/matchLabels");
            render.objects.selected(policy.namespace(), selector).iter().any(|found| std::ptr::eq(*found, workload))
        };
        let mut own = render.objects.of("AuthorizationPolicy").filter(here).filter(is_about).peekable();
        if own.peek().is_none() {
            faults.push(format!("{workload}: nobody is allowed to call it"));
        }
        for rule in own.flat_map(|policy| policy.list("/spec/rules")) {
            let is_internal = |to: &Value| {
                let ports: Vec<_> = to.list("/operation/ports").iter().filter_map(Value::as_str).collect();
                ports.len() == 1 && internal_port(workload).as_deref() == ports.first().copied()
            };
            let to = rule.list("/to");
            if !rule.has("/from") && (to.is_empty() || !to.iter().all(is_internal)) {
                faults.push(format!("{workload}: anybody may call {}", rule.at("/to")));
            }
        }
    }
    faults
}

/// In an ambient mesh a pod's own policy sees connections: what it says of requests refuses all of them.
pub(super) fn requests_are_judged_where_they_are_read(render: &Render<'_>) -> Faults {
    if render.values.text("/mesh/mode") == "sidecar" {
        return Faults::new();
    }
    let at_pods = |policy: &&Object| !policy.has("/spec/targetRefs");
    let tokens = render
        .objects
        .of("RequestAuthentication")
        .filter(at_pods)
        .map(|policy| format!("{policy}: nobody reads tokens"));
    let policies = render.objects.of("AuthorizationPolicy").filter(at_pods);
    let rules = policies.flat_map(|policy| policy.list("/spec/rules").iter().map(move |rule| (policy, rule)));
    let requests = rules
        .flat_map(|(policy, rule)| rule.list("/to").iter().map(move |to| (policy, to)))
        .filter(|(_, to)| to.entries("/operation").any(|(key, _)| key != "ports"))
        .map(|(policy, to)| format!("{policy}: nobody reads {to}"));
    tokens.chain(requests).collect()
}

fn internal_port(workload: &Object) -> Option<String> {
    let containers = workload.pod()?.list("/spec/containers").iter();
    let mut ports = containers.flat_map(|container| container.list("/ports"));
    ports.find(|port| port.text("/name") == "internal").map(|port| port.number("/containerPort").to_string())
}

/// The mesh sends every path where the gateway program would, short ones and all.
pub(super) fn routes_are_the_gateways(render: &Render<'_>) -> Faults {
    let found: BTreeMap<String, (String, String)> =
        istio_routes(render.objects).chain(api_routes(render.objects)).collect();
    if found.is_empty() {
        return Faults::new();
    }
    let on: Vec<&str> = render.objects.workloads().map(|o| o.name().trim_end_matches("-rollout")).collect();
    let mut faults = Faults::new();
    for (path, to) in render.project.routes.iter().filter(|(_, (service, _))| on.contains(&service.as_str())) {
        if found.get(path) != Some(to) {
            faults.push(format!("{path} leads to {:?}, and in the gateway program to {to:?}", found.get(path)));
        }
    }
    let unknown = found.keys().filter(|path| !render.project.routes.contains_key(*path));
    faults.extend(unknown.map(|path| format!("the gateway program has no {path}")));
    faults
}

/// Unless a Gateway says otherwise, Istio gives its labels to the proxy's pods, and policies about ours would be about them.
pub(super) fn gateways_keep_their_labels(render: &Render<'_>) -> Faults {
    let gateways = render.objects.of("Gateway").filter(|gateway| gateway.group() == "gateway.networking.k8s.io");
    gateways
        .filter(|gateway| {
            let labels = gateway.at("/spec/infrastructure/labels");
            labels.as_object().is_none_or(|labels| labels.contains_key("app.kubernetes.io/name"))
        })
        .map(|gateway| format!("{gateway}: its pods look like ours"))
        .collect()
}

/// What a proxy answers by itself is read by the same clients: its gateway, and in front of every pod.
pub(super) fn refusals_are_json(render: &Render<'_>) -> Faults {
    let mode = render.values.text("/mesh/mode");
    if !render.values.at("/mesh/jsonRefusals").as_bool().unwrap_or_default() || mode == "none" {
        return Faults::new();
    }
    let patched = |namespace: &str, context: &str| {
        let filters = render.objects.of("EnvoyFilter").filter(|filter| filter.namespace() == namespace);
        let mut patches = filters.flat_map(|filter| filter.list("/spec/configPatches"));
        patches.any(|patch| {
            let format = patch.at("/patch/value/typed_config/local_reply_config/body_format/json_format");
            patch.text("/match/context") == context && format.has("/message") && format.has("/status")
        })
    };
    let door = render.values.text("/mesh/gateway/namespace");
    let mut places = BTreeSet::from([(door, "GATEWAY")]);
    if mode == "sidecar" {
        places.extend(render.objects.workloads().map(|workload| (workload.namespace(), "SIDECAR_INBOUND")));
    }
    let silent = places.into_iter().filter(|(namespace, context)| !patched(namespace, context));
    silent.map(|(namespace, context)| format!("{context} in {namespace} refuses in words of its own")).collect()
}

/// Settings that name whom a service calls.
const CALLED: [&str; 4] = ["DB_HOST", "REDIS_HOST", "BOOTPAY_API_URL", "NEWS_URL"];

/// Where the mesh stops calls to addresses that it doesn't know, it knows all that a service is told to call.
pub(super) fn the_mesh_knows_what_is_outside(render: &Render<'_>) -> Faults {
    if render.values.text("/mesh/outbound") != "registered" {
        return Faults::new();
    }
    let mut faults = Faults::new();
    for workload in render.objects.workloads() {
        let known = |host: &str| {
            let entries = render.objects.of("ServiceEntry").filter(|entry| entry.namespace() == workload.namespace());
            entries.into_iter().any(|entry| entry.list("/spec/hosts").iter().any(|known| known == host))
        };
        for setting in render.project.settings.iter().filter(|setting| CALLED.contains(&setting.env.as_str())) {
            if settings::program(workload).is_none_or(|program| !setting.readers.contains(program)) {
                continue;
            }
            let host = told(render.objects, workload, &setting.env).map(host_of).unwrap_or_default();
            if host.contains('.') && !host.ends_with(".svc.cluster.local") && !known(host) {
                faults.push(format!("{workload}: {host} of {} is unknown to the mesh", setting.env));
            }
        }
    }
    faults
}

/// Of a host, or of the address of something on it.
fn host_of(address: &str) -> &str {
    let behind_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    behind_scheme.split(['/', ':']).next().unwrap_or_default()
}

type Route = (String, (String, String));

fn istio_routes(objects: &Objects) -> impl Iterator<Item = Route> {
    let rules = objects.of("VirtualService").flat_map(|service| service.list("/spec/http"));
    rules.filter(|rule| rule.has("/match/0/uri/exact")).map(|rule| {
        let path = rule.text("/match/0/uri/exact");
        let target = rule.at("/rewrite/uri").as_str().unwrap_or(path);
        let (service, _) = service_of(rule.text("/route/0/destination/host"), "");
        route(path, service, target)
    })
}

fn api_routes(objects: &Objects) -> impl Iterator<Item = Route> {
    let rules = objects.of("HTTPRoute").flat_map(|route| route.list("/spec/rules"));
    rules.filter(|rule| rule.text("/matches/0/path/value").len() > 1).map(|rule| {
        let path = rule.text("/matches/0/path/value");
        let mut rewritten = rule.list("/filters").iter().map(|f| f.text("/urlRewrite/path/replaceFullPath"));
        let target = rewritten.find(|target| !target.is_empty()).unwrap_or(path);
        route(path, rule.text("/backendRefs/0/name"), target)
    })
}

fn route(path: &str, service: &str, target: &str) -> Route {
    (path.to_owned(), (service.trim_end_matches("-active").to_owned(), target.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{judged, shown_to_fail};
    use super::*;

    #[test]
    fn requests_for_a_version_that_was_not_promoted_are_found() {
        let good = json!([
            { "kind": "Rollout", "metadata": { "name": "x", "namespace": "user" }, "spec": {
                "strategy": { "blueGreen": { "activeService": "x-active" } },
                "template": { "metadata": { "labels": { "app": "x" } } }
            } },
            { "kind": "Service", "metadata": { "name": "x-active", "namespace": "user" }, "spec": { "selector": { "app": "x" } } },
            { "kind": "Service", "metadata": { "name": "x", "namespace": "user" }, "spec": { "selector": { "app": "x" } } },
            { "kind": "Ingress", "metadata": { "name": "i", "namespace": "user" }, "spec": { "rules": [
                { "http": { "paths": [{ "backend": { "service": { "name": "x-active" } } }] } }
            ] } }
        ]);
        let service = "/3/spec/rules/0/http/paths/0/backend/service/name";
        shown_to_fail(the_world_reaches_promoted_versions, &good, service, json!("x"), "another version");
    }

    #[test]
    fn a_wildcard_for_origins_is_found() {
        let good = json!([
            { "kind": "VirtualService", "spec": { "http": [{ "corsPolicy": { "allowOrigins": [{ "exact": "https://a.b" }] } }] } },
            { "kind": "ConfigMap", "metadata": { "name": "config" }, "data": { "CORS_ALLOWED_ORIGINS": "https://a.b" } },
            { "kind": "Deployment", "spec": { "template": { "spec": { "containers": [
                { "envFrom": [{ "configMapRef": { "name": "config" } }] }
            ] } } } }
        ]);
        let origin = "/0/spec/http/0/corsPolicy/allowOrigins/0";
        shown_to_fail(origins_are_exact, &good, origin, json!({ "regex": ".*" }), "lets in");
        shown_to_fail(origins_are_exact, &good, "/1/data/CORS_ALLOWED_ORIGINS", json!("*"), "everybody");
    }

    #[test]
    fn a_door_without_tls_is_found() {
        let good = json!([
            { "kind": "Gateway", "metadata": { "name": "a" },
              "spec": { "servers": [{ "port": { "protocol": "HTTP" }, "tls": { "httpsRedirect": true } }] } },
            { "kind": "Gateway", "metadata": { "name": "b" },
              "spec": { "listeners": [{ "name": "http", "protocol": "HTTP" }] } },
            { "kind": "HTTPRoute", "spec": {
                "parentRefs": [{ "name": "b", "sectionName": "http" }],
                "rules": [{ "filters": [{ "requestRedirect": { "scheme": "https" } }] }]
            } }
        ]);
        let rule = http_is_sent_to_https;
        shown_to_fail(rule, &good, "/0/spec/servers/0/tls/httpsRedirect", json!(false), "without TLS");
        shown_to_fail(rule, &good, "/2/spec/parentRefs/0/sectionName", json!("https"), "nobody sends http");
        shown_to_fail(rule, &good, "/2/spec/rules/0/filters", json!([]), "nobody sends http");
    }

    #[test]
    fn a_workload_that_anybody_may_call_is_found() {
        let good = json!([
            { "kind": "Deployment", "metadata": { "name": "x", "namespace": "user" }, "spec": { "template": {
                "metadata": { "labels": { "app": "x" } },
                "spec": { "containers": [{ "ports": [{ "name": "internal", "containerPort": 6001 }] }] }
            } } },
            { "kind": "AuthorizationPolicy", "metadata": { "namespace": "user" }, "spec": {} },
            { "kind": "PeerAuthentication", "metadata": { "namespace": "user" }, "spec": { "mtls": { "mode": "STRICT" } } },
            { "kind": "AuthorizationPolicy", "metadata": { "namespace": "user" }, "spec": {
                "selector": { "matchLabels": { "app": "x" } },
                "rules": [{ "from": [{}], "to": [] }, { "to": [{ "operation": { "ports": ["6001"] } }] }]
            } }
        ]);
        let rule = workloads_have_policies;
        shown_to_fail(rule, &good, "/1/spec", json!({ "rules": [{}] }), "refused by default");
        shown_to_fail(rule, &good, "/2/spec/mtls/mode", json!("PERMISSIVE"), "without TLS");
        shown_to_fail(rule, &good, "/3/spec/selector/matchLabels/app", json!("y"), "nobody is allowed");
        shown_to_fail(rule, &good, "/3/spec/rules/0/from", Value::Null, "anybody may call");
        shown_to_fail(rule, &good, "/3/spec/rules/1/to/0/operation/ports/0", json!("5001"), "anybody may call");
    }

    #[test]
    fn a_pod_that_is_to_read_requests_in_an_ambient_mesh_is_found() {
        let good = json!([
            { "kind": "AuthorizationPolicy", "spec": { "rules": [{ "to": [{ "operation": { "ports": ["5001"] } }] }] } },
            { "kind": "AuthorizationPolicy", "spec": {
                "targetRefs": [{}], "rules": [{ "to": [{ "operation": { "paths": ["/api"] } }] }]
            } },
            { "kind": "RequestAuthentication", "spec": { "targetRefs": [{}] } }
        ]);
        let rule = requests_are_judged_where_they_are_read;
        let paths = json!({ "ports": ["5001"], "paths": ["/api"] });
        shown_to_fail(rule, &good, "/0/spec/rules/0/to/0/operation", paths, "nobody reads");
        shown_to_fail(rule, &good, "/2/spec", json!({}), "nobody reads tokens");
    }

    #[test]
    fn a_gateway_whose_pods_look_like_ours_is_found() {
        let good = json!([{ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "spec": { "infrastructure": { "labels": { "app": "waypoint" } } } }]);
        let rule = gateways_keep_their_labels;
        shown_to_fail(rule, &good, "/0/spec/infrastructure", Value::Null, "look like ours");
        let ours = json!({ "app.kubernetes.io/name": "cloudjet" });
        shown_to_fail(rule, &good, "/0/spec/infrastructure/labels", ours, "look like ours");
    }

    #[test]
    fn a_proxy_that_refuses_in_its_own_words_is_found() {
        let filter = |namespace: &str, context: &str, format: Value| {
            let config = json!({ "local_reply_config": { "body_format": { "json_format": format } } });
            let patch = json!({ "match": { "context": context }, "patch": { "value": { "typed_config": config } } });
            json!({ "kind": "EnvoyFilter", "metadata": { "namespace": namespace }, "spec": { "configPatches": [patch] } })
        };
        let scene = |format: Value| {
            json!([
                { "kind": "Deployment", "metadata": { "namespace": "user" } },
                filter("door", "GATEWAY", format),
                filter("user", "SIDECAR_INBOUND", json!({ "message": "x", "status": "x" }))
            ])
        };
        let mode =
            |mode: &str| json!({ "mesh": { "mode": mode, "jsonRefusals": true, "gateway": { "namespace": "door" } } });
        let good = json!({ "message": "x", "status": "x" });
        assert_eq!(judged(refusals_are_json, scene(good.clone()), &mode("sidecar")), Faults::new());
        let found = judged(refusals_are_json, scene(json!({ "status": "x" })), &mode("ambient"));
        assert_eq!(found, ["GATEWAY in door refuses in words of its own"]);
        let mut alone = scene(good);
        alone[2] = Value::Null;
        assert_eq!(judged(refusals_are_json, alone, &mode("sidecar")).len(), 1);
    }

    #[test]
    fn an_address_that_the_mesh_would_stop_is_found() {
        let scene = |registered: &str, host: &str| {
            json!([
                { "kind": "Deployment", "metadata": { "name": "auth-service", "namespace": "user" }, "spec": { "template": {
                    "spec": { "containers": [{ "name": "auth-service", "env": [{ "name": "DB_HOST", "value": host }] }] }
                } } },
                { "kind": "ServiceEntry", "metadata": { "namespace": registered }, "spec": { "hosts": ["db.example.com"] } }
            ])
        };
        let values = json!({ "mesh": { "outbound": "registered" } });
        let found = |namespace, host| judged(the_mesh_knows_what_is_outside, scene(namespace, host), &values).len();
        assert_eq!(found("user", "db.example.com"), 0);
        assert_eq!(found("user", "mysql.data.svc.cluster.local"), 0);
        assert_eq!(found("user", "replica.example.com"), 1);
        assert_eq!(found("admin", "db.example.com"), 1);
        assert_eq!(host_of("https://x.example.com:8443/v2"), "x.example.com");
    }

    #[test]
    fn a_path_that_leads_elsewhere_than_in_the_gateway_is_found() {
        let workload = json!({ "kind": "Deployment", "metadata": { "name": "auth-service", "namespace": "user" } });
        let istio = json!([workload, { "kind": "VirtualService", "spec": { "http": [
            { "match": [{ "uri": { "exact": "/api/auth" } }],
              "route": [{ "destination": { "host": "auth-service-active.user.svc.cluster.local" } }] }
        ] } }]);
        let rule = routes_are_the_gateways;
        let exact = "/1/spec/http/0/match/0/uri/exact";
        shown_to_fail(rule, &istio, exact, json!("/api/health"), "/api/auth leads to None");
        shown_to_fail(rule, &istio, exact, json!("/api/health"), "the gateway program has no /api/health");
        let api = json!([workload, { "kind": "HTTPRoute", "spec": { "rules": [
            { "matches": [{ "path": { "value": "/api/auth" } }], "filters": [], "backendRefs": [{ "name": "auth-service-active" }] }
        ] } }]);
        shown_to_fail(
            rule,
            &api,
            "/1/spec/rules/0/backendRefs/0/name",
            json!("flight-service-active"),
            "leads to Some",
        );
        let rewrite = json!([{ "urlRewrite": { "path": { "replaceFullPath": "/api/auth/health" } } }]);
        shown_to_fail(rule, &api, "/1/spec/rules/0/filters", rewrite, "leads to Some");
    }
}
