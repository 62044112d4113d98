//! One description out of the services' own.
//!
//! Operations are grouped by their service, those at short addresses under the gateway. What the services describe
//! alike is kept once; a name under which two of them describe different things is a mistake in one of them.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::operation;
use crate::services::Service;

/// The group of operations at addresses that no service has of its own.
const GATEWAY: &str = "gateway";

/// A description, its parts in the order in which people read them.
#[derive(Debug, Serialize)]
pub(super) struct Api {
    openapi: &'static str,
    info: Info,
    servers: [Value; 1],
    pub(super) tags: Vec<Tag>,
    pub(super) paths: Map<String, Value>,
    pub(super) components: Components,
}

#[derive(Debug, Serialize)]
struct Info {
    title: &'static str,
    version: String,
    description: String,
    license: Value,
}

/// A group of operations.
#[derive(Debug, Serialize)]
pub(super) struct Tag {
    pub(super) name: &'static str,
    pub(super) description: String,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Components {
    pub(super) schemas: BTreeMap<String, Value>,
    #[serde(rename = "securitySchemes")]
    security_schemes: BTreeMap<String, Value>,
}

/// Merges `parts` behind `introduction`.
///
/// # Errors
/// Names what two services describe differently, and operations that aren't described well enough to be shown.
pub(super) fn merge(introduction: &str, parts: &[(&'static Service, Value)]) -> Result<Api> {
    let mut api = Api {
        openapi: "3.1.0",
        info: Info {
            title: "CloudJet API",
            version: String::new(),
            description: introduction.trim_end().to_owned(),
            license: Value::Null,
        },
        servers: [json!({ "url": "/", "description": "this system" })],
        tags: Vec::new(),
        paths: Map::new(),
        components: Components::default(),
    };
    let mut schemas = Owners::default();
    let mut schemes = Owners::default();
    for (service, part) in parts {
        let info = &part["info"];
        text(&info["version"]).clone_into(&mut api.info.version);
        api.info.license = info["license"].clone();
        api.tags.push(Tag { name: service.name, description: text(&info["description"]).to_owned() });
        schemas.add(&mut api.components.schemas, service, &part["components"]["schemas"])?;
        schemes.add(&mut api.components.security_schemes, service, &part["components"]["securitySchemes"])?;
        for (path, item) in part["paths"].as_object().into_iter().flatten() {
            ensure!(!api.paths.contains_key(path), "{} describes {path}, as another service does", service.package);
            let group = if service.owns(path) { service.name } else { GATEWAY };
            api.paths.insert(path.clone(), grouped(item, group));
        }
    }
    api.tags.push(Tag { name: GATEWAY, description: "Shorter addresses of some operations above.".to_owned() });
    let faults: Vec<String> = operation::all(&api.paths)?.iter().flat_map(operation::Operation::faults).collect();
    ensure!(faults.is_empty(), "the API's description has gaps:\n{}", faults.join("\n"));
    Ok(api)
}

/// A path's operations, all in one group and with titles.
fn grouped(item: &Value, group: &str) -> Value {
    let mut item = item.clone();
    for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
        operation["tags"] = json!([group]);
        // A doc comment's first sentence is a title here.
        operation["summary"] = text(&operation["summary"]).trim_end_matches('.').into();
    }
    item
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Who was the first to describe what.
#[derive(Default)]
struct Owners(BTreeMap<String, &'static str>);

impl Owners {
    fn add(&mut self, all: &mut BTreeMap<String, Value>, service: &'static Service, components: &Value) -> Result<()> {
        for (name, component) in components.as_object().into_iter().flatten() {
            match all.get(name) {
                Some(known) if known != component => bail!(
                    "{} and {} describe different things as {name}: rename one with #[schema(as = …)]",
                    self.0.get(name).copied().unwrap_or_default(),
                    service.package
                ),
                Some(_) => {}
                None => {
                    all.insert(name.clone(), component.clone());
                    self.0.insert(name.clone(), service.package);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::SERVICES;

    fn part(path: &str, schema: &Value) -> Value {
        json!({
            "info": { "version": "1.2.3", "description": "Something." },
            "paths": { path: { "get": {
                "summary": "Ask.", "description": "At length.", "operationId": path, "tags": ["other"],
                "responses": { "200": { "description": "Well." } },
            } } },
            "components": { "schemas": { "Money": schema } },
        })
    }

    #[test]
    fn what_is_described_alike_is_kept_once() {
        let money = json!({ "type": "integer" });
        let parts = [(&SERVICES[0], part("/api/auth/x", &money)), (&SERVICES[1], part("/api/airports", &money))];
        let api = merge("Hello.", &parts).unwrap();
        assert_eq!(api.components.schemas.len(), 1);
        assert_eq!(api.paths["/api/auth/x"]["get"]["tags"], json!(["auth"]));
        assert_eq!(api.paths["/api/airports"]["get"]["tags"], json!(["gateway"]));
        assert_eq!(api.info.version, "1.2.3");
    }

    #[test]
    fn one_name_for_two_things_is_refused_with_both_services() {
        let parts = [
            (&SERVICES[0], part("/api/auth/x", &json!({ "type": "integer" }))),
            (&SERVICES[1], part("/api/flights/x", &json!({ "type": "string" }))),
        ];
        let refusal = merge("Hello.", &parts).unwrap_err().to_string();
        assert!(refusal.starts_with("auth-service and flight-service describe different things as Money"), "{refusal}");
    }
}
