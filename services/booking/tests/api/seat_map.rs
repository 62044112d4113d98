//! `GET /api/bookings/seat-map/{schedule_id}`

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Service, id, minutes, number, request};

const PRICE: i64 = 320_000;

fn path(schedule: i64) -> String {
    format!("/api/bookings/seat-map/{schedule}")
}

async fn map(service: &Service, schedule: i64) -> Value {
    service.client.get(&path(schedule)).await.expect(200)
}

/// The seats of a map, in its order.
fn seats(map: &Value) -> Vec<Value> {
    map["rows"].as_array().unwrap().iter().flat_map(|row| row["seats"].as_array().unwrap().clone()).collect()
}

/// The names of the seats that are `state`.
fn named(map: &Value, state: &str) -> Vec<String> {
    let seats = seats(map).into_iter().filter(|seat| seat["state"] == state);
    seats.map(|seat| seat["seat_id"].as_str().unwrap().to_owned()).collect()
}

/// Draws the cabin of the flight's aircraft, as an operator does.
async fn draw(service: &Service, letters: &str, exits: &str, blocked: &str) {
    sqlx::query(
        "replace into cabins (aircraft, row_count, letters, exits, blocked) values ('boeing 737-800', 4, ?, ?, ?)",
    )
    .bind(letters)
    .bind(exits)
    .bind(blocked)
    .execute(&service.world.db)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_new_flight_has_150_free_seats_from_1a_to_25f(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let mut map = map(&service, schedule).await;
    let rows = map["rows"].take();
    assert_eq!(
        map,
        json!({
            "schedule_id": schedule, "flight_id": "CJ101", "flight_date": service.world.day(3).to_string(),
            "aircraft": "Boeing 737-800", "columns": ["A", "B", "C", null, "D", "E", "F"], "rows": null,
            "seats": { "free": 150, "held": 0, "sold": 0, "blocked": 0 }, "available_seats": 180,
        })
    );
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 25);
    let seat = |row: usize, letter: &str, position: &str| json!({"seat_id": format!("{row}{letter}"), "letter": letter, "position": position, "state": "free"});
    for (n, row) in (1..).zip(rows) {
        let [a, b, c] = [("A", "window"), ("B", "middle"), ("C", "aisle")].map(|(letter, is)| seat(n, letter, is));
        let [d, e, f] = [("D", "aisle"), ("E", "middle"), ("F", "window")].map(|(letter, is)| seat(n, letter, is));
        assert_eq!(*row, json!({ "row": n, "is_exit": false, "seats": [a, b, c, d, e, f] }));
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_tells_of_every_seat_what_the_list_of_occupied_ones_tells(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 2, PRICE, &["10A", "2B"])).await;
    let payment = service.begin_for(&buyer, id(&made), 2 * PRICE).await;
    service.hear_paid(&payment, 2 * PRICE).await;
    // Of three passengers, one has a seat.
    let held = buyer.books(201, &request(schedule, 3, PRICE, &["25F"])).await;
    draw(&service, "AB DEF", "2 4", "1A").await;
    let occupied = async || -> Value {
        let path = format!("/api/bookings/occupied-seats/{schedule}");
        service.client.get(&path).await.expect(200)["occupied_seats"].clone()
    };
    // Whoever sits outside a cabin that was drawn anew is still somewhere.
    assert_eq!(occupied().await, json!(["1A", "2B", "10A", "25F"]));
    service.by_hand("delete from cabins where row_count = ?", 4).await;

    let shown = map(&service, schedule).await;
    assert_eq!(
        (named(&shown, "sold"), named(&shown, "held")),
        (vec!["2B".to_owned(), "10A".to_owned()], vec!["25F".to_owned()])
    );
    assert_eq!(occupied().await, json!(["2B", "10A", "25F"]));
    assert_eq!(shown["seats"], json!({ "free": 147, "held": 1, "sold": 2, "blocked": 0 }));
    assert_eq!(shown["available_seats"], 175, "who has no seat flies, too");

    service.world.pass(minutes(16));
    // No job has run.
    let lapsed = map(&service, schedule).await;
    assert_eq!((named(&lapsed, "held"), &lapsed["available_seats"]), (vec![], &json!(178)));
    assert_eq!(occupied().await, json!(["2B", "10A"]));
    assert_eq!(buyer.cancel(number(&made)).await, 200);
    assert_eq!(buyer.cancel(number(&held)).await, 404);
    let empty = map(&service, schedule).await;
    assert_eq!((named(&empty, "free").len(), &empty["available_seats"]), (150, &json!(180)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cabin_is_what_its_operator_drew(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    draw(&service, "AC DF", "2", "4A 4C").await;
    let shown = map(&service, schedule).await;
    assert_eq!(shown["columns"], json!(["A", "C", null, "D", "F"]));
    let exits: Vec<bool> = shown["rows"].as_array().unwrap().iter().map(|row| row["is_exit"] == true).collect();
    assert_eq!(exits, [false, true, false, false]);
    let positions: Vec<Value> = seats(&shown)[..4].iter().map(|seat| seat["position"].clone()).collect();
    assert_eq!(positions, ["window", "aisle", "aisle", "window"]);
    assert_eq!(named(&shown, "blocked"), ["4A", "4C"]);
    assert_eq!(shown["seats"], json!({ "free": 14, "held": 0, "sold": 0, "blocked": 2 }));
    for seat in ["4A", "1B", "5A"] {
        buyer.post("/api/bookings", &request(schedule, 1, PRICE, &[seat])).await.refused_field("seats");
    }
    buyer.books(201, &request(schedule, 1, PRICE, &["4D"])).await;
    // A seat that is blocked while somebody has it is theirs.
    draw(&service, "AC DF", "2", "4A 4D").await;
    let shown = map(&service, schedule).await;
    assert_eq!((named(&shown, "blocked"), named(&shown, "held")), (vec!["4A".to_owned()], vec!["4D".to_owned()]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_has_it_is_told_so_until_something_changes(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    let first = service.client.get(&path(schedule)).await;
    assert_eq!(first.headers[CACHE_CONTROL], "private, no-cache");
    assert_eq!(first.headers[CONTENT_TYPE], "application/json");
    let tag = first.headers[ETAG].to_str().unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong one: {tag}");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"old\", {tag}"), "*".to_owned()] {
        let same = service.client.with(IF_NONE_MATCH, &known).get(&path(schedule)).await;
        assert_eq!((same.status.as_u16(), same.bytes.len()), (304, 0), "{known}");
        assert_eq!(
            (&same.headers[ETAG], &same.headers[CACHE_CONTROL]),
            (&first.headers[ETAG], &first.headers[CACHE_CONTROL])
        );
    }
    // Nobody's language or session makes another map of it.
    assert_eq!(buyer.in_english().get(&path(schedule)).await.headers[ETAG], tag.as_str());

    let again = service.client.with(IF_NONE_MATCH, &tag);
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    let taken = again.get(&path(schedule)).await;
    assert_ne!(taken.headers[ETAG], tag.as_str());
    assert_eq!(named(&taken.expect(200), "held"), ["6D"]);
    assert_eq!(buyer.cancel(number(&made)).await, 200);
    assert_eq!(again.get(&path(schedule)).await.status, 304, "as it was");
    // A booking without a seat leaves every seat as it is, and fewer to book.
    buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!(again.get(&path(schedule)).await.expect(200)["available_seats"], 179);
    service.world.pass(minutes(16));
    assert_eq!(again.get(&path(schedule)).await.status, 304, "what has lapsed is free, tidied or not");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_that_nobody_can_book_has_a_map_and_one_that_is_not_there_has_none(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    service.by_hand("update flight_schedules set status = 'CANCELLED' where schedule_id = ?", schedule).await;
    assert_eq!(seats(&map(&service, schedule).await).len(), 150);
    for unknown in [0, 1, i64::MAX] {
        service.client.get(&path(unknown)).await.refused(404, "schedule-not-found");
        service.client.with(IF_NONE_MATCH, "*").get(&path(unknown)).await.refused(404, "schedule-not-found");
    }
    for nothing in ["abc", "1.5", "-", "9223372036854775808", ""] {
        service.client.get(&format!("/api/bookings/seat-map/{nothing}")).await.refused(404, "not-found");
    }
}
