//! What a program is told is what it reads, and all that it must be told.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::object::{Object, Objects, Reach as _};
use super::{Faults, Render};
use crate::build::MIGRATE;
use crate::services::SERVICES;

/// How the name of a setting ends whose value stands in a file.
const IN_FILE: &str = "_FILE";

/// A setting of one or more programs.
pub(in super::super) struct Setting {
    pub(in super::super) env: String,
    pub(in super::super) required: bool,
    pub(in super::super) secret: bool,
    /// Who reads it: services by their short names, and `migrate`.
    pub(in super::super) readers: BTreeSet<String>,
}

impl Setting {
    /// Reads the tables of settings in the README, which are written from what the programs print.
    pub(in super::super) fn read_all(readme: &str) -> Vec<Self> {
        let rows = readme.lines().filter(|line| line.starts_with("| `"));
        rows.filter_map(|line| {
            let cells: Vec<&str> = line.trim_start_matches("| ").split(" | ").collect();
            let [env, default, readers, _] = cells.as_slice() else { return None };
            let env = env.trim_matches('`');
            let is_setting = env.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            is_setting.then(|| Self {
                env: env.to_owned(),
                required: default.starts_with("**required**"),
                secret: default.ends_with(", secret"),
                readers: readers_of(readers),
            })
        })
        .collect()
    }
}

fn readers_of(told: &str) -> BTreeSet<String> {
    let (who, absent) = told.split_once(" but ").unwrap_or((told, ""));
    let services = SERVICES.iter().map(|service| service.name);
    let names: Vec<&str> = match who {
        "all" => services.chain([MIGRATE]).collect(),
        "all services" => services.collect(),
        _ => who.split(", ").collect(),
    };
    names.into_iter().filter(|name| *name != absent).map(str::to_owned).collect()
}

/// What is given to a program by its own pod, and by the configuration of all.
fn given<'a>(objects: &'a Objects, owner: &'a Object) -> Vec<(&'a str, bool)> {
    let containers = owner.pod().map_or(&[][..], |pod| pod.list("/spec/containers"));
    let own = containers.iter().flat_map(|c| c.list("/env")).map(|env| (env.text("/name"), true));
    let configs = containers.iter().flat_map(|c| c.list("/envFrom")).map(|from| from.text("/configMapRef/name"));
    let shared = configs
        .filter_map(|config| objects.find("ConfigMap", owner.namespace(), config))
        .flat_map(|config| config.entries("/data").map(|(key, _)| (key.as_str(), false)));
    own.chain(shared).collect()
}

/// The program that a workload or the migration runs, by its short name.
pub(super) fn program(owner: &Object) -> Option<&str> {
    let name = owner.pod()?.text("/spec/containers/0/name").trim_end_matches("-service");
    (name == MIGRATE || SERVICES.iter().any(|service| service.name == name)).then_some(name)
}

/// The configuration of all may hold what only some read; a pod's own may not, unless it is all of it.
pub(super) fn are_read(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    let apart = render.values.at("/configMap/read") != &Value::Bool(false);
    for owner in render.objects.iter() {
        let Some(program) = program(owner) else { continue };
        for (name, own) in given(render.objects, owner) {
            let (env, in_file) = name.strip_suffix(IN_FILE).map_or((name, false), |env| (env, true));
            match render.project.settings.iter().find(|setting| setting.env == env) {
                None => faults.push(format!("{owner}: nobody reads {name}")),
                Some(setting) if own && apart && !setting.readers.contains(program) => {
                    faults.push(format!("{owner}: {program} doesn't read {name}"));
                }
                Some(setting) if setting.secret && !in_file => {
                    faults.push(format!("{owner}: {name} is a secret and not in a file"));
                }
                Some(setting) if !setting.secret && in_file => {
                    faults.push(format!("{owner}: {env} is no secret: it isn't read from a file"));
                }
                Some(_) => {}
            }
        }
    }
    faults
}

