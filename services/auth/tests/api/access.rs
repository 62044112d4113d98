//! Every operation of the description, with a session and without.

use auth_service::api;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;
use testkit::description::{assert_committed_and_complete, assert_guarded, operations};

use crate::client;

#[test]
fn the_committed_description_is_the_current_one() {
    assert_committed_and_complete(&api().into_openapi(), include_str!("../../openapi.json"));
}

#[test]
fn only_these_operations_are_public() {
    let operations = operations(&api().into_openapi());
    let public: Vec<_> =
        operations.iter().filter(|o| !o.needs_session).map(|o| format!("{} {}", o.method, o.path)).collect();
    assert_eq!(public, ["GET /api/auth/health", "POST /api/auth/login", "POST /api/auth/signup", "GET /api/health"]);
    assert_eq!(operations.len(), 8);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_session_is_needed_where_the_description_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    assert_guarded(&world, &client(&world), &api().into_openapi()).await;
}
