//! The same booking twice: the browser client's pay button is never disabled.

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;
use tokio::task::JoinSet;

use crate::support::{Service, Shop, id, minutes, number, request};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_same_seat_for_the_same_people_is_the_same_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 3, 320_000, &["6D", "6E"]);
    let made = buyer.books(201, &wanted).await;
    let again = buyer.books(200, &wanted).await;
    assert_eq!(again, made);
    assert_eq!((service.bookings(schedule).await, service.seats(schedule).await), (1, (177, 3)));
    assert_eq!(service.history("BOOKING", id(&made)).await, ["booked"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn ten_calls_at_once_make_one_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    // Enough seats for all, for some, and for one.
    for (flight, seats) in [("CJ1", 180), ("CJ2", 7), ("CJ3", 2)] {
        let day = service.world.day(3);
        let schedule = seed::schedule(day).flight(flight).seats(seats).insert(&service.world.db).await;
        let buyer = service.traveller().await;
        let wanted = request(schedule, 2, 320_000, &["6D", "6E"]);
        let mut calls = JoinSet::new();
        for _ in 0..10 {
            let (buyer, wanted) = (buyer.clone(), wanted.clone());
            calls.spawn(async move {
                let answer = buyer.post("/api/bookings", &wanted).await;
                (answer.status.as_u16(), answer.body)
            });
        }
        let answers = calls.join_all().await;
        let mut statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 200, 201], "{flight}: {answers:?}");
        assert!(answers.iter().all(|(_, body)| id(body) == id(&answers[0].1)), "{flight}");
        assert_eq!((service.bookings(schedule).await, service.seats(schedule).await), (1, (seats - 2, 2)), "{flight}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_still_the_same_booking_on_the_last_seats(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(1).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 1, 320_000, &["6D"]);
    let made = buyer.books(201, &wanted).await;
    assert_eq!(buyer.books(200, &wanted).await, made);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_still_the_same_booking_when_as_much_is_held_as_allowed(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    for _ in 0..2 {
        buyer.books(201, &request(schedule, 9, 320_000, &[])).await;
    }
    let wanted = request(schedule, 2, 320_000, &["6D"]);
    let made = buyer.books(201, &wanted).await;
    assert_eq!(buyer.books(200, &wanted).await, made);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_still_the_same_booking_when_the_price_has_changed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 1, 320_000, &["6D"]);
    let made = buyer.books(201, &wanted).await;
    let statement = "update flight_schedules set current_price = 400000 where schedule_id = ?";
    service.by_hand(statement, schedule).await;
    assert_eq!(buyer.books(200, &wanted).await, made);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_still_the_same_booking_when_sales_have_stopped(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 1, 320_000, &["6D"]);
    let made = buyer.books(201, &wanted).await;
    service.by_hand("update flight_schedules set status = 'DELAYED' where schedule_id = ?", schedule).await;
    assert_eq!(buyer.books(200, &wanted).await, made);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_declined_card_before_does_not_make_it_another_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let buyer = shop.traveller().await;
    let first_try = shop.begin(&buyer, schedule, 320_000).await;
    shop.decline(&first_try, 320_000).await;
    let second_try = shop.begin(&buyer, schedule, 320_000).await;
    shop.pay(&second_try, 320_000).await;
    let wanted = request(schedule, 1, 320_000, &["6D"]);
    let made = buyer.books(201, &wanted).await;
    assert_eq!(made["status"], "CONFIRMED");
    assert_eq!(buyer.books(200, &wanted).await, made);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_same_seat_for_other_people_is_taken(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 2, 320_000, &["6D", "6E"]);
    buyer.books(201, &wanted).await;
    let other = |pointer: &str, value: Value| {
        let mut other = wanted.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        other
    };
    let mut swapped = wanted.clone();
    swapped["passengers"].as_array_mut().unwrap().reverse();
    for request in [
        other("/passengers/1/name", json!("이바다")),
        other("/passengers/1/nameEn", json!("SOMEBODY ELSE")),
        other("/passengers/1/birth", json!("1990-02-04")),
        other("/passengers/1/gender", json!("M")),
        other("/seats", json!(["6D"])),
        other("/seats", json!(["6E", "6D"])),
        other("/seats", json!(["6D", "7E"])),
        swapped,
        request(schedule, 1, 320_000, &["6D"]),
        request(schedule, 3, 320_000, &["6D", "6E"]),
    ] {
        buyer.post("/api/bookings", &request).await.refused(409, "seat-taken");
    }
    assert_eq!((service.bookings(schedule).await, service.seats(schedule).await), (1, (178, 2)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_same_seat_for_another_caller_is_taken(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let wanted = request(schedule, 1, 320_000, &["6D"]);
    service.traveller().await.books(201, &wanted).await;
    service.traveller().await.post("/api/bookings", &wanted).await.refused(409, "seat-taken");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_seats_each_call_is_another_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 1, 320_000, &[]);
    let (first, second) = (buyer.books(201, &wanted).await, buyer.books(201, &wanted).await);
    assert_ne!(id(&first), id(&second));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_over_is_not_the_same_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 1, 320_000, &["6D"]);
    let cancelled = buyer.books(201, &wanted).await;
    assert_eq!(buyer.cancel(number(&cancelled)).await, 200);
    let expired = buyer.books(201, &wanted).await;
    service.world.pass(minutes(16));
    let made = buyer.books(201, &wanted).await;
    assert!(id(&made) != id(&expired) && id(&expired) != id(&cancelled));
    assert_eq!(service.seats(schedule).await, (179, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn asking_again_takes_up_what_was_paid_meanwhile(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(2).await;
    let buyer = service.traveller().await;
    let (first_tab, second_tab) =
        (service.begin(&buyer, schedule, 320_000).await, service.begin(&buyer, schedule, 320_000).await);
    let wanted = request(schedule, 1, 320_000, &["6D"]);
    // Nothing is known to be paid: the booking guesses that it will be the newest.
    let made = buyer.books(201, &wanted).await;
    assert_eq!((made["status"].as_str(), service.payment(&second_tab).await.1), (Some("PENDING"), Some(id(&made))));
    service.hear_paid(&first_tab, 320_000).await;
    assert_eq!(service.payment(&first_tab).await.1, None);

    let again = buyer.books(200, &wanted).await;
    assert_eq!((id(&again), again["status"].as_str()), (id(&made), Some("CONFIRMED")));
    assert_eq!(service.payment(&first_tab).await, ("PAID".to_owned(), Some(id(&made))));
    assert_eq!(service.payment(&second_tab).await, ("REQUESTED".to_owned(), None));
    // The guess keeps a reservation, and no longer than any other.
    service.world.pass(minutes(16));
    service.run_jobs().await;
    assert_eq!(service.seats(schedule).await, (1, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn asking_again_takes_up_no_payment_over_another_amount(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let documented = json!({
        "schedule_id": schedule,
        "seat_id": "6D",
        "passengers": [{"name": "김하늘", "birth_date": "1990-02-03"}],
    });
    let made = buyer.books(201, &documented).await;
    let statement = "update flight_schedules set current_price = 300000 where schedule_id = ?";
    service.by_hand(statement, schedule).await;
    let payment = service.begin(&buyer, schedule, 300_000).await;
    service.hear_paid(&payment, 300_000).await;
    let again = buyer.books(200, &documented).await;
    assert_eq!((id(&again), again["status"].as_str()), (id(&made), Some("PENDING")));
    assert_eq!(service.payment(&payment).await, ("PAID".to_owned(), None));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_reservation_that_is_no_longer_needed_is_given_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 1, 320_000, &["6D"]);
    // Two bookings wait for a payment, so `init` can't tell for which one this is, and reserves.
    let made = buyer.books(201, &wanted).await;
    buyer.books(201, &request(schedule, 1, 320_000, &["7D"])).await;
    let payment = service.begin(&buyer, schedule, 320_000).await;
    assert_eq!(service.seats(schedule).await, (177, 3));
    service.hear_paid(&payment, 320_000).await;
    let again = buyer.books(200, &wanted).await;
    assert_eq!((id(&again), again["status"].as_str()), (id(&made), Some("CONFIRMED")));
    assert_eq!(service.seats(schedule).await, (178, 2));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn asking_again_finds_out_what_was_paid_meanwhile(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let buyer = shop.traveller().await;
    let wanted = request(schedule, 1, 320_000, &["1A"]);
    let payment = shop.begin(&buyer, schedule, 320_000).await;
    let made = buyer.books(201, &wanted).await;
    assert_eq!(made["status"], "PENDING");
    shop.pay(&payment, 320_000).await;
    let again = buyer.books(200, &wanted).await;
    assert_eq!((&again["booking_id"], &again["status"]), (&made["booking_id"], &json!("CONFIRMED")));
    assert_eq!(buyer.newest().await["status"], "CONFIRMED");
}