pub(super) fn are_complete(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for owner in render.objects.iter() {
        let Some(program) = program(owner) else { continue };
        let given = given(render.objects, owner);
        let needed = render.project.settings.iter().filter(|s| s.required && s.readers.contains(program));
        for setting in needed {
            if !given.iter().any(|(name, _)| name.strip_suffix(IN_FILE).unwrap_or(name) == setting.env) {
                faults.push(format!("{owner}: {program} isn't told {}", setting.env));
            }
        }
    }
    faults
}

/// Whatever is secret has a place that External Secrets could bring it from.
pub(super) fn secrets_can_be_given(render: &Render<'_>) -> Faults {
    let places = ["/secrets/external/keys", "/migration/external"].map(|pointer| render.values.at(pointer));
    let secrets = render.project.settings.iter().filter(|setting| setting.secret);
    secrets
        .filter(|secret| {
            let of_migrate = secret.readers.contains(MIGRATE);
            let of_services = secret.readers.iter().any(|reader| reader != MIGRATE);
            [of_services, of_migrate].iter().zip(places).any(|(read, place)| *read && place.get(&secret.env).is_none())
        })
        .map(|secret| format!("nothing says where {} comes from", secret.env))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{judged, shown_to_fail};
    use super::*;

    #[test]
    fn settings_that_nobody_reads_or_somebody_lacks_are_found() {
        let good = json!([
            { "kind": "Deployment", "metadata": { "name": "auth-service", "namespace": "user" }, "spec": { "template": {
                "spec": { "containers": [{
                    "name": "auth-service",
                    "env": [{ "name": "DB_PASSWORD_FILE" }, { "name": "LOG_LEVEL" }],
                    "envFrom": [{ "configMapRef": { "name": "config" } }]
                }] }
            } } },
            { "kind": "ConfigMap", "metadata": { "name": "config", "namespace": "user" }, "data": { "DB_HOST": "db" } }
        ]);
        let env = "/0/spec/template/spec/containers/0/env";
        shown_to_fail(are_read, &good, "/1/data", json!({ "DB_HOTS": "db" }), "nobody reads DB_HOTS");
        shown_to_fail(are_read, &good, &format!("{env}/0/name"), json!("DB_PASSWORD"), "not in a file");
        shown_to_fail(are_read, &good, &format!("{env}/1/name"), json!("LOG_LEVEL_FILE"), "is no secret");
        let other = "/0/spec/template/spec/containers/0/name";
        shown_to_fail(are_read, &good, other, json!("flight-service"), "flight doesn't read");
        shown_to_fail(are_complete, &good, "/1/data", json!({}), "auth isn't told DB_HOST");
        shown_to_fail(are_complete, &good, &format!("{env}/0/name"), json!("LOG_LEVEL"), "isn't told DB_PASSWORD");
    }

    #[test]
    fn a_secret_that_comes_from_nowhere_is_found() {
        let found = |key: &str| {
            judged(secrets_can_be_given, json!([]), &json!({ "secrets": { "external": { "keys": { key: {} } } } }))
        };
        assert_eq!(found("DB_PASSWORD"), Faults::new());
        assert_eq!(found("DB_PASWORD"), ["nothing says where DB_PASSWORD comes from"]);
    }

    #[test]
    fn the_tables_of_the_readme_are_read() {
        let settings = Setting::read_all(
            "| `DB_PASSWORD` | **required**, secret | all but gateway | Password. |\n| `GET /x` | a | b | c |\n\
             | `LOG_LEVEL` | `info` | all services | What. |\n",
        );
        let [password, level] = settings.as_slice() else { panic!("{}", settings.len()) };
        assert!(password.required && password.secret && password.readers.contains(MIGRATE));
        assert!(!password.readers.contains("gateway"));
        assert!(!level.required && !level.secret && !level.readers.contains(MIGRATE));
    }
}
