//! `/api/admin/flights`: listed, created, taken off sale.

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::{PUBLISH, Service, booking, flight, on, with};

const FLIGHTS: &str = "/api/admin/flights";

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_new_flight_is_listed_with_all_that_is_known_of_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let admin = service.admin().await;
    let answer = admin.post(FLIGHTS, &flight("CJ900")).await.expect(201);
    assert_eq!(answer, json!({"message": "항공편이 등록되었습니다.", "flight_id": "CJ900", "success": true}));
    let listed = json!({
        "flight_id": "CJ900", "airline": "CloudJet", "departure_airport": "ICN", "arrival_airport": "NRT",
        "departure_time": "06:30:00", "arrival_time": "09:15:00", "duration": "2시간 45분",
        "aircraft": "Boeing 737-800", "base_price": 320_000, "total_seats": 180, "is_active": true,
        "departure_airport_name": "인천국제공항", "arrival_airport_name": "나리타국제공항",
    });
    assert_eq!(admin.get(FLIGHTS).await.expect(200), json!({ "flights": [listed] }));
    let history = service.history("FLIGHT", "CJ900").await;
    let [(actor, action, detail)] = &history[..] else { panic!("{history:?}") };
    assert_eq!((actor.as_str(), action.as_str()), ("ADMIN", "created"));
    assert_eq!((&detail["old"], &detail["new"]["base_price"]), (&Value::Null, &json!(320_000)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_may_be_spelled_in_other_ways(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let admin = service.admin().await;
    let spelled = json!({
        "flight_id": "cj901", "departure_airport": "icn", "arrival_airport": "lax", "departure_time": "11:00:30",
        "arrival_time": "06:30:00", "base_price": "850000", "duration": "11시간 30분",
        // A new flight's airline and seats are always the same.
        "airline": "Somebody", "total_seats": 12,
    });
    let answer = admin.in_english().post(FLIGHTS, &with(flight("CJ901"), &spelled)).await.expect(201);
    assert_eq!((&answer["message"], &answer["flight_id"]), (&json!("The flight has been created."), &json!("CJ901")));
    let listed = admin.get(FLIGHTS).await.expect(200)["flights"][0].clone();
    for (field, value) in [
        ("departure_airport", json!("ICN")),
        ("arrival_airport", json!("LAX")),
        ("departure_time", json!("11:00:30")),
        ("arrival_time", json!("06:30:00")),
        ("duration", json!("11시간 30분")),
        ("base_price", json!(850_000)),
        ("airline", json!("CloudJet")),
        ("total_seats", json!(180)),
    ] {
        assert_eq!(listed[field], value, "{field}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_number_can_be_used_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let admin = service.admin().await;
    let _ = admin.post(FLIGHTS, &flight("CJ900")).await.expect(201);
    admin.post(FLIGHTS, &flight("CJ900")).await.refused(409, "flight-exists");
    admin.post(FLIGHTS, &flight("cj900")).await.refused(409, "flight-exists");
    let _ = admin.delete("/api/admin/flights/CJ900").await.expect(200);
    admin.post(FLIGHTS, &flight("CJ900")).await.refused(409, "flight-exists");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_can_not_be_accepted_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let admin = service.admin().await;
    let long = "가".repeat(51);
    let refused = [
        ("flight_id", json!(["", "  ", "CJ-900", "CJ 900", "ABCDE123456", "대한900", "<b>", "CJ'900", 900, null])),
        ("departure_airport", json!(["", "IC", "ICNN", "1CN", "QQQ", 7, null])),
        ("arrival_airport", json!(["", "ICN", "icn", "QQQ", "N:T", null])),
        ("departure_time", json!(["", "6:30", "24:00", "06:60", "0630", "06:30 ", 630, null])),
        ("arrival_time", json!(["", "9:15", "09:15:60", "noon", null])),
        ("duration", json!(["", "2h 45m", "2시간 60분", "2시간", "<b>", "100시간 0분", 165])),
        ("aircraft", json!(["", " ", "<img src=x>", "Boeing\n737", long, 737, null])),
        ("base_price", json!([9_999, 10_000_000, -1, 0, "", "many", 320_000.5, true, null])),
    ];
    for (field, values) in refused {
        for value in values.as_array().unwrap() {
            let request = with(flight("CJ900"), &json!({ field: value }));
            admin.post(FLIGHTS, &request).await.refused_field(field);
        }
        if field != "duration" {
            let mut request = flight("CJ900");
            request.as_object_mut().unwrap().remove(field);
            admin.post(FLIGHTS, &request).await.refused_field(field);
        }
    }
    admin.post(FLIGHTS, &json!([1])).await.refused(400, "malformed-json");
    assert_eq!(admin.get(FLIGHTS).await.expect(200), json!({ "flights": [] }));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn flights_on_sale_are_listed_by_departure_and_in_parts(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let admin = service.admin().await;
    for (number, departs) in [("CJ3", "10:00"), ("CJ2", "06:30"), ("CJ1", "06:30"), ("CJ4", "05:00")] {
        let _ = admin.post(FLIGHTS, &with(flight(number), &json!({ "departure_time": departs }))).await.expect(201);
    }
    service
        .by_hand("update flights set is_active = null, airline = null, total_seats = null where flight_id = ?", "CJ1")
        .await;
    service.by_hand("update flights set is_active = false where flight_id = ?", "CJ4").await;
    let listed = async |query: &str| {
        let body = admin.get(&format!("{FLIGHTS}{query}")).await.expect(200);
        let flights = body["flights"].as_array().unwrap().clone();
        flights.iter().map(|f| f["flight_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, ["CJ1", "CJ2", "CJ3"]);
    assert_eq!(listed("?limit=1&offset=1").await, ["CJ2"]);
    assert_eq!(listed("?offset=2").await, ["CJ3"]);
    let first = admin.get(FLIGHTS).await.expect(200)["flights"][0].clone();
    assert_eq!(
        (&first["airline"], &first["total_seats"], &first["is_active"]),
        (&json!("CloudJet"), &json!(180), &json!(true))
    );
    for query in ["?limit=0", "?limit=101"] {
        admin.get(&format!("{FLIGHTS}{query}")).await.refused_field("limit");
    }
    admin.get(&format!("{FLIGHTS}?offset=-1")).await.refused_field("offset");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_off_sale_is_gone_for_travellers_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (near, far) = (service.world.day(3), service.world.day(40));
    let mut schedules = Vec::new();
    for day in [near, far] {
        schedules.push(seed::schedule(day).insert(&service.world.db).await);
    }
    seed::discount(&service.world.db, schedules[0], 25).await;
    let admin = service.admin().await;
    let booked = service.book(schedules[0], 1).await;
    // Everything is in the cache.
    assert_eq!(service.search("ICN", "NRT", near).await, [(schedules[0], 240_000)]);
    assert_eq!(service.search("ICN", "NRT", far).await, [(schedules[1], 320_000)]);

    let answer = admin.delete("/api/admin/flights/cj101").await.expect(200);
    assert_eq!(answer, json!({"message": "항공편 판매가 중지되었습니다.", "success": true}));
    for day in [near, far] {
        assert_eq!(service.search("ICN", "NRT", day).await, []);
    }
    assert_eq!(service.offers().await, [[], []]);
    assert_eq!(admin.get(FLIGHTS).await.expect(200), json!({ "flights": [] }));
    assert_eq!(admin.get("/api/admin/schedules").await.expect(200), json!({ "schedules": [] }));
    service.traveller().await.post("/api/bookings", &booking(schedules[1], 1)).await.refused(409, "not-on-sale");
    // Who has booked keeps it.
    let live = "select count(*) from bookings where booking_id = ? and status = 'PENDING'";
    assert_eq!(service.number(live, booked).await, 1);
    assert_eq!(service.actions("FLIGHT", "CJ101").await, ["deactivated"]);

    for gone in ["CJ101", "CJ404", "1", "%3Cb%3E", "CJ101CJ101CJ101CJ101"] {
        admin.delete(&format!("/api/admin/flights/{gone}")).await.refused(404, "flight-not-found");
    }
    assert_eq!(service.actions("FLIGHT", "CJ101").await, ["deactivated"]);
    // Publishing puts it on sale again, on all its days.
    let _ = admin.post(PUBLISH, &on(near, &flight("CJ101"))).await.expect(201);
    assert_eq!(service.search("ICN", "NRT", near).await, [(schedules[0], 240_000)]);
    assert_eq!(service.search("ICN", "NRT", far).await, [(schedules[1], 320_000)]);
    assert_eq!(service.actions("FLIGHT", "CJ101").await, ["deactivated", "changed"]);
}
