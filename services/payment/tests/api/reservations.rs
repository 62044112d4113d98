//! What an init reserves: seats for fifteen minutes, never against their owner.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::{PRICE, Service, message, wanted};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn take_seats_and_lapse_after_fifteen_minutes(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(3).await);
    buyer.begin(schedule, 3).await;
    assert_eq!(service.available(schedule).await, 0);

    service.world.pass(TimeDelta::minutes(14));
    let request = json!({ "scheduleId": schedule, "amount": PRICE });
    service.again(&other).init(&request).await.refused(409, "sold-out");

    service.world.pass(TimeDelta::minutes(1));
    let _ = service.again(&other).init(&request).await.expect(200);
    assert_eq!(service.seats(schedule).await, (2, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn do_not_lapse_once_they_are_paid_for(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(2).await);
    let order = buyer.begin(schedule, 2).await;
    let _ = service.signed(&message(&order, "r-1", 1, 2 * PRICE)).await.expect(200);

    service.world.pass(TimeDelta::minutes(25));
    let request = json!({ "scheduleId": schedule, "amount": PRICE });
    service.again(&other).init(&request).await.refused(409, "sold-out");
    let booking = service.book(&wanted(&buyer, schedule, 2, &["1A"])).await.unwrap();
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
    assert_eq!(service.seats(schedule).await, (0, 2));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn are_free_at_once_when_the_card_is_declined(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(2).await);
    let declined = buyer.begin(schedule, 2).await;
    let _ = service.signed(&message(&declined, "r-1", -2, 2 * PRICE)).await.expect(200);
    assert_eq!(service.seats(schedule).await, (2, 0));

    let order = buyer.begin(schedule, 2).await;
    let _ = service.signed(&message(&order, "r-2", 1, 2 * PRICE)).await.expect(200);
    let booking = service.book(&wanted(&buyer, schedule, 2, &[])).await.unwrap();
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
    assert_eq!(service.linked(&order).await, Some(booking.booking_id));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn give_way_to_their_owners_next_try_and_to_nobody_else(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(3).await);
    buyer.begin(schedule, 1).await;
    buyer.begin(schedule, 1).await;
    assert_eq!(service.seats(schedule).await, (1, 2), "there is room: both stay");

    buyer.begin(schedule, 2).await;
    assert_eq!(service.seats(schedule).await, (0, 3), "one had to give way");
    buyer.begin(schedule, 3).await;
    assert_eq!(service.seats(schedule).await, (0, 3), "all had to give way");
    let request = json!({ "scheduleId": schedule, "amount": PRICE });
    other.init(&request).await.refused(409, "sold-out");
    buyer.init(&json!({ "scheduleId": schedule, "amount": PRICE * 4 })).await.refused(409, "sold-out");
    assert_eq!(service.seats(schedule).await, (0, 3), "a refusal takes nothing away");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn never_hold_more_than_twenty_unpaid_seats_of_a_flight(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule, another) = (service.buyer().await, service.schedule(180).await, {
        seed::schedule(service.world.day(9)).insert(&service.world.db).await
    });
    service.booking(&buyer, schedule, 8).await;
    buyer.begin(schedule, 9).await;
    buyer.begin(schedule, 3).await;
    assert_eq!(service.seats(schedule).await, (160, 20));
    buyer.begin(schedule, 9).await;
    assert_eq!(service.seats(schedule).await, (163, 17), "reservations give way");

    service.book(&wanted(&buyer, schedule, 9, &["1A"])).await.unwrap();
    let request = json!({ "scheduleId": schedule, "amount": PRICE * 4 });
    buyer.init(&request).await.refused(409, "too-many-held-seats");
    buyer.begin(schedule, 3).await;
    buyer.begin(another, 9).await;
    service.buyer().await.begin(schedule, 9).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn come_to_an_end_for_who_begins_too_often(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(7).await);
    for _ in 0..5 {
        buyer.begin(schedule, 1).await;
    }
    assert_eq!(service.seats(schedule).await, (2, 5));
    buyer.begin(schedule, 1).await;
    buyer.begin(schedule, 7).await;
    assert_eq!(service.seats(schedule).await, (2, 5), "answered, and neither reserved nor lost");
    buyer.init(&json!({ "scheduleId": schedule, "amount": PRICE * 8 })).await.refused(409, "sold-out");

    service.world.pass(TimeDelta::minutes(31));
    service.again(&buyer).begin(schedule, 1).await;
    assert_eq!(service.seats(schedule).await, (6, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn are_seen_by_the_next_search(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let key = format!("flights:ICN:NRT:{}", service.world.day(3));
    let cache = &service.world.cache;
    let remember = async || {
        let (_, ticket) = cache.read::<i64>(&key).await;
        cache.fill(ticket, &1, std::time::Duration::from_mins(1)).await;
        assert_eq!(cache.read::<i64>(&key).await.0, Some(1));
    };
    remember().await;
    let order = buyer.begin(schedule, 1).await;
    assert_eq!(cache.read::<i64>(&key).await.0, None, "an init");
    remember().await;
    let _ = service.signed(&message(&order, "r-1", -1, PRICE)).await.expect(200);
    assert_eq!(cache.read::<i64>(&key).await.0, None, "a decline");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn never_oversell_the_last_seats(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(5).await;
    let buyers = join_all((0..20).map(|_| service.buyer())).await;
    let request = json!({ "scheduleId": schedule, "amount": PRICE });
    let answers = join_all(buyers.iter().map(|buyer| buyer.init(&request))).await;
    let of = |status: u16| answers.iter().filter(|a| a.status == status).count();
    assert_eq!((of(200), of(409)), (5, 15));
    assert_eq!(service.seats(schedule).await, (0, 5));
}
