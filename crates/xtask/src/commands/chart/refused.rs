//! Values that the chart must not take, each with the words it must refuse them by.
//!
//! A message that doesn't name what is wrong is as good as none: so the words are compared, too.

use serde_json::{Value, json};

use super::cases::Case;
use super::rules::Faults;

/// What is laid over which environment's values (the chart's own where none is named), and what must be said.
type Refused = (&'static str, Value, &'static str);

fn table() -> Vec<Refused> {
    shapeless().into_iter().chain(contradictory()).collect()
}

/// What the schema refuses.
fn shapeless() -> Vec<Refused> {
    vec![
        ("", json!({ "replicas": 2 }), "additional properties 'replicas' not allowed"),
        ("", json!({ "services": { "check-in": { "port": 5009 } } }), "additional properties 'check-in' not allowed"),
        (
            "",
            json!({ "services": { "auth": { "replica": 2 } } }),
            "at '/services/auth': additional properties 'replica'",
        ),
        ("", json!({ "defaults": { "replicas": "two" } }), "at '/defaults/replicas': got string, want integer"),
        ("", json!({ "defaults": { "replicas": 0 } }), "at '/defaults/replicas': minimum: got 0, want 1"),
        ("", json!({ "services": { "auth": { "port": 80 } } }), "at '/services/auth/port': minimum"),
        (
            "",
            json!({ "services": { "auth": { "enabled": "false" } } }),
            "at '/services/auth/enabled': got string, want boolean",
        ),
        ("", json!({ "environment": "staging" }), "at '/environment': value must be one of"),
        ("", json!({ "image": { "tag": "latest" } }), "at '/image/tag': 'not' failed"),
        ("", json!({ "image": { "tag": 1 } }), "at '/image/tag': got number, want string"),
        ("", json!({ "image": { "registry": "https://x" } }), "at '/image/registry'"),
        ("", json!({ "services": { "auth": { "digest": "sha256:abc" } } }), "at '/services/auth/digest'"),
        ("", json!({ "defaults": { "strategy": { "type": "recreate" } } }), "at '/defaults/strategy/type'"),
        ("", json!({ "defaults": { "strategy": { "canarySteps": [0] } } }), "at '/defaults/strategy/canarySteps/0'"),
        ("", json!({ "defaults": { "autoscaling": { "type": "both" } } }), "at '/defaults/autoscaling/type'"),
        ("", json!({ "defaults": { "env": { "log level": "x" } } }), "'log level' does not match pattern"),
        (
            "",
            json!({ "defaults": { "resources": { "limits": { "memory": 96 } } } }),
            "at '/defaults/resources/limits/memory'",
        ),
        ("", json!({ "http": { "allowedOrigins": ["*"] } }), "at '/http/allowedOrigins/0'"),
        ("", json!({ "http": { "allowedOrigins": [] } }), "at '/http/allowedOrigins': minItems"),
        ("", json!({ "mesh": { "mode": "linkerd" } }), "at '/mesh/mode'"),
        ("", json!({ "mesh": { "outlier": { "interval": 10 } } }), "at '/mesh/outlier/interval'"),
        ("", json!({ "secrets": { "source": "values" } }), "at '/secrets/source'"),
        ("", json!({ "secrets": { "DB_PASSWORD": "x" } }), "additional properties 'DB_PASSWORD' not allowed"),
        ("", json!({ "database": { "cidrs": ["anywhere"] } }), "at '/database/cidrs/0'"),
        ("", json!({ "telemetry": { "samplerArg": "2" } }), "at '/telemetry/samplerArg'"),
        ("", json!({ "analysis": { "successRate": 99 } }), "at '/analysis/successRate': maximum"),
        ("", json!({ "monitoring": { "scrapeInterval": 30 } }), "at '/monitoring/scrapeInterval': got number"),
        ("", json!({ "bootpay": { "secretKey": "x" } }), "additional properties 'secretKey' not allowed"),
        ("", json!({ "news": { "url": "subscriber" } }), "at '/news/url'"),
        ("", json!({ "reconcile": { "schedule": "at night" } }), "at '/reconcile/schedule'"),
        ("", json!({ "load": { "scenarios": ["refund"] } }), "at '/load/scenarios/0'"),
        ("", json!({ "load": { "image": { "tag": "latest" } } }), "at '/load/image/tag': 'not' failed"),
        ("", json!({ "load": { "scale": 0 } }), "at '/load/scale'"),
        ("", json!({ "services": { "flight": { "database": { "name": "x" } } } }), "additional properties 'name'"),
    ]
}

