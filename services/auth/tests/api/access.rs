//! Every operation of the description, with a session and without.

use auth_service::api;
use axum::body::Body;
use axum::http::Method;
use chrono::TimeDelta;
use common::auth::{Role, Tokens};
use common::clock::Clock;
use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{World, seed};

use crate::client;

/// Method, path and whether a session is needed, of every operation there is.
fn operations() -> Vec<(Method, String, bool)> {
    let description = serde_json::to_value(api().into_openapi()).expect("a description");
    let paths = description["paths"].as_object().expect("paths");
    let every = |(path, item): (&String, &Value)| -> Vec<(Method, String, bool)> {
        let methods = item.as_object().into_iter().flatten();
        methods
            .map(|(method, operation)| {
                (method.to_uppercase().parse().expect("a method"), path.clone(), !operation["security"].is_null())
            })
            .collect()
    };
    paths.iter().flat_map(every).collect()
}

#[test]
fn only_these_operations_are_public() {
    let public: Vec<String> = operations().into_iter().filter(|o| !o.2).map(|o| format!("{} {}", o.0, o.1)).collect();
    assert_eq!(public, ["GET /api/auth/health", "POST /api/auth/login", "POST /api/auth/signup", "GET /api/health"]);
    assert_eq!(operations().len(), 8);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_session_is_needed_where_the_description_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = seed::user(&world.db).await;
    let old = world.token(id);
    world.pass(TimeDelta::hours(24));
    let good = world.token(id);
    let nobody = world.token(id + 1000);
    let forged = Tokens::new(&"another-key-that-nobody-was-given-0001".into(), world.clock.clone())
        .issue(id, Role::Admin)
        .unwrap();
    let tomorrow =
        Tokens::new(&"a-key-for-tests-that-nobody-else-uses".into(), Clock::fixed(world.now() + TimeDelta::hours(1)))
            .issue(id, Role::User)
            .unwrap();
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);

    for (method, path, needs_session) in operations() {
        let call = async |header: Option<&str>| {
            let client = client(&world);
            let client = header.map_or(client.clone(), |h| client.with(axum::http::header::AUTHORIZATION, h));
            client.send(method.clone(), &path, Some("application/json"), Body::from("{}")).await
        };
        for header in [
            None,
            Some(String::new()),
            Some("Bearer".to_owned()),
            Some("Bearer nonsense".to_owned()),
            Some("Basic a2ltOnB3".to_owned()),
            Some(format!("Bearer {old}")),
            Some(format!("Bearer {nobody}")),
            Some(format!("Bearer {forged}")),
            Some(format!("Bearer {tomorrow}")),
            Some(format!("Bearer {unsigned}")),
        ] {
            let answer = call(header.as_deref()).await;
            if needs_session {
                answer.refused(401, "unauthorized");
            } else {
                assert_ne!(answer.status, 401, "{method} {path} with {header:?}: public means public");
            }
        }
        for header in [format!("Bearer {good}"), format!("bearer {good}"), good.clone()] {
            let answer = call(Some(&header)).await;
            assert_ne!(answer.status, 401, "{method} {path} with {header:?}");
        }
    }
}
