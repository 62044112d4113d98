//! How a collection writes a request down.

use serde_json::{Value, json};

use super::super::operation::Operation;
use super::variables;

/// The group whose operations want an administrator.
const ADMIN: &str = "admin";

/// What is wanted of a request besides what its operation says.
pub(super) struct Wish {
    pub(super) id: String,
    pub(super) name: String,
    /// Its body, written with variables.
    pub(super) body: Option<String>,
    /// Lines that run before it.
    pub(super) before: &'static [&'static str],
    /// What is asserted of its answer.
    pub(super) tests: Vec<String>,
}

/// A request of `operation`.
pub(super) fn item(operation: &Operation, wish: &Wish) -> Value {
    let mut request = json!({
        "method": operation.method,
        "header": [{ "key": "Accept-Language", "value": "en" }],
        "url": url(operation),
        "description": operation.described["description"],
    });
    if !operation.needs_session() {
        request["auth"] = json!({ "type": "noauth" });
    } else if operation.tag == ADMIN {
        request["auth"] = bearer("adminToken");
    }
    item_of(request, wish)
}

/// A request to an address of no service of ours.
pub(super) fn post(url: &str, wish: &Wish) -> Value {
    let (host, path) = url.split_once('/').unwrap_or((url, ""));
    let path: Vec<&str> = path.split('/').collect();
    let url = json!({ "raw": url, "host": [host], "path": path });
    item_of(json!({ "method": "POST", "header": [], "url": url, "auth": { "type": "noauth" } }), wish)
}

fn item_of(mut request: Value, wish: &Wish) -> Value {
    if let Some(body) = &wish.body {
        request["body"] = json!({ "mode": "raw", "raw": body, "options": { "raw": { "language": "json" } } });
        if let Some(headers) = request["header"].as_array_mut() {
            headers.push(json!({ "key": "Content-Type", "value": "application/json" }));
        }
    }
    let mut events = Vec::new();
    if !wish.before.is_empty() {
        events.push(script("prerequest", wish.before.iter().copied()));
    }
    events.push(script("test", wish.tests.iter().flat_map(|test| test.lines())));
    json!({ "id": wish.id, "name": wish.name, "request": request, "event": events })
}

/// The address of `operation` on a system, its parameters filled from variables or by their examples. What may be left
/// out is there, but switched off.
fn url(operation: &Operation) -> Value {
    let filled = |name: &str, example: Option<&Value>| {
        let example = || {
            example.map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        variables::for_field(name).unwrap_or_else(example)
    };
    let path: Vec<String> = operation
        .path
        .trim_start_matches('/')
        .split('/')
        .map(|part| {
            part.strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
                .map_or_else(|| part.to_owned(), |name| format!(":{name}"))
        })
        .collect();
    let in_path: Vec<Value> = operation
        .parameters("path")
        .map(|p| json!({ "key": p.name, "value": filled(p.name, p.example), "description": p.description }))
        .collect();
    let query: Vec<Value> = operation
        .parameters("query")
        .map(|p| json!({ "key": p.name, "value": filled(p.name, p.example), "description": p.description, "disabled": !p.required }))
        .collect();
    json!({ "raw": format!("{{{{baseUrl}}}}/{}", path.join("/")), "host": ["{{baseUrl}}"], "path": path, "query": query, "variable": in_path })
}

/// Signed in with the token in `variable`.
pub(super) fn bearer(variable: &str) -> Value {
    json!({ "type": "bearer", "bearer": [{ "key": "token", "value": format!("{{{{{variable}}}}}"), "type": "string" }] })
}

/// Lines that run at an event.
pub(super) fn script<'a>(listen: &str, lines: impl IntoIterator<Item = &'a str>) -> Value {
    let lines: Vec<&str> = lines.into_iter().collect();
    json!({ "listen": listen, "script": { "type": "text/javascript", "exec": lines } })
}

/// An assertion with a name.
pub(super) fn test(name: &str, lines: &[&str]) -> String {
    format!("pm.test({}, () => {{\n  {}\n}});", json!(name), lines.join("\n  "))
}
