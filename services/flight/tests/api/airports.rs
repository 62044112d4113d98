//! `GET /api/flights/airports` and `/api/airports`: where one can fly.

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{World, seed};

use crate::client;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn are_listed_by_name_under_both_paths(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    seed::airports(&world.db).await;
    let expected = json!({"airports": [
        {"airport_code": "NRT", "airport_name": "나리타국제공항", "city": "도쿄", "country": "일본"},
        {"airport_code": "LAX", "airport_name": "로스앤젤레스국제공항", "city": "로스앤젤레스", "country": "미국"},
        {"airport_code": "ICN", "airport_name": "인천국제공항", "city": "서울", "country": "대한민국"},
    ]});
    let client = client(&world);
    for path in ["/api/flights/airports", "/api/airports"] {
        let answer = client.get(path).await;
        assert!(answer.headers["cache-control"].to_str().unwrap().starts_with("public, max-age="));
        assert_eq!(answer.expect(200), expected);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn may_be_none(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let body = client(&World::new(database)).get("/api/airports").await.expect(200);
    assert_eq!(body, json!({"airports": []}));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_new_one_is_listed_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    seed::airports(&world.db).await;
    let client = client(&world);
    assert_eq!(client.get("/api/airports").await.expect(200)["airports"].as_array().unwrap().len(), 3);
    sqlx::query("insert into airports (airport_code, airport_name, city, country) values ('GMP', '김포국제공항', '서울', '대한민국')")
        .execute(&world.db)
        .await
        .unwrap();
    assert_eq!(client.get("/api/airports").await.expect(200)["airports"][0]["airport_code"], "GMP");
}
