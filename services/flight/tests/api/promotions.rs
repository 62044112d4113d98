//! `GET /api/flights/promotions` and `/api/promotions`: the featured offers in other words.

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{World, seed};

use crate::client;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn shows_an_offer_under_all_its_names(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = seed::schedule(world.day(3)).insert(&world.db).await;
    seed::discount(&world.db, id, 25).await;
    let expected = json!({
        "promotions": [{
            "schedule_id": id,
            "flight_id": "CJ101",
            "airline": "CloudJet",
            "departure_airport": "ICN",
            "arrival_airport": "NRT",
            "departure_name": "인천국제공항",
            "arrival_name": "나리타국제공항",
            "departure_city": "서울",
            "arrival_city": "도쿄",
            "departure_time": "06:30:00",
            "arrival_time": "09:15:00",
            "duration": "2시간 45분",
            "aircraft": "Boeing 737-800",
            "flight_date": world.day(3).to_string(),
            "available_seats": 180,
            "original_price": 320_000,
            "base_price": 320_000,
            "discounted_price": 240_000,
            "current_price": 240_000,
            "discount_percentage": 25,
            "discount_percent": 25,
        }],
        "total": 1,
    });
    let client = client(&world);
    assert_eq!(client.get("/api/flights/promotions").await.expect(200), expected);
    assert_eq!(client.get("/api/promotions").await.expect(200), expected);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn are_the_featured_flights_in_the_same_order(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    for (flight, days, percent) in
        [("CJ1", 9, 20), ("CJ2", 2, 20), ("CJ3", 1, 5), ("CJ4", 20, 60), ("CJ5", 2, 7), ("CJ6", 4, 8), ("CJ7", 5, 9)]
    {
        let id = seed::schedule(world.day(days)).flight(flight).insert(&world.db).await;
        seed::discount(&world.db, id, percent).await;
    }
    let client = client(&world);
    let ids = |list: &Value| -> Vec<i64> {
        list.as_array().unwrap().iter().map(|f| f["schedule_id"].as_i64().unwrap()).collect()
    };
    let featured = client.get("/api/flights/featured").await.expect(200);
    let promotions = client.get("/api/promotions").await.expect(200);
    assert_eq!(promotions["total"], 6);
    assert_eq!(ids(&promotions["promotions"]), ids(&featured["flights"]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn none_is_an_empty_list(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let body = client(&World::new(database)).get("/api/promotions").await.expect(200);
    assert_eq!(body, json!({"promotions": [], "total": 0}));
}
