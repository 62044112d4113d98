//! What must hold of every render: small rules over the parsed objects, each with a test that shows it fail.
//!
//! Schemas can't see any of this: a route to a service that isn't there is a valid route.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::object::{Object, Objects, Reach as _};
use crate::metrics::Metrics;

mod gitops;
mod mesh;
mod metrics;
mod references;
mod scale;
mod security;
mod settings;

pub(super) use gitops::{allowed, astray, careless};
pub(super) use settings::Setting;

/// What is wrong, a line each.
pub(super) type Faults = Vec<String>;

/// One thing that must hold.
type Rule = fn(&Render<'_>) -> Faults;

/// Everything a rule may look at.
pub(super) struct Render<'a> {
    pub(super) objects: &'a Objects,
    /// The values it was rendered with, defaults included.
    pub(super) values: &'a Value,
    pub(super) project: &'a Project,
}

/// What the rest of the checkout says.
pub(super) struct Project {
    /// All metrics, with their labels.
    pub(super) metrics: Metrics,
    /// All settings of all programs.
    pub(super) settings: Vec<Setting>,
    /// The gateway program's routes: from which path to which service and which path there.
    pub(super) routes: BTreeMap<String, (String, String)>,
    /// What Argo CD may make: group, kind.
    pub(super) kinds: BTreeSet<(String, String)>,
    /// And where.
    pub(super) namespaces: BTreeSet<String>,
}

/// All rules, by what they say.
const RULES: [(&str, Rule); 40] = [
    ("every name is given once", references::names_are_unique),
    ("every selector finds one workload", references::selectors_find_one_workload),
    ("every port that a service leads to is there", references::ports_are_there),
    ("what a pod needs is there", references::pods_have_what_they_need),
    ("routes lead to services", references::routes_lead_to_services),
    ("routes hang on a gateway", references::routes_hang_on_a_gateway),
    ("policies name services", references::policies_name_services),
    ("scaling and budgets have a workload", references::scalers_have_a_workload),
    ("rollouts have their services", references::rollouts_have_their_services),
    ("secrets have a store", references::secrets_have_a_store),
    ("the world reaches promoted versions only", mesh::the_world_reaches_promoted_versions),
    ("origins are exact", mesh::origins_are_exact),
    ("http is sent to https", mesh::http_is_sent_to_https),
    ("every workload has its policies", mesh::workloads_have_policies),
    ("requests are judged where they are read", mesh::requests_are_judged_where_they_are_read),
    ("the routes are the gateway's", mesh::routes_are_the_gateways),
    ("gateways keep their labels to themselves", mesh::gateways_keep_their_labels),
    ("refusals are JSON", mesh::refusals_are_json),
    ("the mesh knows what is outside", mesh::the_mesh_knows_what_is_outside),
    ("pods are restricted", security::pods_are_restricted),
    ("pods have no token", security::pods_have_no_token),
    ("networks are closed", security::networks_are_closed),
    ("networks let through what is called", security::networks_let_through_what_is_called),
    ("images are pinned", security::images_are_pinned),
    ("versions are told apart", security::versions_are_told_apart),
    ("jobs come to an end", security::jobs_come_to_an_end),
    ("who scales sets the replicas", scale::who_scales_sets_the_replicas),
    ("scalers look at the program", scale::scalers_look_at_the_program),
    ("the database has enough connections", scale::connections_are_enough),
    ("pods leave in order", scale::pods_leave_in_order),
    ("the old version outlives its analysis", scale::the_old_version_outlives_its_analysis),
    ("metrics exist", metrics::exist),
    ("analyses wait for their metrics", metrics::analyses_wait_for_them),
    ("every service is watched, once", metrics::services_are_watched),
    ("settings are read", settings::are_read),
    ("settings are complete", settings::are_complete),
    ("secrets can be given", settings::secrets_can_be_given),
    ("the project allows it", gitops::the_project_allows_it),
    ("waves are in order", gitops::waves_are_in_order),
    ("hooks bring what they need", gitops::hooks_bring_what_they_need),
];

/// What is wrong with `render`.
pub(super) fn faults(render: &Render<'_>) -> Faults {
    let all = RULES.iter();
    all.flat_map(|(name, rule)| rule(render).into_iter().map(move |fault| format!("{name}: {fault}"))).collect()
}

/// How many rules there are.
pub(super) const fn count() -> usize {
    RULES.len()
}