/// What the schema can't see: each value would do, and together they don't.
fn contradictory() -> Vec<Refused> {
    vec![
        ("", json!({ "defaults": { "port": 5000 } }), "defaults.port: each service has a port of its own"),
        (
            "",
            json!({ "services": { "auth": { "env": { "DB_POOL_SIZE": "50" } } } }),
            "DB_POOL_SIZE follows from another",
        ),
        (
            "",
            json!({ "services": { "auth": { "env": { "INTERNAL_PORT": "9" } } } }),
            "INTERNAL_PORT follows from another",
        ),
        ("", json!({ "services": { "payment": { "env": { "NEWS_SECRET": "x" } } } }), "NEWS_SECRET is a secret"),
        ("", json!({ "services": { "flight": { "database": { "poolSize": 50 } } } }), "to db.cloudjet.internal"),
        (
            "",
            json!({ "services": { "flight": { "database": { "host": "replica", "poolSize": 90 } } } }),
            "connections to replica",
        ),
        ("", json!({ "news": { "url": "https://x.example.com:8443/" } }), "news.port isn't the port of"),
        (
            "",
            json!({ "mesh": { "mode": "ambient", "outbound": "registered" } }),
            "mesh.outbound registered is for mesh.mode sidecar",
        ),
        ("", json!({ "mesh": { "outbound": "registered" }, "database": { "host": "10.0.0.5" } }), "wants names"),
        (
            "prod",
            json!({ "migration": { "secretName": "cloudjet-secrets" } }),
            "migration.secretName must not be secrets.name",
        ),
        ("", json!({ "database": { "connectionLimit": 50 } }), "database.connectionLimit is 50"),
        ("prod", json!({ "defaults": { "autoscaling": { "max": 20 } } }), "database.connectionLimit is 500"),
        ("", json!({ "shutdown": { "graceSeconds": 30, "preStopSeconds": 10 } }), "shutdown.graceSeconds must be more"),
        ("prod", json!({ "services": { "auth": { "digest": "" } } }), "services.auth.digest: image.requireDigest"),
        ("prod", json!({ "migration": { "digest": "" } }), "migration.digest: image.requireDigest"),
        ("prod", json!({ "tests": { "digest": "" } }), "tests.digest: image.requireDigest"),
        ("prod", json!({ "load": { "traffic": { "enabled": true } } }), "load.image.digest: image.requireDigest wants"),
        ("", json!({ "load": { "enabled": true, "scenarios": ["book"] } }), "load.secretName: book needs"),
        (
            "",
            json!({ "load": { "enabled": true, "scenarios": ["pay"], "secretName": "desk" } }),
            "load.simulatorUrl: pay needs it",
        ),
        (
            "",
            json!({ "mesh": { "mode": "none" }, "tests": { "enabled": false }, "load": { "enabled": true } }),
            "load.url: without a mesh",
        ),
        ("", json!({ "ingress": { "enabled": true } }), "ingress.enabled is for mesh.mode none"),
        (
            "local",
            json!({ "services": { "gateway": { "enabled": false } } }),
            "ingress.enabled needs services.gateway.enabled",
        ),
        ("", json!({ "services": { "gateway": { "enabled": true } } }), "services.gateway is for mesh.mode none"),
        ("", json!({ "mesh": { "mode": "none" } }), "tests.url: without a mesh"),
        ("local", json!({ "defaults": { "strategy": { "type": "canary" } } }), "a canary needs a mesh"),
        ("", json!({ "mesh": { "waypoint": true } }), "mesh.waypoint is for mesh.mode ambient"),
        ("", json!({ "mesh": { "jwt": { "enabled": true } } }), "mesh.jwt.enabled needs mesh.jwt.issuer"),
        (
            "",
            json!({ "mesh": { "mode": "ambient", "jwt": { "enabled": true, "issuer": "x", "jwksUri": "https://x" } } }),
            "mesh.jwt.enabled needs mesh.waypoint",
        ),
        ("", json!({ "secrets": { "source": "external" } }), "secrets.external.createStore needs"),
        (
            "prod",
            json!({ "secrets": { "external": { "storeKind": "ClusterSecretStore" } } }),
            "secrets.external.createStore makes a SecretStore",
        ),
        ("prod", json!({ "services": { "auth": { "secrets": ["API_KEY"] } } }), "secrets.external.keys has no API_KEY"),
        ("", json!({ "services": { "auth": { "env": { "SECRET_KEY": "x" } } } }), "SECRET_KEY is a secret"),
        ("", json!({ "services": { "auth": { "port": 5002 } } }), "is also a port of"),
        ("", json!({ "services": { "auth": { "port": 6002 } } }), "is also a port of"),
        ("prod", json!({ "defaults": { "autoscaling": { "min": 7 } } }), "autoscaling: min is more than max"),
        (
            "prod",
            json!({ "defaults": { "strategy": { "scaleDownDelaySeconds": 60 } } }),
            "strategy.scaleDownDelaySeconds must be more than",
        ),
        ("", json!({ "bootpay": { "apiUrl": "http://x.example.com:5010/v2" } }), "bootpay.port isn't the port of"),
        ("prod", json!({ "telemetry": { "otlpPort": 4318 } }), "telemetry.otlpPort isn't the port of"),
        ("", json!({ "analysis": { "dryRun": true } }), "analysis.dryRun needs analysis.enabled"),
        ("", json!({ "migration": { "demo": true } }), "migration.demo is for environment development"),
        ("", json!({ "migration": { "user": "cloudjet" } }), "migration.user must not be database.user"),
        ("", json!({ "http": { "allowedOrigins": ["http://a.b"] } }), "http://a.b is not https"),
        ("", json!({ "services": off() }), "at least one service besides the gateway"),
    ]
}

