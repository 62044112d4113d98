//! A Postman collection (format 2.1) and its environment: the journey of a passenger and of an administrator, each
//! request checking its answer, and after it every operation with its example.
//!
//! Nothing in it is drawn by chance, ids least of all, so that it changes only when the API does.

use anyhow::Result;
use serde_json::{Value, json};

use super::merge::{Api, Tag};
use super::operation::Operation;

mod journey;
mod request;
mod variables;

/// Which documents there are, by their file names.
pub(super) fn generate(api: &Api, operations: &[Operation]) -> Result<[(&'static str, Value); 2]> {
    let journey = journey::folder(operations)?;
    let groups = api.tags.iter().map(|tag| group(tag, operations));
    let folders: Vec<Value> = std::iter::once(journey).chain(groups).collect();
    let collection = json!({
        "info": {
            "_postman_id": "c10d7e70-0000-4000-8000-000000000001",
            "name": "CloudJet",
            "description": "The folder Journey runs from top to bottom, on a system that `cargo xtask up` has started. \
                The other folders hold every operation once, and take what the journey has found.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": request::bearer("token"),
        "event": [request::script("prerequest", [variables::DEPARTURE_DAY])],
        "variable": variables::of_collection(),
        "item": folders,
    });
    Ok([
        ("cloudjet.postman_collection.json", collection),
        ("cloudjet.postman_environment.json", variables::environment()),
    ])
}

/// A folder with the operations of a group. Each is answered with a status that it describes, and in JSON.
fn group(tag: &Tag, operations: &[Operation]) -> Value {
    let items = operations.iter().filter(|operation| operation.tag == tag.name).map(|operation| {
        let statuses: Vec<&String> =
            operation.described["responses"].as_object().into_iter().flatten().map(|(s, _)| s).collect();
        let documented = format!("pm.expect([{}]).to.include(pm.response.code);", join(&statuses));
        request::item(
            operation,
            &request::Wish {
                id: operation.id.clone(),
                name: operation.summary.clone(),
                body: operation.body().map(variables::in_body),
                before: &[],
                tests: vec![
                    request::test(
                        "the answer is a described one",
                        &[&documented, "pm.expect(pm.response.code).to.be.below(500);"],
                    ),
                    request::test("the answer is JSON", &["pm.response.to.be.json;"]),
                ],
            },
        )
    });
    json!({ "name": tag.name, "description": tag.description, "item": items.collect::<Vec<_>>() })
}

fn join(statuses: &[&String]) -> String {
    statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ")
}
