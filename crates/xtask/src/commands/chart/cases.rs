//! What is rendered: every environment, and every two toggles together.
//!
//! All combinations of the toggles would be thousands. Faults hide where two of them meet, so a set of renders is
//! computed in which every pair of choices that go together comes up at least once.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// The environments that have values of their own.
pub(super) const ENVIRONMENTS: [&str; 4] = ["local", "dev", "staging", "prod"];

/// One render that is asked for.
#[derive(Serialize)]
pub(super) struct Case {
    pub(super) name: String,
    /// Files of values in the chart, each over the ones before.
    files: Vec<String>,
    /// And what is laid over them.
    values: Value,
    /// Whether it is wanted as text, too.
    written: bool,
}

impl Case {
    /// The chart as one environment has it.
    fn environment(name: &str) -> Self {
        Self { name: name.to_owned(), files: vec![file_of(name)], values: json!({}), written: true }
    }

    /// The chart's own values, or an environment's, with others laid over them.
    pub(super) fn of(name: String, environment: Option<&str>, values: Value) -> Self {
        Self { name, files: environment.map(file_of).into_iter().collect(), values, written: false }
    }
}

/// The file with an environment's values.
pub(super) fn file_of(environment: &str) -> String {
    format!("values-{environment}.yaml")
}

/// Something that can be chosen, by name.
type Toggle = (&'static str, &'static [&'static str]);

const TOGGLES: [Toggle; 11] = [
    ("mesh", &["sidecar", "ambient", "none"]),
    ("strategy", &["rolling", "blueGreen", "canary"]),
    ("autoscaling", &["none", "hpa", "keda"]),
    ("secrets", &["existing", "external", "cluster-store"]),
    ("without", &["nobody", "auth", "flight", "booking", "admin", "payment"]),
    ("door", &["mesh", "gateway", "ingress"]),
    ("analysis", &["off", "on"]),
    ("reads", &["connections", "requests", "tokens"]),
    ("around", &["all", "no-cache", "no-policies", "no-telemetry"]),
    ("names", &["two", "one"]),
    ("given", &["little", "much"]),
];

/// A choice of each toggle, by their indices.
type Combination = [usize; TOGGLES.len()];

/// All environments, and renders in which every two toggles meet.
pub(super) fn all() -> Vec<Case> {
    let environments = ENVIRONMENTS.iter().map(|name| Case::environment(name));
    environments.chain(covering().iter().map(case)).collect()
}

fn chosen(combination: &Combination, toggle: &str) -> &'static str {
    let found = TOGGLES.iter().zip(combination).find(|((name, _), _)| *name == toggle);
    found.map_or("", |((_, choices), choice)| choices[*choice])
}

/// Whether the chart takes it: `checks.yaml` says why it refuses the others.
fn goes_together(combination: &Combination) -> bool {
    let [mesh, strategy, door, reads] = ["mesh", "strategy", "door", "reads"].map(|name| chosen(combination, name));
    (door == "mesh" || mesh == "none")
        && (strategy != "canary" || mesh != "none")
        && match reads {
            "requests" => mesh == "ambient",
            "tokens" => mesh != "none",
            _ => true,
        }
}

/// Two choices of different toggles.
type Pair = ((usize, usize), (usize, usize));

fn pairs(combination: &Combination) -> impl Iterator<Item = Pair> + '_ {
    (0..combination.len())
        .flat_map(move |a| (a + 1..combination.len()).map(move |b| ((a, combination[a]), (b, combination[b]))))
}

/// Combinations that together hold every pair that goes together: always the one next that adds most.
fn covering() -> Vec<Combination> {
    let mut candidates: Vec<Combination> = vec![[0; TOGGLES.len()]];
    for (n, (_, choices)) in TOGGLES.iter().enumerate() {
        candidates = candidates
            .into_iter()
            .flat_map(|combination| {
                (0..choices.len()).map(move |choice| {
                    let mut combination = combination;
                    combination[n] = choice;
                    combination
                })
            })
            .collect();
    }
    candidates.retain(goes_together);
    let mut missing: BTreeSet<Pair> = candidates.iter().flat_map(pairs).collect();
    let mut covering = Vec::new();
    while !missing.is_empty() {
        let adds = |combination: &&Combination| pairs(combination).filter(|pair| missing.contains(pair)).count();
        let Some(best) = candidates.iter().max_by_key(adds) else { break };
        for pair in pairs(best) {
            missing.remove(&pair);
        }
        covering.push(*best);
    }
    covering
}