/// What a pod is told by the name of `setting`: by itself, or with all others.
fn told<'a>(objects: &'a Objects, owner: &'a Object, setting: &str) -> Option<&'a str> {
    let containers = owner.pod()?.list("/spec/containers");
    let mut own = containers.iter().flat_map(|container| container.list("/env"));
    let mut shared = containers
        .iter()
        .flat_map(|container| container.list("/envFrom"))
        .filter_map(|from| objects.find("ConfigMap", owner.namespace(), from.text("/configMapRef/name")));
    own.find(|given| given.text("/name") == setting)
        .and_then(|given| given.at("/value").as_str())
        .or_else(|| shared.find_map(|config| config.at("/data").get(setting)?.as_str()))
}

/// The service that a host name of the cluster means: name and namespace.
fn service_of<'a>(host: &'a str, from: &'a str) -> (&'a str, &'a str) {
    let mut parts = host.split('.');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or(from))
}

/// Where a route of the mesh or an Ingress leads to.
struct Destination<'a> {
    route: &'a Object,
    service: &'a str,
    namespace: &'a str,
    port: &'a Value,
    weight: u64,
}

/// All of them.
fn destinations(objects: &Objects) -> Vec<Destination<'_>> {
    let mut found = Vec::new();
    for route in objects.of("VirtualService") {
        for to in route.list("/spec/http").iter().flat_map(|rule| rule.list("/route")) {
            let (service, namespace) = service_of(to.text("/destination/host"), route.namespace());
            let weight = to.at("/weight").as_u64().unwrap_or(100);
            found.push(Destination { route, service, namespace, port: to.at("/destination/port/number"), weight });
        }
    }
    for route in objects.of("HTTPRoute") {
        for to in route.list("/spec/rules").iter().flat_map(|rule| rule.list("/backendRefs")) {
            let weight = to.at("/weight").as_u64().unwrap_or(100);
            let (service, namespace) = (to.text("/name"), route.namespace());
            found.push(Destination { route, service, namespace, port: to.at("/port"), weight });
        }
    }
    for route in objects.of("Ingress") {
        for path in route.list("/spec/rules").iter().flat_map(|rule| rule.list("/http/paths")) {
            let to = path.at("/backend/service");
            let port = if to.has("/port/name") { to.at("/port/name") } else { to.at("/port/number") };
            found.push(Destination {
                route,
                service: to.text("/name"),
                namespace: route.namespace(),
                port,
                weight: 100,
            });
        }
    }
    found
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// What a rule says of these objects, with these values.
    pub(crate) fn judged(rule: Rule, objects: Value, values: &Value) -> Faults {
        let objects: Objects = serde_json::from_value(objects).unwrap();
        rule(&Render { objects: &objects, values, project: &project() })
    }

    /// Asserts that a rule finds nothing in `good`, and one thing in it with `changed` put at `pointer`.
    pub(crate) fn shown_to_fail(rule: Rule, good: &Value, pointer: &str, changed: Value, fault: &str) {
        let values = json!({});
        assert_eq!(judged(rule, good.clone(), &values), Faults::new(), "before the change");
        let mut doctored = good.clone();
        *doctored.pointer_mut(pointer).unwrap() = changed;
        let faults = judged(rule, doctored, &values);
        assert!(faults.iter().any(|found| found.contains(fault)), "{pointer}: {faults:?}");
    }

    fn project() -> Project {
        let setting = |env: &str, required, secret| Setting {
            env: env.to_owned(),
            required,
            secret,
            readers: BTreeSet::from(["auth".to_owned()]),
        };
        Project {
            metrics: Metrics::read("| `cloudjet_x_total` | counter | `route` | all | X. |"),
            settings: vec![
                setting("DB_HOST", true, false),
                setting("DB_PASSWORD", true, true),
                setting("DB_PORT", false, false),
                setting("LOG_LEVEL", false, false),
            ],
            routes: BTreeMap::from([("/api/auth".to_owned(), ("auth-service".to_owned(), "/api/auth".to_owned()))]),
            kinds: BTreeSet::from([(String::new(), "Service".to_owned())]),
            namespaces: BTreeSet::from(["user".to_owned()]),
        }
    }

    #[test]
    fn a_host_is_a_service_and_its_namespace() {
        assert_eq!(service_of("x.admin.svc.cluster.local", "user"), ("x", "admin"));
        assert_eq!(service_of("x", "user"), ("x", "user"));
    }
}
