//! Many at once: no seat is sold twice, no seat is lost.

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::{Service, request};

/// Runs `tasks` at once and counts the statuses they end with.
async fn statuses(tasks: Vec<tokio::task::JoinHandle<u16>>) -> std::collections::BTreeMap<u16, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for task in tasks {
        *counts.entry(task.await.unwrap()).or_default() += 1;
    }
    counts
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn sixty_buyers_get_the_last_seven_seats_and_no_more(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = seed::schedule(service.world.day(3)).seats(7).insert(&service.world.db).await;
    let mut tasks = Vec::new();
    for _ in 0..60 {
        let buyer = service.traveller().await;
        tasks.push(tokio::spawn(async move {
            buyer.post("/api/bookings", &request(schedule, 1, 320_000, &[])).await.status.as_u16()
        }));
    }
    let counts = statuses(tasks).await;
    assert_eq!(counts, [(201, 7), (409, 53)].into(), "{counts:?}");
    assert_eq!((service.available(schedule).await, service.claimed(schedule).await), (0, 7));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn forty_buyers_of_one_seat_are_one_owner(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = seed::schedule(service.world.day(3)).insert(&service.world.db).await;
    let mut tasks = Vec::new();
    for _ in 0..40 {
        let buyer = service.traveller().await;
        tasks.push(tokio::spawn(async move {
            buyer.post("/api/bookings", &request(schedule, 1, 320_000, &["6D"])).await.status.as_u16()
        }));
    }
    let counts = statuses(tasks).await;
    assert_eq!(counts, [(201, 1), (409, 39)].into(), "{counts:?}");
    assert_eq!((service.available(schedule).await, service.claimed(schedule).await), (179, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn of_twenty_parallel_cancels_one_cancels_and_the_seats_come_back_once(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = seed::schedule(service.world.day(3)).insert(&service.world.db).await;
    let buyer = service.traveller().await;
    let made = buyer.post("/api/bookings", &request(schedule, 2, 320_000, &["1A", "1B"])).await.expect(201);
    assert_eq!(service.available(schedule).await, 178);
    let path = format!("/api/bookings/{}/cancel", made["booking_number"].as_str().unwrap());
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let (buyer, path) = (buyer.clone(), path.clone());
        tasks.push(tokio::spawn(async move { buyer.post(&path, &serde_json::Value::Null).await.status.as_u16() }));
    }
    let counts = statuses(tasks).await;
    assert_eq!(counts, [(200, 1), (404, 19)].into(), "{counts:?}");
    assert_eq!((service.available(schedule).await, service.claimed(schedule).await), (180, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn booking_cancelling_and_expiring_at_once_keep_the_books(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = seed::schedule(service.world.day(3)).seats(12).insert(&service.world.db).await;
    let mut tasks = Vec::new();
    for n in 0..24_usize {
        let (service, buyer) = (service.clone(), service.traveller().await);
        tasks.push(tokio::spawn(async move {
            for round in 0..4_usize {
                let seat = format!("{}{}", 1 + (n + round) % 3, ['A', 'B', 'C'][(n * round) % 3]);
                let made = buyer.post("/api/bookings", &request(schedule, 1 + round % 2, 320_000, &[&seat])).await;
                assert!([201, 409].contains(&made.status.as_u16()), "{}", made.body);
                if let Some(number) = made.body["booking_number"].as_str()
                    && (n + round) % 3 > 0
                {
                    let cancelled =
                        buyer.post(&format!("/api/bookings/{number}/cancel"), &serde_json::Value::Null).await;
                    assert_eq!(cancelled.status.as_u16(), 200, "{}", cancelled.body);
                }
                service.orders.sweep_seats_once(10).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let (available, claimed) = (service.available(schedule).await, service.claimed(schedule).await);
    assert_eq!(available + claimed, 12, "{available} free, {claimed} claimed");
    service.world.pass(chrono::TimeDelta::minutes(16));
    while service.orders.expire_bookings_once(100).await.unwrap() {}
    assert_eq!((service.available(schedule).await, service.claimed(schedule).await), (12, 0));
}