/// The values that a combination means.
fn case(combination: &Combination) -> Case {
    let of = |toggle| chosen(combination, toggle);
    let names: Vec<String> = TOGGLES.iter().map(|(name, _)| format!("{name}={}", of(name))).collect();
    let mut services = Map::new();
    if of("without") != "nobody" {
        services.insert(of("without").to_owned(), json!({ "enabled": false }));
    }
    if of("door") != "mesh" {
        services.insert("gateway".to_owned(), json!({ "enabled": true }));
    }
    if of("names") == "one" && of("without") != "admin" {
        services.insert("admin".to_owned(), json!({ "namespace": "user" }));
    }
    // Needed where no address of the chart's has all paths, and allowed beside one that has.
    let far = of("mesh") == "none" && (of("door") == "mesh" || of("names") == "one");
    let url = if far { "https://api.example.com:8443/x" } else { "" };
    let mut values = json!({
        "services": services,
        "defaults": { "strategy": { "type": of("strategy") }, "autoscaling": { "type": of("autoscaling") } },
        "database": { "connectionLimit": 1000 },
        "secrets": {
            "source": if of("secrets") == "existing" { "existing" } else { "external" },
            "external": if of("secrets") == "cluster-store" {
                json!({ "createStore": false, "storeKind": "ClusterSecretStore" })
            } else {
                json!({ "roleArn": "arn:aws:iam::000000000000:role/x" })
            }
        },
        "mesh": {
            "mode": of("mesh"),
            "waypoint": of("mesh") == "ambient" && of("reads") != "connections",
            "tls": { "certificate": if of("names") == "one" { "cert-manager" } else { "none" } }
        },
        "ingress": { "enabled": of("door") == "ingress" },
        "analysis": { "enabled": of("analysis") == "on" },
        "networkPolicy": { "enabled": of("around") != "no-policies" },
        "telemetry": { "otlpEndpoint": if of("around") == "no-telemetry" { "" } else { "http://collector:4317" } },
        "tests": { "url": url }
    });
    if of("reads") == "tokens" {
        values["mesh"]["jwt"] = json!({ "enabled": true, "issuer": "cloudjet", "jwksUri": "https://keys.example.com" });
    }
    if of("given") == "much" {
        give_much(&mut values);
    }
    if of("around") == "no-cache" {
        values["redis"] = json!({ "host": "" });
    }
    Case::of(names.join(" "), None, values)
}

/// What is empty or off by default.
fn give_much(values: &mut Value) {
    values["bootpay"] = json!({ "clientKey": "key", "restApplicationId": "id", "applicationId": "web" });
    values["news"] = json!({ "url": "https://subscriber.example.com/news" });
    values["secrets"]["revision"] = json!("second");
    values["secrets"]["acceptFurtherKeys"] = json!(true);
    values["configMap"] = json!({ "read": false });
    values["reconcile"] = json!({ "suspended": false, "arguments": ["--json"] });
    values["networkPolicy"]["callerNamespaces"] = json!(["partners"]);
    values["migration"] = json!({ "adminEmail": "admin@example.com" });
    values["tests"]["secretName"] = json!("traveller");
    values["load"] = json!({
        "enabled": true,
        "scenarios": ["browse", "pay"],
        "simulatorUrl": "http://simulator.example.com:5010",
        "secretName": "desk",
        "traffic": { "enabled": true }
    });
    values["monitoring"] = json!({ "enabled": true, "labels": { "release": "prometheus" } });
    values["mesh"]["jsonRefusals"] = json!(false);
    if values["mesh"]["mode"] == "sidecar" {
        values["mesh"]["outbound"] = json!("registered");
    }
    for (service, digit) in [("booking", "1"), ("payment", "2")] {
        values["services"][service]["digest"] = json!(format!("sha256:{}", digit.repeat(64)));
    }
    values["services"]["flight"]["database"] =
        json!({ "host": "replica.example.com", "port": 3307, "user": "reader", "poolSize": 8 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_two_choices_that_go_together_are_rendered_together() {
        let covering = covering();
        let met: BTreeSet<Pair> = covering.iter().flat_map(pairs).collect();
        assert!(covering.iter().all(goes_together));
        let position = |toggle: &str, choice: &str| {
            let toggle = TOGGLES.iter().position(|(name, _)| *name == toggle).unwrap();
            (toggle, TOGGLES[toggle].1.iter().position(|name| *name == choice).unwrap())
        };
        for (a, b) in [
            (("mesh", "ambient"), ("strategy", "canary")),
            (("strategy", "blueGreen"), ("without", "payment")),
            (("secrets", "external"), ("door", "ingress")),
        ] {
            assert!(met.contains(&(position(a.0, a.1), position(b.0, b.1))), "{a:?} with {b:?}");
        }
        assert!(!met.contains(&(position("mesh", "none"), position("strategy", "canary"))));
        // Far fewer than the product, and no fewer than the two longest toggles need.
        assert!((18..60).contains(&covering.len()), "{}", covering.len());
    }
}
