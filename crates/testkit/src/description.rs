//! What must hold of every service's description, and of every operation in it.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use chrono::TimeDelta;
use common::auth::{Role, Tokens};
use common::clock::Clock;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::{Client, World, seed};

/// An operation of a description.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its method.
    pub method: Method,
    /// Its path, with its parameters in braces.
    pub path: String,
    /// Whether it says that it wants a session.
    pub needs_session: bool,
}

impl Operation {
    /// An address it is reached at: its path, with 1 for every parameter.
    fn address(&self) -> String {
        let parts = self.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// Every operation that `api` describes.
///
/// # Panics
/// When it is no description.
pub fn operations(api: &OpenApi) -> Vec<Operation> {
    let description = serde_json::to_value(api).expect("a description");
    let mut operations = Vec::new();
    for (path, item) in description["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let method = method.to_uppercase().parse().expect("a method");
            operations.push(Operation { method, path: path.clone(), needs_session: !operation["security"].is_null() });
        }
    }
    operations
}

/// Asserts that the committed description is the current one; that every operation has a name of its own and says in
/// which shape it answers; and that it is right about what may be missing.
///
/// # Panics
/// When it isn't so.
#[track_caller]
pub fn assert_committed_and_complete(api: &OpenApi, committed: &str) {
    let current = api.to_pretty_json().expect("a description");
    assert!(current.trim_end() == committed.trim_end(), "run `cargo xtask generate`");
    let description = serde_json::to_value(api).expect("a description");
    assert_eq!(description["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (path, item) in description["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name = operation["operationId"].as_str().expect("an operation's name");
            assert!(names.insert(name.to_owned()), "{method} {path}: {name} again");
            let answers = operation["responses"].as_object().expect("answers");
            for (status, answer) in answers.iter().filter(|(status, _)| *status != "304") {
                let shape = if status.starts_with('2') { "application/json" } else { "application/problem+json" };
                assert!(answer["content"][shape]["schema"] != Value::Null, "{method} {path} {status}");
                if status.starts_with('2') {
                    assert_always_whole(&schemas_in(answer, &description));
                }
            }
            assert_required_is_not_null(&schemas_in(&operation["requestBody"], &description));
        }
    }
}

/// Asserts that answers have all their fields: what is not known is null, and clients needn't ask whether it is there.
fn assert_always_whole(schemas: &BTreeMap<&str, &Value>) {
    for (schema, field, _, is_required) in fields(schemas) {
        assert!(is_required, "{schema}.{field} is never left out: #[schema(required)]");
    }
}

/// Asserts that no field that a request must have may be null: a null counts as missing.
fn assert_required_is_not_null(schemas: &BTreeMap<&str, &Value>) {
    for (schema, field, described, _) in fields(schemas).filter(|(.., is_required)| *is_required) {
        let mut types = described["type"].as_array().into_iter().flatten();
        let mut shapes = described["oneOf"].as_array().into_iter().flatten();
        let may_be_null = types.any(|kind| kind == "null") || shapes.any(|shape| shape["type"] == "null");
        assert!(!may_be_null, "{schema}.{field} must not be null: #[schema(nullable = false)]");
    }
}

/// Every field of `schemas`: whose, its name, how it is described, and whether it is required.
fn fields<'d>(schemas: &BTreeMap<&'d str, &'d Value>) -> impl Iterator<Item = (&'d str, &'d str, &'d Value, bool)> {
    schemas.iter().flat_map(|(name, schema)| {
        let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        let properties = schema["properties"].as_object().into_iter().flatten();
        properties.map(move |(field, described)| {
            (*name, field.as_str(), described, required.iter().any(|required| required == field.as_str()))
        })
    })
}

/// The named schemas that `part` of a description is made of, and those that they are made of.
fn schemas_in<'d>(part: &'d Value, description: &'d Value) -> BTreeMap<&'d str, &'d Value> {
    let (mut found, mut unread) = (BTreeMap::new(), vec![part]);
    while let Some(value) = unread.pop() {
        match value {
            Value::Array(values) => unread.extend(values),
            Value::Object(fields) => unread.extend(fields.values()),
            Value::String(text) => {
                if let Some(name) = text.strip_prefix("#/components/schemas/") {
                    let schema = &description["components"]["schemas"][name];
                    if found.insert(name, schema).is_none() {
                        unread.push(schema);
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Asserts that every operation that wants a session refuses one of a passenger, and lets an administrator's in.
///
/// # Panics
/// When it isn't so.
pub async fn assert_for_administrators(world: &World, client: &Client, api: &OpenApi) {
    let (passenger, administrator) = (seed::user(&world.db).await, seed::admin(&world.db).await);
    let call = async |operation: &Operation, id| {
        let client = client.signed_in(&world.token(id));
        client.send(operation.method.clone(), &operation.address(), Some("application/json"), Body::from("{}")).await
    };
    for operation in operations(api).iter().filter(|operation| operation.needs_session) {
        call(operation, passenger).await.refused(403, "forbidden");
        let answer = call(operation, administrator).await;
        assert!(!matches!(answer.status.as_u16(), 401 | 403), "{operation:?}: {}", answer.body);
    }
}

/// Asserts that exactly the operations that say so want a session, and that none but a good one will do.
///
/// # Panics
/// When it isn't so.
pub async fn assert_guarded(world: &World, client: &Client, api: &OpenApi) {
    let id = seed::user(&world.db).await;
    let old = world.token(id);
    world.pass(TimeDelta::hours(24));
    let good = world.token(id);
    let stranger = Tokens::new(&"another-key-that-nobody-was-given-0001".into(), world.clock.clone());
    let forged = stranger.issue(id, Role::Admin).expect("a token");
    let future =
        World::tokens_at(Clock::fixed(world.now() + TimeDelta::hours(1))).issue(id, Role::User).expect("a token");
    let unsigned = format!("{}.", good.rsplit_once('.').expect("a token").0);
    let of_nobody = world.token(id + 1000);
    let bad = [&old, &future, &forged, &unsigned, &of_nobody, "nonsense"].map(|token| format!("Bearer {token}"));
    let bad: Vec<Option<&str>> =
        bad.iter().map(String::as_str).chain(["", "Bearer", "Basic a2ltOnB3"]).map(Some).chain([None]).collect();
    let call = async |operation: &Operation, header: Option<&str>| {
        let client = header.map_or(client.clone(), |header| client.with(AUTHORIZATION, header));
        client.send(operation.method.clone(), &operation.address(), Some("application/json"), Body::from("{}")).await
    };
    for operation in operations(api) {
        for header in &bad {
            let answer = call(&operation, *header).await;
            if operation.needs_session {
                answer.refused(401, "unauthorized");
            } else {
                assert_ne!(answer.status, 401, "{operation:?} with {header:?}: public means public");
            }
        }
        for header in [format!("Bearer {good}"), format!("bearer {good}"), good.clone()] {
            let answer = call(&operation, Some(&header)).await;
            assert_ne!(answer.status, 401, "{operation:?}");
        }
    }
}
