//! How an init finds the pending booking it pays for where the client doesn't name one.

use chrono::TimeDelta;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{PRICE, Service, message, wanted};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_only_one_that_matches_is_meant(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(9).await);
    service.booking(&other, schedule, 2).await;
    service.booking(&buyer, schedule, 3).await;
    let booking = service.booking(&buyer, schedule, 2).await;

    let order = buyer.begin(schedule, 2).await;
    assert_eq!(service.linked(&order).await, Some(booking.booking_id));
    assert_eq!(service.seats(schedule).await, (2, 7), "its hold serves as the reservation");
    let second = buyer.begin(schedule, 2).await;
    assert_eq!(service.linked(&second).await, None, "it has its payment");
    assert_eq!(service.seats(schedule).await, (0, 9));

    let _ = service.signed(&message(&order, "r-1", "PAID", 2 * PRICE)).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn of_two_that_match_neither_is_meant(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    service.booking(&buyer, schedule, 1).await;
    service.booking(&buyer, schedule, 1).await;
    let order = buyer.begin(schedule, 1).await;
    assert_eq!(service.linked(&order).await, None);
    assert_eq!(service.seats(schedule).await, (6, 3));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn after_a_declined_card_the_next_try_finds_it_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(2).await);
    let booking = service.booking(&buyer, schedule, 2).await;
    let declined = buyer.begin(schedule, 2).await;
    let _ = service.signed(&message(&declined, "r-1", -2, 2 * PRICE)).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "PENDING", "a declined card cancels nothing");

    let order = buyer.begin(schedule, 2).await;
    assert_eq!(service.linked(&order).await, Some(booking.booking_id));
    let _ = service.signed(&message(&order, "r-2", 1, 2 * PRICE)).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
    assert_eq!(service.seats(schedule).await, (0, 2));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_outlast_the_deadline_while_the_provider_may_still_tell(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(2).await);
    let booking = service.book(&wanted(&buyer, schedule, 2, &["1A", "1B"])).await.unwrap();
    let order = buyer.begin_for(&booking).await;

    service.world.pass(TimeDelta::minutes(40));
    service.orders.expire_bookings_once(10).await.unwrap();
    service.orders.sweep_seats_once(10).await.unwrap();
    assert_eq!(service.seats(schedule).await, (0, 2));
    let _ = service.signed(&message(&order, "r-1", 1, 2 * PRICE)).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn late_money_revives_an_expired_one_or_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(2).await);
    let lucky = service.book(&wanted(&buyer, schedule, 1, &["1A"])).await.unwrap();
    let late = service.book(&wanted(&buyer, schedule, 1, &["1B"])).await.unwrap();
    let (first, second) = (buyer.begin_for(&lucky).await, buyer.begin_for(&late).await);

    service.world.pass(TimeDelta::hours(3));
    while service.orders.expire_bookings_once(10).await.unwrap() {}
    assert_eq!(service.booking_state(&late).await, ("CANCELLED".into(), Some("EXPIRED".into())));
    service.book(&wanted(&other, schedule, 1, &["1B"])).await.unwrap();

    let _ = service.signed(&message(&first, "r-1", 1, PRICE)).await.expect(200);
    assert_eq!(service.booking_state(&lucky).await, ("CONFIRMED".into(), None));
    let _ = service.signed(&message(&second, "r-2", 1, PRICE)).await.expect(200);
    assert_eq!(service.booking_state(&late).await, ("CANCELLED".into(), Some("EXPIRED".into())));
    service.assert_refunds(&[(PRICE, "TOO_LATE", "PENDING")]).await;
}
