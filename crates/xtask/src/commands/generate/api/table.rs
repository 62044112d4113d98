//! The operations as a table for the README.

use std::fmt::Write as _;

use super::merge::Tag;
use super::operation::Operation;
use crate::commands::generate::markers::cell;

/// Operations that do the same, at one or several addresses.
struct Row<'a> {
    method: &'a str,
    audience: &'static str,
    summary: &'a str,
    paths: Vec<&'a str>,
}

/// The operations, group by group. One that has several addresses stands once.
pub(super) fn endpoints(tags: &[Tag], operations: &[Operation]) -> String {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for tag in tags {
        for operation in operations.iter().filter(|operation| operation.tag == tag.name) {
            let Operation { method, path, summary, .. } = operation;
            let audience = operation.audience();
            let same = |row: &&mut Row<'_>| (row.method, row.audience, row.summary) == (method, audience, summary);
            match rows.iter_mut().find(same) {
                Some(row) => row.paths.push(path),
                None => rows.push(Row { method, audience, summary, paths: vec![path] }),
            }
        }
    }
    let mut text = "\n| Endpoint | For | |\n|---|---|---|\n".to_owned();
    for Row { method, audience, summary, paths } in rows {
        let _ = writeln!(text, "| `{method} {}` | {audience} | {} |", paths.join("`, `"), cell(summary));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::generate::api::operation;

    #[test]
    fn what_has_two_addresses_stands_once() {
        let get =
            |id: &str, tag: &str| json!({ "get": { "operationId": id, "tags": [tag], "summary": "List airports" } });
        let paths = json!({ "/api/airports": get("b", "gateway"), "/api/flights/airports": get("a", "flight") });
        let tags = ["flight", "gateway"].map(|name| Tag { name, description: String::new() });
        let table = endpoints(&tags, &operation::all(paths.as_object().unwrap()).unwrap());
        assert!(
            table.ends_with("| `GET /api/flights/airports`, `/api/airports` | anyone | List airports |\n"),
            "{table}"
        );
    }
}
