//! Every operation of the description, with a session and without.

use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Method};
use booking_service::api;
use chrono::TimeDelta;
use common::auth::{Role, Tokens};
use common::clock::Clock;
use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::Service;

const KEY: &str = "a-key-for-tests-that-nobody-else-uses";

/// Method, path and whether a session is needed, of every operation there is.
fn operations() -> Vec<(Method, String, bool)> {
    let description = serde_json::to_value(api().into_openapi()).unwrap();
    let every = |(path, item): (&String, &Value)| -> Vec<(Method, String, bool)> {
        let path = path.replace("{booking_number}", "CJ00000000").replace("{schedule_id}", "10000001");
        let methods = item.as_object().into_iter().flatten();
        methods
            .map(|(method, operation)| {
                (method.to_uppercase().parse().unwrap(), path.clone(), !operation["security"].is_null())
            })
            .collect()
    };
    description["paths"].as_object().unwrap().iter().flat_map(every).collect()
}

#[test]
fn only_these_operations_are_public() {
    let public: Vec<String> = operations().into_iter().filter(|o| !o.2).map(|o| format!("{} {}", o.0, o.1)).collect();
    assert_eq!(public, ["GET /api/bookings/health", "GET /api/bookings/occupied-seats/10000001"]);
    assert_eq!(operations().len(), 6);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_session_is_needed_where_the_description_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let world = &service.world;
    let id = seed::user(&world.db).await;
    let old = world.token(id);
    world.pass(TimeDelta::hours(24));
    let good = world.token(id);
    let nobody = world.token(id + 1000);
    let issued = |key: &str, clock: Clock, role| Tokens::new(&key.into(), clock).issue(id, role).unwrap();
    let forged = issued("another-key-that-nobody-was-given-0001", world.clock.clone(), Role::Admin);
    let tomorrow = issued(KEY, Clock::fixed(world.now() + TimeDelta::hours(1)), Role::User);
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);

    for (method, path, needs_session) in operations() {
        let call = async |header: Option<&str>| {
            let client = header.map_or(service.client.clone(), |h| service.client.with(AUTHORIZATION, h));
            client.send(method.clone(), &path, Some("application/json"), Body::from("{}")).await
        };
        for header in [
            None,
            Some(String::new()),
            Some("Bearer".to_owned()),
            Some("Bearer ".to_owned()),
            Some("Bearer nonsense".to_owned()),
            Some("Bearer a.b.c".to_owned()),
            Some("Basic a2ltOnB3".to_owned()),
            Some(format!("Basic {good}")),
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
                assert_eq!(answer.status, 200, "{method} {path} with {header:?}: public means public");
            }
        }
        for header in [format!("Bearer {good}"), format!("bearer {good}"), good.clone()] {
            let answer = call(Some(&header)).await;
            assert!(![401, 403, 500].contains(&answer.status.as_u16()), "{method} {path}: {}", answer.body);
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_session_of_an_account_that_is_gone_ends_with_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.traveller().await;
    let _ = buyer.get("/api/bookings").await.expect(200);
    service.by_hand("delete from users where user_id = ?", buyer.id).await;
    for (method, path, needs_session) in operations() {
        let answer = buyer.send(method, &path, Some("application/json"), Body::from("{}")).await;
        if needs_session {
            answer.refused(401, "unauthorized");
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_header_that_is_no_text_is_no_session(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let header = HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap();
    assert!(header.to_str().is_err());
    let latin = service.client.with(AUTHORIZATION, "Bearer \u{e9}");
    latin.get("/api/bookings").await.refused(401, "unauthorized");
}