fn off() -> Value {
    let names = ["auth", "flight", "booking", "admin", "payment"];
    names.iter().map(|name| ((*name).to_owned(), json!({ "enabled": false }))).collect::<serde_json::Map<_, _>>().into()
}

/// A render for each, which must fail.
pub(super) fn cases() -> Vec<Case> {
    let name = |environment: &str, values: &Value| format!("{environment} {values}").trim_start().to_owned();
    let case = |(environment, values, _): Refused| {
        Case::of(name(environment, &values), (!environment.is_empty()).then_some(environment), values)
    };
    table().into_iter().map(case).collect()
}

/// What is wrong with how they were refused: `said` has what was said to each, in the order of [`cases`].
pub(super) fn faults<'a>(said: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Faults {
    said.zip(table())
        .filter_map(|((name, refusal), (_, _, expected))| match refusal {
            Some(refusal) if refusal.contains(expected) => None,
            Some(refusal) => Some(format!("{name}: it should say {expected:?} and says {:?}", refusal.trim())),
            None => Some(format!("{name} is taken, but shouldn't be: {expected}")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_taken_or_refused_for_another_reason_are_found() {
        let (_, _, expected) = &table()[0];
        assert_eq!(faults([("a", Some(*expected))].into_iter()), Faults::new());
        assert!(faults([("a", Some("no"))].into_iter())[0].contains("it should say"));
        assert!(faults([("a", None)].into_iter())[0].contains("is taken"));
    }
}
