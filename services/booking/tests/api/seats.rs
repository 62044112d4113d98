//! `GET /api/bookings/occupied-seats/{schedule_id}`

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Service, id, minutes, number, request};

async fn occupied(service: &Service, schedule: i64) -> Value {
    let path = format!("/api/bookings/occupied-seats/{schedule}");
    service.client.get(&path).await.expect(200)["occupied_seats"].clone()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn sold_and_held_seats_are_listed_as_people_count_them(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    assert_eq!(occupied(&service, schedule).await, json!([]));
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 4, 320_000, &["10A", "2B", "25F"])).await;
    buyer.books(201, &request(schedule, 1, 320_000, &["2a"])).await;
    let payment = service.begin_for(&buyer, id(&made), 1_280_000).await;
    service.hear_paid(&payment, 1_280_000).await;
    assert_eq!(occupied(&service, schedule).await, json!(["2A", "2B", "10A", "25F"]));
    let path = format!("/api/bookings/occupied-seats/{schedule}");
    let body = service.client.get(&path).await.expect(200);
    assert_eq!(body.as_object().unwrap().len(), 1);
    // A token that is no good doesn't matter: the browser client sends what it has.
    assert_eq!(service.client.signed_in("nonsense").get(&path).await.expect(200), body);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_cancelled_or_over_is_free_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 1, 320_000, &["1A"])).await;
    assert_eq!(buyer.cancel(number(&made)).await, 200);
    assert_eq!(occupied(&service, schedule).await, json!([]));
    buyer.books(201, &request(schedule, 1, 320_000, &["1B"])).await;
    service.world.pass(minutes(14));
    assert_eq!(occupied(&service, schedule).await, json!(["1B"]));
    service.world.pass(minutes(2));
    // No job has run.
    assert_eq!(occupied(&service, schedule).await, json!([]));
    service.traveller().await.books(201, &request(schedule, 1, 320_000, &["1B"])).await;
    assert_eq!(occupied(&service, schedule).await, json!(["1B"]));
    assert_eq!(service.seats(schedule).await, (179, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_schedule_nobody_knows_has_no_occupied_seats(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    for unknown in [0, 1, 10_000_001, i64::MAX] {
        assert_eq!(occupied(&service, unknown).await, json!([]));
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_id_that_is_no_number_is_no_address(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    for nothing in ["abc", "1.5", "1e3", "0x10", "9223372036854775808", "1%20", "%31a", "", "1/", "-", "１"] {
        let path = format!("/api/bookings/occupied-seats/{nothing}");
        if path.is_ascii() {
            service.client.get(&path).await.refused(404, "not-found");
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_somebody_else_sells_from_the_same_engine_is_theirs_to_sweep(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    service.traveller().await.books(201, &request(schedule, 1, 320_000, &["1A"])).await;
    let lapsed = "insert into claims (hold_id, pool_id, owner_id, unit, quantity, state, held_until)
                  values (repeat('x', 16), ?, 1, 'royal box, chair 1', 1, 'HELD', now(6) - interval 1 minute)";
    service.by_hand(lapsed, 17).await;
    service.world.pass(minutes(16));
    assert!(service.orders.sweep_seats_once(10).await.unwrap());
    assert!(!service.orders.sweep_seats_once(10).await.unwrap(), "nothing is left for us to do");
    assert_eq!((service.claimed(schedule).await, service.claimed(17).await), (0, 1));
}
