//! `GET /api/admin/schedules`

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::Service;

const SCHEDULES: &str = "/api/admin/schedules";

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_schedule_is_listed_with_its_flight_and_its_discount(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let day = service.world.day(3);
    let id = seed::schedule(day).insert(&service.world.db).await;
    let admin = service.admin().await;
    let mut listed = json!({
        "schedule_id": id, "flight_id": "CJ101", "flight_date": day.to_string(), "current_price": 320_000,
        "departure_airport": "ICN", "arrival_airport": "NRT", "departure_time": "06:30:00", "arrival_time": "09:15:00",
        "duration": "2시간 45분", "airline": "CloudJet", "aircraft": "Boeing 737-800",
        "departure_name": "인천국제공항", "arrival_name": "나리타국제공항",
        "discount_percentage": null, "discount_status": null,
    });
    assert_eq!(admin.get(SCHEDULES).await.expect(200), json!({ "schedules": [listed] }));
    // Only one that counts is shown.
    seed::discount(&service.world.db, id, 10).await;
    service.by_hand("update flight_discounts set status = 'INACTIVE' where schedule_id = ?", id).await;
    assert_eq!(admin.get(SCHEDULES).await.expect(200), json!({ "schedules": [listed] }));
    seed::discount(&service.world.db, id, 25).await;
    (listed["discount_percentage"], listed["discount_status"]) = (json!(25), json!("ACTIVE"));
    assert_eq!(admin.get(SCHEDULES).await.expect(200), json!({ "schedules": [listed] }));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_flown_from_today_on_is_listed_in_order_and_in_parts(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (world, admin) = (&service.world, service.admin().await);
    let at = async |flight: &str, day: i64, departs| {
        seed::schedule(world.day(day)).flight(flight).departs(departs).insert(&world.db).await
    };
    let late = at("CJ1", 1, "21:00:00").await;
    let next = at("CJ2", 2, "05:00:00").await;
    let early = at("CJ3", 1, "06:00:00").await;
    let as_early = at("CJ4", 1, "06:00:00").await;
    let today = at("CJ1", 0, "21:00:00").await;
    let _yesterday = at("CJ1", -1, "21:00:00").await;
    for (flight, statement) in [
        ("CJ5", "update flight_schedules set status = 'CANCELLED' where schedule_id = ?"),
        ("CJ6", "update flight_schedules set status = 'DELAYED' where schedule_id = ?"),
        (
            "CJ7",
            "update flights set is_active = false where flight_id = (select flight_id from flight_schedules where schedule_id = ?)",
        ),
    ] {
        service.by_hand(statement, at(flight, 1, "06:00:00").await).await;
    }
    service.by_hand("update flight_schedules set status = null where schedule_id = ?", late).await;
    let listed = async |query: &str| {
        let body = admin.get(&format!("{SCHEDULES}{query}")).await.expect(200);
        let schedules = body["schedules"].as_array().unwrap().clone();
        schedules.iter().map(|s| s["schedule_id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, [today, early, as_early, late, next]);
    assert_eq!(listed("?limit=2&offset=1").await, [early, as_early]);
    admin.get(&format!("{SCHEDULES}?limit=0")).await.refused_field("limit");
}
