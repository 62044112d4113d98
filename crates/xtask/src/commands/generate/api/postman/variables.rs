//! What requests hand on to later ones, and what differs from one system to another.

use serde_json::{Value, json};

/// Variables of the collection with what they begin with. Their names are those of the fields they fill.
const OF_COLLECTION: [(&str, &str); 21] = [
    ("baseUrl", "http://localhost:5000"),
    ("simulatorUrl", "http://localhost:5010"),
    ("adminEmail", "admin@cloudjet.com"),
    ("adminPassword", "admin123"),
    ("departure", "ICN"),
    ("arrival", "NRT"),
    ("date", ""),
    ("email", "user@cloudjet.com"),
    ("password", "user1234"),
    ("token", ""),
    ("adminToken", ""),
    ("scheduleId", "10000001"),
    ("amount", "320000"),
    ("seatId", "12A"),
    ("bookingId", "1"),
    ("passengerId", "1"),
    ("bookingNumber", "CJ4K7Q2M9X"),
    ("orderId", "CJ-ORD-7-10000001-0f3a9c2e"),
    ("flightId", "CJ101"),
    ("discountId", "1"),
    ("term", "CJ4K7Q2M9X"),
];

/// Which of them a system has its own values for: an environment is one system.
const OF_SYSTEM: usize = 4;

/// Sets the day to search, if none is set: a week ahead in Seoul, nine hours east. Postman's sandbox knows no zones.
pub(super) const DEPARTURE_DAY: &str = "if (!pm.variables.get('date')) pm.collectionVariables.set('date', \
     new Date(Date.now() + (9 + 7 * 24) * 3600 * 1000).toISOString().slice(0, 10));";

pub(super) fn of_collection() -> Vec<Value> {
    OF_COLLECTION.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

pub(super) fn environment() -> Value {
    let values = OF_COLLECTION[..OF_SYSTEM].iter().map(|(key, value)| {
        let kind = if key.ends_with("Password") { "secret" } else { "default" };
        json!({ "key": key, "value": value, "type": kind, "enabled": true })
    });
    json!({
        "id": "c10d7e70-0000-4000-8000-000000000002",
        "name": "CloudJet on this machine",
        "values": values.collect::<Vec<_>>(),
        "_postman_variable_scope": "environment",
    })
}

/// The reference to the variable for a field or parameter called `name`, in either spelling.
pub(super) fn for_field(name: &str) -> Option<String> {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        camel.push_str(&first.to_uppercase());
        camel.push_str(rest);
    }
    let known = OF_COLLECTION[OF_SYSTEM..].iter().any(|(key, _)| *key == camel);
    known.then(|| format!("{{{{{camel}}}}}"))
}

/// An example body with variables in the place of what they fill. A number stays one: its reference has no quotes.
pub(super) fn in_body(example: &Value) -> String {
    /// Stands beside quotes that are to go. JSON text can't hold it.
    const BARE: char = '\u{1}';
    fn fill(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    match (for_field(name), &*field) {
                        (Some(reference), Value::String(_)) => *field = reference.into(),
                        (Some(reference), Value::Number(_)) => *field = format!("{BARE}{reference}{BARE}").into(),
                        _ => fill(field),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(fill),
            _ => {}
        }
    }
    let mut body = example.clone();
    fill(&mut body);
    let text = format!("{body:#}");
    text.replace("\"\\u0001", "").replace("\\u0001\"", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_under_either_spelling() {
        assert_eq!(for_field("booking_number").as_deref(), Some("{{bookingNumber}}"));
        assert_eq!(for_field("scheduleId").as_deref(), Some("{{scheduleId}}"));
        assert_eq!(for_field("name"), None);
        assert_eq!(for_field("base_url"), None, "no field is about the system");
    }

    #[test]
    fn a_number_is_filled_without_quotes() {
        let body = in_body(&json!({ "schedule_id": 10, "list": [{ "email": "a@b.c", "n": 1 }] }));
        assert_eq!(
            body,
            "{\n  \"list\": [\n    {\n      \"email\": \"{{email}}\",\n      \"n\": 1\n    }\n  ],\n  \"schedule_id\": {{scheduleId}}\n}"
        );
    }
}
