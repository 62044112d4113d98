//! docs/values.md: every value that the chart takes, as a table made from its schema.

use std::fmt::Write as _;

use serde_json::Value;

use super::helm::Described;
use super::object::Reach as _;

/// Where it is, in the checkout.
pub(super) const PATH: &str = "docs/values.md";

/// The document. Of the services' blocks only what differs from `defaults` is told: all take the same.
pub(super) fn document(values: &[Described]) -> String {
    let mut text = "<!-- Written by `cargo xtask chart --update` from deploy/cloudjet/values.schema.json and values.yaml. -->\n\n\
         # Values of the chart\n\n\
         Nothing else is accepted. What contradicts itself is refused when it is rendered, with a message that says what to\n\
         change ([checks.yaml](../deploy/cloudjet/templates/checks.yaml)). Each block of `services` takes what `defaults`\n\
         has; below stands what it sets otherwise. The environments' own values are in\n\
         [deploy/cloudjet](../deploy/cloudjet) (`values-prod.yaml` and so on).\n"
        .to_owned();
    let mut block = "";
    for value in values.iter().filter(|value| is_told(value)) {
        let first = value.path.first().map_or("", String::as_str);
        if first != block {
            block = first;
            let help = if value.schema.is_none() { format!("{}\n\n", value.help) } else { String::new() };
            let _ = write!(text, "\n## {block}\n\n{help}| Value | Default | May be | |\n|---|---|---|---|\n");
        }
        if let Some(schema) = &value.schema {
            let (path, help) = (value.path.join("."), value.help.replace('|', "\\|"));
            let _ = writeln!(text, "| `{path}` | {} | {} | {help} |", literal(&value.default), shape(schema));
        }
    }
    text
}

fn is_told(value: &Described) -> bool {
    value.path.first().is_none_or(|block| block != "services") || value.schema.is_none() || !value.default.is_null()
}

/// A default as it would be written.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{}`", text.replace('|', "\\|")),
        other => format!("`{}`", other.to_string().replace('|', "\\|")),
    }
}

/// What a value may be, in a few words. Patterns are the schema's: the message that refuses a value shows them.
fn shape(schema: &Value) -> String {
    if schema.has("/enum") {
        let choices: Vec<String> = schema.list("/enum").iter().map(literal).collect();
        return choices.join(", ");
    }
    let bounds = match (schema.at("/minimum"), schema.at("/maximum")) {
        (Value::Null, Value::Null) => String::new(),
        (least, most) => format!(" {least} to {most}"),
    };
    let items = schema.text("/items/type");
    let of = if items.is_empty() { String::new() } else { format!(" of {items}s") };
    format!("{}{bounds}{of}", schema.text("/type"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_told_with_its_default_and_its_bounds() {
        let value = |path: &[&str], schema: Value, default: Value| Described {
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            help: "It.".to_owned(),
            schema: (!schema.is_null()).then_some(schema),
            default,
        };
        let document = document(&[
            value(&["redis"], Value::Null, Value::Null),
            value(&["redis", "port"], json!({ "type": "integer", "minimum": 1, "maximum": 65535 }), json!(6379)),
            value(&["services"], Value::Null, Value::Null),
            value(&["services", "auth", "port"], json!({ "type": "integer" }), json!(5001)),
            value(&["services", "auth", "replicas"], json!({ "type": "integer" }), Value::Null),
        ]);
        assert!(document.contains("\n## redis\n\nIt.\n\n| Value |"), "{document}");
        assert!(document.contains("| `redis.port` | `6379` | integer 1 to 65535 | It. |\n"), "{document}");
        assert!(document.contains("services.auth.port") && !document.contains("services.auth.replicas"), "{document}");
    }

    #[test]
    fn what_a_value_may_be_is_told_shortly() {
        assert_eq!(shape(&json!({ "enum": ["a", "b"] })), "`a`, `b`");
        assert_eq!(shape(&json!({ "type": "string", "pattern": "^(a|b)$" })), "string");
        assert_eq!(shape(&json!({ "type": "array", "items": { "type": "string" } })), "array of strings");
    }
}
