//! Every operation of the description, with a session and without.

use payment_service::api;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::description::{assert_guarded, operations};

use crate::support::Service;

#[test]
fn only_these_operations_are_public() {
    let operations = operations(&api().into_openapi());
    let public: Vec<_> =
        operations.iter().filter(|o| !o.needs_session).map(|o| format!("{} {}", o.method, o.path)).collect();
    assert_eq!(public, ["GET /api/payments/health", "POST /api/payments/webhook"]);
    assert_eq!(operations.len(), 7);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_session_is_needed_where_the_description_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    assert_guarded(&service.world, &service.client, &api().into_openapi()).await;
}
