//! `GET /api/flights/search`: what it finds, what it leaves out, and what it refuses.

use axum::http::header::AUTHORIZATION;
use catalogue::departure;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, World, seed};

use crate::{by_hand, client, hold, without_database};

fn path(from: &str, to: &str, date: NaiveDate) -> String {
    format!("/api/flights/search?departure={from}&arrival={to}&date={date}")
}

async fn found(client: &Client, from: &str, to: &str, date: NaiveDate) -> Vec<Value> {
    let body = client.get(&path(from, to, date)).await.expect(200);
    let flights = body["flights"].as_array().unwrap().clone();
    assert_eq!(body["total"], flights.len());
    flights
}

fn ids(flights: &[Value]) -> Vec<i64> {
    flights.iter().map(|f| f["schedule_id"].as_i64().unwrap()).collect()
}

fn move_to(world: &World, instant: DateTime<Utc>) {
    world.pass(instant - world.now());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn shows_a_flight_under_all_its_names(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(3);
    let id = seed::schedule(day).insert(&world.db).await;
    let body = client(&world).get(&path("ICN", "NRT", day)).await.expect(200);
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
            "departure_time": "06:30:00",
            "departureTime": "06:30:00",
            "arrival_time": "09:15:00",
            "arrivalTime": "09:15:00",
            "duration": "2시간 45분",
            "aircraft": "Boeing 737-800",
            "original_price": 320_000,
            "price": 320_000,
            "available_seats": 180,
            "date": day.to_string(),
            "discount_percentage": null,
            "has_discount": false,
        }],
        "total": 1,
    });
    assert_eq!(body, expected);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_discounted_price_is_rounded_half_up_and_the_same_everywhere(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let world = World::new(database);
    let day = world.day(3);
    let id = seed::schedule(day).price(377_725).insert(&world.db).await;
    seed::discount(&world.db, id, 25).await;
    let client = client(&world);
    let flight = found(&client, "ICN", "NRT", day).await.remove(0);
    assert_eq!(flight["price"], 283_294);
    assert_eq!(flight["original_price"], 377_725);
    assert_eq!(flight["discount_percentage"], 25);
    assert_eq!(flight["has_discount"], true);
    let featured = client.get("/api/flights/featured").await.expect(200);
    assert_eq!(featured["flights"][0]["price"], 283_294);
    assert_eq!(featured["flights"][0]["discounted_price"], 283_294);
    let promotions = client.get("/api/flights/promotions").await.expect(200);
    assert_eq!(promotions["promotions"][0]["discounted_price"], 283_294);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_an_active_discount_counts(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(3);
    let id = seed::schedule(day).insert(&world.db).await;
    for (percent, status) in [(90, "INACTIVE"), (80, "EXPIRED"), (10, "ACTIVE")] {
        sqlx::query("insert into flight_discounts (schedule_id, discount_percentage, status) values (?, ?, ?)")
            .bind(id)
            .bind(percent)
            .bind(status)
            .execute(&world.db)
            .await
            .unwrap();
    }
    let flights = found(&client(&world), "ICN", "NRT", day).await;
    assert_eq!((flights.len(), &flights[0]["price"]), (1, &json!(288_000)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_cheapest_comes_first_and_among_equals_the_earliest(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(3);
    let late = seed::schedule(day).flight("CJ1").departs("20:00:00").price(200_000).insert(&world.db).await;
    let early = seed::schedule(day).flight("CJ2").departs("05:00:00").price(200_000).insert(&world.db).await;
    let dear = seed::schedule(day).flight("CJ3").price(300_000).insert(&world.db).await;
    let reduced = seed::schedule(day).flight("CJ4").price(390_000).insert(&world.db).await;
    seed::discount(&world.db, reduced, 50).await;
    let client = client(&world);
    for _ in 0..2 {
        assert_eq!(ids(&found(&client, "ICN", "NRT", day).await), [reduced, early, late, dear]);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nothing_found_is_an_empty_list(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(3);
    seed::schedule(day).insert(&world.db).await;
    let client = client(&world);
    for (from, to, date) in [
        ("XXX", "NRT", day),
        ("ICN", "XXX", day),
        ("NRT", "ICN", day),
        ("ICN", "LAX", day),
        ("ICN", "ICN", day),
        ("ICN", "NRT", world.day(4)),
        ("ICN", "NRT", world.day(-1)),
        ("ICN", "NRT", NaiveDate::from_ymd_opt(1999, 12, 31).unwrap()),
        ("ICN", "NRT", NaiveDate::from_ymd_opt(9999, 12, 31).unwrap()),
    ] {
        let body = client.get(&path(from, to, date)).await.expect(200);
        assert_eq!(body, json!({"flights": [], "total": 0}), "{from} {to} {date}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_missing_or_empty_parameter_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    for (query, field) in [
        ("", "departure"),
        ("?", "departure"),
        ("?arrival=NRT&date=2026-12-01", "departure"),
        ("?departure=&arrival=NRT&date=2026-12-01", "departure"),
        ("?departure=%20&arrival=NRT&date=2026-12-01", "departure"),
        ("?departure=ICN&date=2026-12-01", "arrival"),
        ("?departure=ICN&arrival=&date=2026-12-01", "arrival"),
        ("?departure=ICN&arrival=NRT", "date"),
        ("?departure=ICN&arrival=NRT&date=", "date"),
    ] {
        client.get(&format!("/api/flights/search{query}")).await.refused_field(field);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_malformed_parameter_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    let codes = [
        "IC",
        "ICNN",
        "I1N",
        "I:N",
        "IC*",
        "%EC%9D%B8%EC%B2%9C",
        "ICN'",
        "ICN'%20or%20'1'%3D'1",
        "ICN%00",
        "%FF%FE%FD",
        "ICN:NRT:2026-12-01",
        "%3Cb%3E",
        "''%23",
        "*",
        "ICN%0D%0ADEL",
    ];
    for code in codes {
        let from = client.get(&format!("/api/flights/search?departure={code}&arrival=NRT&date=2026-12-01")).await;
        from.refused_field("departure");
        let to = client.get(&format!("/api/flights/search?departure=ICN&arrival={code}&date=2026-12-01")).await;
        to.refused_field("arrival");
    }
    for date in [
        "tomorrow",
        "2026-13-01",
        "2026-02-30",
        "2026-2-3",
        "20261201",
        "2026%2F12%2F01",
        "01-12-2026",
        "2026-12-01T00:00:00",
        "2026-12-01'%20or%201%3D1",
        "0000-00-00",
        "-2026-12-01",
        "2026-12-01%00",
    ] {
        let answer = client.get(&format!("/api/flights/search?departure=ICN&arrival=NRT&date={date}")).await;
        answer.refused_field("date");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_parameter_given_twice_is_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    let answer = client.get("/api/flights/search?departure=ICN&departure=NRT&arrival=NRT&date=2026-12-01").await;
    answer.refused(400, "malformed-query");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn codes_are_read_in_any_case_and_other_parameters_ignored(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(3);
    let id = seed::schedule(day).insert(&world.db).await;
    let client = client(&world);
    assert_eq!(ids(&found(&client, "icn", "Nrt", day).await), [id]);
    let with_more = format!("{}&passengers=2&returnDate=", path("ICN", "NRT", day));
    assert_eq!(client.get(&with_more).await.expect(200)["total"], 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_on_sale_is_left_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let (db, day) = (&world.db, world.day(3));
    let on_sale = seed::schedule(day).flight("CJ1").insert(db).await;
    for (flight, change) in [
        ("CJ2", "update flight_schedules set status = 'CANCELLED' where schedule_id = ?"),
        ("CJ3", "update flight_schedules set status = 'DELAYED' where schedule_id = ?"),
        ("CJ4", "update flight_schedules set available_seats = 0 where schedule_id = ?"),
        ("CJ5", "update flight_schedules set flight_date = flight_date + interval 1 day where schedule_id = ?"),
        (
            "CJ6",
            "update flights set is_active = false where flight_id = (select flight_id from flight_schedules where schedule_id = ?)",
        ),
    ] {
        let id = seed::schedule(day).flight(flight).insert(db).await;
        by_hand(db, change, id).await;
    }
    seed::schedule(day).flight("CJ7").route("NRT", "ICN").insert(db).await;
    assert_eq!(ids(&found(&client(&world), "ICN", "NRT", day).await), [on_sale]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nulls_of_the_original_mean_their_defaults(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let (db, day) = (&world.db, world.day(3));
    let id = seed::schedule(day).insert(db).await;
    by_hand(db, "update flight_schedules set status = null where schedule_id = ?", id).await;
    by_hand(
        db,
        "update flights set is_active = null, airline = null
         where flight_id = (select flight_id from flight_schedules where schedule_id = ?)",
        id,
    )
    .await;
    let client = client(&world);
    for _ in 0..2 {
        let flights = found(&client, "ICN", "NRT", day).await;
        assert_eq!((ids(&flights), &flights[0]["airline"]), (vec![id], &json!("CloudJet")));
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_is_offered_until_the_second_it_leaves(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(2);
    let early = seed::schedule(day).flight("CJ1").departs("06:30:00").insert(&world.db).await;
    let late = seed::schedule(day).flight("CJ2").departs("23:30:00").insert(&world.db).await;
    let client = client(&world);
    assert_eq!(ids(&found(&client, "ICN", "NRT", day).await), [early, late]);
    let leaves = departure(day, "06:30:00".parse().unwrap(), "Asia/Seoul");
    move_to(&world, leaves - TimeDelta::seconds(1));
    assert_eq!(ids(&found(&client, "ICN", "NRT", day).await), [early, late]);
    move_to(&world, leaves);
    assert_eq!(ids(&found(&client, "ICN", "NRT", day).await), [late]);
    move_to(&world, leaves + TimeDelta::days(1));
    assert_eq!(found(&client, "ICN", "NRT", day).await, Vec::<Value>::new());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_leaves_by_the_clocks_of_its_airport(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(2);
    let id = seed::schedule(day).route("LAX", "ICN").departs("11:00:00").insert(&world.db).await;
    let client = client(&world);
    // In Seoul it is the next day already.
    let leaves = departure(day, "11:00:00".parse().unwrap(), "America/Los_Angeles");
    move_to(&world, leaves - TimeDelta::seconds(1));
    assert_eq!(world.day(0), day + TimeDelta::days(1));
    assert_eq!(ids(&found(&client, "LAX", "ICN", day).await), [id]);
    move_to(&world, leaves);
    assert_eq!(found(&client, "LAX", "ICN", day).await, Vec::<Value>::new());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_of_a_lapsed_hold_are_free(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let (db, day) = (&world.db, world.day(3));
    let id = seed::schedule(day).seats(5).insert(db).await;
    hold(db, id, 2, -1).await;
    hold(db, id, 1, -60).await;
    hold(db, id, 4, 600).await;
    sqlx::query("insert into claims (hold_id, pool_id, owner_id, quantity, state) values (unhex(replace(uuid(), '-', '')), ?, 1, 1, 'SOLD')")
        .bind(id)
        .execute(db)
        .await
        .unwrap();
    let client = client(&world);
    for _ in 0..2 {
        assert_eq!(found(&client, "ICN", "NRT", day).await[0]["available_seats"], 8);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_that_only_lapsed_holds_fill_is_offered(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let (db, day) = (&world.db, world.day(3));
    let id = seed::schedule(day).seats(0).insert(db).await;
    seed::discount(db, id, 10).await;
    hold(db, id, 3, 600).await;
    let client = client(&world);
    assert_eq!(found(&client, "ICN", "NRT", day).await, Vec::<Value>::new());
    assert_eq!(client.get("/api/flights/featured").await.expect(200)["total"], 0);
    world.pass(TimeDelta::seconds(601));
    let flights = found(&client, "ICN", "NRT", day).await;
    assert_eq!((ids(&flights), &flights[0]["available_seats"]), (vec![id], &json!(3)));
    let featured = client.get("/api/flights/featured").await.expect(200);
    assert_eq!(featured["flights"][0]["available_seats"], 3);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_token_is_ignored_good_or_bad(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(3);
    seed::schedule(day).insert(&world.db).await;
    let client = client(&world);
    for value in ["Bearer nonsense", "Bearer ", "Basic dXNlcjpwYXNz", "", &format!("Bearer {}", world.token(1))] {
        let client = client.with(AUTHORIZATION, value);
        for path in [&path("ICN", "NRT", day), "/api/airports", "/api/flights/featured", "/api/flights/health"] {
            let _ = client.get(path).await.expect(200);
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_its_database_it_is_unavailable(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = without_database(World::new(database));
    let client = client(&world);
    for path in [
        &path("ICN", "NRT", world.day(3)),
        "/api/flights/airports",
        "/api/airports",
        "/api/flights/featured",
        "/api/flights/promotions",
        "/api/promotions",
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert!(answer.headers.contains_key("retry-after"));
        assert!(!answer.body.to_string().contains("127.0.0.1"), "{}", answer.body);
        answer.refused(503, "unavailable");
    }
}
