//! The operations of a description, one by one.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};

/// The methods a path can have, in the order in which people expect them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A path and a method.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// In capitals.
    pub(super) method: String,
    /// With its parameters in braces.
    pub(super) path: String,
    /// Its name, which no other operation has.
    pub(super) id: String,
    /// Its group.
    pub(super) tag: String,
    /// One line.
    pub(super) summary: String,
    /// As it stands in the description.
    pub(super) described: Value,
}

/// All operations of `paths`.
pub(super) fn all(paths: &Map<String, Value>) -> Result<Vec<Operation>> {
    let mut operations = Vec::new();
    let mut names = BTreeSet::new();
    for (path, item) in paths {
        for (method, described) in METHODS.iter().filter_map(|method| Some((method, item.get(method)?))) {
            let operation = Operation::read(&method.to_uppercase(), path, described)?;
            ensure!(names.insert(operation.id.clone()), "two operations are called {}: set operation_id", operation.id);
            operations.push(operation);
        }
    }
    Ok(operations)
}

impl Operation {
    fn read(method: &str, path: &str, described: &Value) -> Result<Self> {
        let text = |name: &str| described[name].as_str().unwrap_or_default().to_owned();
        let id = described["operationId"].as_str().with_context(|| format!("{method} {path} has no operation_id"))?;
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            id: id.to_owned(),
            tag: described["tags"][0].as_str().unwrap_or_default().to_owned(),
            summary: text("summary"),
            described: described.clone(),
        })
    }

    /// Whether it wants a session.
    pub(super) fn needs_session(&self) -> bool {
        self.described["security"].as_array().is_some_and(|schemes| !schemes.is_empty())
    }

    /// Whom it is for.
    pub(super) fn audience(&self) -> &'static str {
        match (self.needs_session(), self.tag.as_str()) {
            (false, _) => "anyone",
            (true, "admin") => "administrators",
            (true, _) => "signed in",
        }
    }

    /// The example of its JSON body, the first where there are several.
    pub(super) fn body(&self) -> Option<&Value> {
        let content = &self.described["requestBody"]["content"]["application/json"];
        let several = content["examples"].as_object().and_then(|examples| examples.values().next());
        content.get("example").or_else(|| several?.get("value"))
    }

    /// Its parameters that stand in `place`, as (name, description, example, whether it is required).
    pub(super) fn parameters(&self, place: &str) -> impl Iterator<Item = Parameter<'_>> {
        let parameters = self.described["parameters"].as_array().into_iter().flatten();
        parameters.filter(move |parameter| parameter["in"] == place).map(|parameter| Parameter {
            name: parameter["name"].as_str().unwrap_or_default(),
            description: parameter["description"].as_str().unwrap_or_default(),
            example: parameter.get("example").or_else(|| parameter["schema"].get("example")),
            required: parameter["required"] == true,
        })
    }

    /// What it lacks to be understood on a page.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut lacks = |what: &str| faults.push(format!("{} {} has no {what}", self.method, self.path));
        for name in ["summary", "description"] {
            if self.described[name].as_str().is_none_or(str::is_empty) {
                lacks(name);
            }
        }
        if self.described.get("requestBody").is_some() && self.body().is_none() {
            lacks("example of its body");
        }
        for place in ["path", "query"] {
            for parameter in
                self.parameters(place).filter(|parameter| parameter.required && parameter.example.is_none())
            {
                lacks(&format!("example of {}", parameter.name));
            }
        }
        faults
    }
}

/// A parameter of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) example: Option<&'a Value>,
    pub(super) required: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_page_would_miss_is_named() {
        let paths = json!({ "/x/{id}": { "post": {
            "operationId": "x", "summary": "Do it.", "requestBody": { "content": {} },
            "parameters": [{ "name": "id", "in": "path", "required": true }, { "name": "limit", "in": "query" }],
        } } });
        let operations = all(paths.as_object().unwrap()).unwrap();
        let expected = ["description", "example of its body", "example of id"];
        assert_eq!(operations[0].faults(), expected.map(|what| format!("POST /x/{{id}} has no {what}")));
    }

    #[test]
    fn names_are_unique() {
        let paths = json!({ "/x": { "get": { "operationId": "x" }, "put": { "operationId": "x" } } });
        assert!(all(paths.as_object().unwrap()).is_err());
    }
}
