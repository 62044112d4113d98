//! `GET /api/flights/featured`: the six best discounts.

use catalogue::departure;
use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, World, seed};

use crate::{by_hand, client};

async fn ids(client: &Client) -> Vec<i64> {
    let body = client.get("/api/flights/featured").await.expect(200);
    let flights = body["flights"].as_array().unwrap();
    assert_eq!(body["total"], flights.len());
    flights.iter().map(|f| f["schedule_id"].as_i64().unwrap()).collect()
}

/// A discounted schedule on day `days` from today.
async fn offer(world: &World, flight: &str, days: i64, percent: i64) -> i64 {
    let id = seed::schedule(world.day(days)).flight(flight).insert(&world.db).await;
    seed::discount(&world.db, id, percent).await;
    id
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn shows_an_offer_as_a_search_does_but_for_two_names(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = offer(&world, "CJ101", 3, 25).await;
    let client = client(&world);
    let body = client.get("/api/flights/featured").await.expect(200);
    let expected = json!({
        "flights": [{
            "schedule_id": id,
            "flight_id": "CJ101",
            "flightId": "CJ101",
            "airline": "CloudJet",
            "departure_airport": "ICN",
            "departureAirport": "ICN",
            "arrival_airport": "NRT",
            "arrivalAirport": "NRT",
            "departure_name": "인천국제공항",
            "arrival_name": "나리타국제공항",
            "departureTime": "06:30:00",
            "arrivalTime": "09:15:00",
            "duration": "2시간 45분",
            "aircraft": "Boeing 737-800",
            "original_price": 320_000,
            "price": 240_000,
            "discounted_price": 240_000,
            "available_seats": 180,
            "date": world.day(3).to_string(),
            "discount_percentage": 25,
            "has_discount": true,
        }],
        "total": 1,
    });
    assert_eq!(body, expected);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_discounts_there_are_no_offers(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = seed::schedule(world.day(3)).insert(&world.db).await;
    seed::discount(&world.db, id, 25).await;
    by_hand(&world.db, "update flight_discounts set status = 'INACTIVE' where schedule_id = ?", id).await;
    let body = client(&world).get("/api/flights/featured").await.expect(200);
    assert_eq!(body, json!({"flights": [], "total": 0}));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_biggest_discount_comes_first_then_the_earliest_day_then_the_lower_id(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let world = World::new(database);
    let (far, near) = (offer(&world, "CJ1", 9, 20).await, offer(&world, "CJ2", 2, 20).await);
    let (small, big) = (offer(&world, "CJ3", 1, 5).await, offer(&world, "CJ4", 20, 60).await);
    let near_too = offer(&world, "CJ5", 2, 20).await;
    assert_eq!(ids(&client(&world)).await, [big, near, near_too, far, small]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn six_are_shown_at_most(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let mut expected = Vec::new();
    for (n, flight) in ["CJ1", "CJ2", "CJ3", "CJ4", "CJ5", "CJ6", "CJ7", "CJ8"].iter().enumerate() {
        expected.push(offer(&world, flight, 3, 50 - i64::try_from(n).unwrap()).await);
    }
    assert_eq!(ids(&client(&world)).await, expected[..6]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_on_sale_is_left_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let on_sale = offer(&world, "CJ1", 3, 10).await;
    offer(&world, "CJ2", -1, 90).await;
    for (flight, change) in [
        ("CJ3", "update flight_schedules set status = 'CANCELLED' where schedule_id = ?"),
        ("CJ4", "update flight_schedules set status = 'DELAYED' where schedule_id = ?"),
        ("CJ5", "update flight_schedules set available_seats = 0 where schedule_id = ?"),
        (
            "CJ6",
            "update flights set is_active = false where flight_id = (select flight_id from flight_schedules where schedule_id = ?)",
        ),
        ("CJ7", "update flight_discounts set status = 'EXPIRED' where schedule_id = ?"),
        ("CJ8", "update flight_discounts set status = null where schedule_id = ?"),
    ] {
        let id = offer(&world, flight, 3, 90).await;
        by_hand(&world.db, change, id).await;
    }
    let client = client(&world);
    assert_eq!(ids(&client).await, [on_sale]);
    by_hand(&world.db, "update flight_schedules set status = null where schedule_id = ?", on_sale).await;
    assert_eq!(ids(&client).await, [on_sale]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_offer_ends_when_its_flight_leaves(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = offer(&world, "CJ1", 2, 10).await;
    let client = client(&world);
    let leaves = departure(world.day(2), "06:30:00".parse().unwrap(), "Asia/Seoul");
    world.pass(leaves - TimeDelta::seconds(1) - world.now());
    assert_eq!(ids(&client).await, [id]);
    world.pass(TimeDelta::seconds(1));
    assert_eq!(ids(&client).await, Vec::<i64>::new());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn today_is_the_day_it_is_in_seoul(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(2);
    let from_los_angeles = seed::schedule(day).route("LAX", "ICN").departs("20:00:00").insert(&world.db).await;
    seed::discount(&world.db, from_los_angeles, 10).await;
    let client = client(&world);
    let midnight = departure(day + TimeDelta::days(1), "00:00:00".parse().unwrap(), "Asia/Seoul");
    world.pass(midnight - TimeDelta::seconds(1) - world.now());
    assert_eq!(ids(&client).await, [from_los_angeles]);
    world.pass(TimeDelta::seconds(1));
    assert_eq!(ids(&client).await, Vec::<i64>::new());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn better_offers_that_have_left_push_none_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    for n in 0..53 {
        offer(&world, &format!("CJ{}", 200 + n), 2, 90).await;
    }
    let mut expected = Vec::new();
    for n in 0..7 {
        expected.push(offer(&world, &format!("CJ{}", 300 + n), 3, 20).await);
    }
    let leaves = departure(world.day(2), "06:30:00".parse().unwrap(), "Asia/Seoul");
    world.pass(leaves - world.now());
    assert_eq!(ids(&client(&world)).await, expected[..6]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_change_by_hand_counts_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = offer(&world, "CJ1", 3, 10).await;
    let client = client(&world);
    assert_eq!(ids(&client).await, [id]);
    by_hand(
        &world.db,
        "update flight_schedules set available_seats = 7, current_price = 100000 where schedule_id = ?",
        id,
    )
    .await;
    let body: Value = client.get("/api/flights/featured").await.expect(200);
    assert_eq!((&body["flights"][0]["available_seats"], &body["flights"][0]["price"]), (&json!(7), &json!(90_000)));
}
