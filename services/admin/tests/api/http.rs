//! What every answer has in common.

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::Service;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_unknown_path_is_404_in_json_for_everybody(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    for client in [service.client.clone(), service.admin().await] {
        for path in ["/api/admin", "/api/admin/users", "/api/admin/flights/", "/api/health"] {
            let answer = client.get(path).await;
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
            answer.refused(404, "not-found");
        }
    }
}
