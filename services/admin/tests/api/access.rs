//! Every operation of the description, with a session and without, with the right to administer and without.

use admin_service::api;
use common::auth::Role;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::description::{assert_for_administrators, assert_guarded, operations};
use testkit::seed;

use crate::support::Service;

#[test]
fn only_health_is_public() {
    let operations = operations(&api().into_openapi());
    let public: Vec<_> =
        operations.iter().filter(|o| !o.needs_session).map(|o| format!("{} {}", o.method, o.path)).collect();
    assert_eq!(public, ["GET /api/admin/health"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_session_is_needed_where_the_description_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    assert_guarded(&service.world, &service.client, &api().into_openapi()).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_session_is_not_enough(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    assert_for_administrators(&service.world, &service.client, &api().into_openapi()).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_right_to_administer_ends_with_the_role_and_not_with_the_session(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let id = seed::admin(&service.world.db).await;
    // The token still says that it is an administrator's.
    let admin = service.client.signed_in(&service.world.tokens.issue(id, Role::Admin).unwrap());
    let _ = admin.get("/api/admin/flights").await.expect(200);
    service.by_hand("update users set role = 'USER' where user_id = ?", id).await;
    admin.get("/api/admin/flights").await.refused(403, "forbidden");
    service.by_hand("update users set role = null where user_id = ?", id).await;
    admin.get("/api/admin/flights").await.refused(403, "forbidden");
    service.by_hand("update users set role = 'ADMIN' where user_id = ?", id).await;
    let _ = admin.get("/api/admin/flights").await.expect(200);
    service.by_hand("delete from users where user_id = ?", id).await;
    admin.get("/api/admin/flights").await.refused(401, "unauthorized");
}
