//! Requests in shape that can't be fulfilled.

use chrono::TimeDelta;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::{Service, id, minutes, number, request};

/// Stops the sales of a schedule's flight.
const OFF_SALE: &str = "update flights f join flight_schedules s on s.flight_id = f.flight_id
                        set f.is_active = false where s.schedule_id = ?";

/// Leaves open whether a schedule's flight is sold, as rows of the original may.
const UNDECIDED: &str = "update flights f join flight_schedules s on s.flight_id = f.flight_id
                         set f.is_active = null where s.schedule_id = ?";

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_schedule_that_does_not_exist_is_not_found(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    for unknown in [1, schedule + 1, i64::MAX] {
        buyer.post("/api/bookings", &request(unknown, 1, 320_000, &["1A"])).await.refused(404, "schedule-not-found");
        let documented = json!({"schedule_id": unknown, "passengers": [{"name": "김", "birth_date": "1990-02-03"}]});
        buyer.post("/api/bookings", &documented).await.refused(404, "schedule-not-found");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn more_people_than_free_seats_get_none(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(2).await;
    let buyer = service.traveller().await;
    buyer.post("/api/bookings", &request(schedule, 3, 320_000, &[])).await.refused(409, "sold-out");
    assert_eq!(service.seats(schedule).await, (2, 0));
    buyer.books(201, &request(schedule, 2, 320_000, &["1A", "1B"])).await;
    let other = service.traveller().await;
    other.post("/api/bookings", &request(schedule, 1, 320_000, &["2A"])).await.refused(409, "sold-out");
    assert_eq!(service.seats(schedule).await, (0, 2));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_finds_a_flight_sold_out_does_not_wait_for_its_row(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(1).await;
    service.traveller().await.books(201, &request(schedule, 1, 320_000, &["1A"])).await;
    let late = service.traveller().await;
    let mut row = service.world.db.begin().await.unwrap();
    let lock = sqlx::query("select 1 from flight_schedules where schedule_id = ? for update").bind(schedule);
    lock.execute(&mut *row).await.unwrap();
    late.post("/api/bookings", &request(schedule, 1, 320_000, &[])).await.refused(409, "sold-out");
    row.rollback().await.unwrap();
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_seat_has_one_owner(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let other_day = seed::schedule(service.world.day(4)).insert(&service.world.db).await;
    let first = service.traveller().await;
    first.books(201, &request(schedule, 2, 320_000, &["6D", "6E"])).await;
    let second = service.traveller().await;
    for seats in [["6E", "7A"], ["7A", "6e"]] {
        let answer = second.post("/api/bookings", &request(schedule, 2, 320_000, &seats)).await;
        assert!(answer.body["message"].as_str().is_some_and(|m| m.contains("6E")), "{}", answer.body);
        answer.refused(409, "seat-taken");
    }
    assert_eq!((service.bookings(schedule).await, service.seats(schedule).await), (1, (178, 2)));
    second.books(201, &request(schedule, 2, 320_000, &["7A", "7B"])).await;
    second.books(201, &request(other_day, 2, 320_000, &["6D", "6E"])).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_flown_or_not_sold_is_not_booked(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 1, 320_000, &["1A"]);
    for off_sale in [
        "update flight_schedules set status = 'CANCELLED' where schedule_id = ?",
        "update flight_schedules set status = 'DELAYED' where schedule_id = ?",
    ] {
        service.by_hand(off_sale, schedule).await;
        buyer.post("/api/bookings", &wanted).await.refused(409, "not-on-sale");
    }
    service.by_hand("update flight_schedules set status = 'ACTIVE' where schedule_id = ?", schedule).await;
    service.by_hand(OFF_SALE, schedule).await;
    buyer.post("/api/bookings", &wanted).await.refused(409, "not-on-sale");
    assert_eq!(service.seats(schedule).await, (180, 0));
    // The columns may be null in a database of the original, and then mean what they meant there.
    service.by_hand("update flight_schedules set status = null where schedule_id = ?", schedule).await;
    service.by_hand(UNDECIDED, schedule).await;
    buyer.books(201, &wanted).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_can_be_booked_until_it_leaves_by_the_clocks_where_it_leaves(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (seoul, angeles) = (service.world.day(2), service.world.day(2));
    let from_seoul = seed::schedule(seoul).flight("CJ1").departs("06:30:00").insert(&service.world.db).await;
    let from_angeles =
        seed::schedule(angeles).flight("CJ2").route("LAX", "ICN").departs("06:30:00").insert(&service.world.db).await;
    let buyer = service.traveller().await;
    let half_past_six = "06:30:00".parse().unwrap();
    for (schedule, day, zone, row) in
        [(from_seoul, seoul, "Asia/Seoul", 1), (from_angeles, angeles, "America/Los_Angeles", 2)]
    {
        let leaves = catalogue::departure(day, half_past_six, zone);
        service.world.pass(leaves - service.world.now() - TimeDelta::seconds(1));
        let client = service.signed_in(buyer.id);
        let wanted = |letter: char| request(schedule, 1, 320_000, &[&format!("{row}{letter}")]);
        let answer = client.post("/api/bookings", &wanted('A')).await;
        assert_eq!(answer.status, 201, "{zone}: {}", answer.body);
        service.world.pass(leaves - service.world.now());
        client.post("/api/bookings", &wanted('B')).await.refused(409, "not-on-sale");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nobody_holds_more_than_twenty_seats_of_a_flight_unpaid(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let other_flight = seed::schedule(service.world.day(3)).flight("CJ2").insert(&service.world.db).await;
    let buyer = service.traveller().await;
    let nine = buyer.books(201, &request(schedule, 9, 320_000, &[])).await;
    buyer.books(201, &request(schedule, 9, 320_000, &[])).await;
    buyer.post("/api/bookings", &request(schedule, 3, 320_000, &[])).await.refused(409, "too-many-held-seats");
    buyer.books(201, &request(schedule, 2, 320_000, &[])).await;
    buyer.post("/api/bookings", &request(schedule, 1, 320_000, &[])).await.refused(409, "too-many-held-seats");
    assert_eq!(service.seats(schedule).await, (160, 20));
    buyer.books(201, &request(other_flight, 9, 320_000, &[])).await;
    service.traveller().await.books(201, &request(schedule, 9, 320_000, &[])).await;
    // What was given back or paid doesn't count.
    assert_eq!(buyer.cancel(number(&nine)).await, 200);
    buyer.books(201, &request(schedule, 9, 320_000, &[])).await;
    // Nor does what has lapsed, before anybody has tidied.
    service.world.pass(minutes(16));
    buyer.books(201, &request(schedule, 9, 320_000, &[])).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_that_were_paid_for_do_not_count_as_held(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    for _ in 0..4 {
        let made = buyer.books(201, &request(schedule, 9, 320_000, &[])).await;
        let payment = service.begin_for(&buyer, id(&made), 2_880_000).await;
        service.hear_paid(&payment, 2_880_000).await;
    }
    assert_eq!(service.seats(schedule).await, (144, 36));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_abandoned_hold_blocks_nobody(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(2).await;
    let wanted = request(schedule, 2, 320_000, &["1A", "1B"]);
    service.traveller().await.books(201, &wanted).await;
    service.world.pass(minutes(14));
    let second = service.traveller().await;
    second.post("/api/bookings", &wanted).await.refused(409, "sold-out");
    service.world.pass(minutes(1));
    service.world.pass(TimeDelta::seconds(2));
    second.books(201, &wanted).await;
    assert_eq!(service.seats(schedule).await, (0, 2));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_refusal_leaves_no_trace(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(2).await;
    let holder = service.traveller().await;
    holder.books(201, &request(schedule, 1, 320_000, &["1A"])).await;
    service.world.pass(minutes(16));
    // This call gives the lapsed hold back, and takes that back, too, when it is refused.
    let buyer = service.traveller().await;
    buyer.post("/api/bookings", &request(schedule, 3, 320_000, &[])).await.refused(409, "sold-out");
    assert_eq!(service.seats(schedule).await, (1, 1));
    assert_eq!(service.bookings(schedule).await, 1);
    service.run_jobs().await;
    assert_eq!(service.seats(schedule).await, (2, 0));
}
