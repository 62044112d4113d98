//! Many at once: no seat is sold twice, no seat is lost.

use std::sync::Arc;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Service, Shop, id, minutes, request};

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

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_webhook_beside_a_booking_call_beside_an_attach_end_in_one_paid_booking(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Arc::new(Shop::open(database).await);
    let schedule = shop.schedule(180).await;
    for round in 0..15 {
        let buyer = shop.traveller().await;
        let payment = shop.begin(&buyer, schedule, 320_000).await;
        let wanted = request(schedule, 1, 320_000, &[&format!("{}A", round + 1)]);
        // Some rounds begin without a booking, some with one that guessed.
        let made = if round % 2 == 0 { Some(buyer.books(201, &wanted).await) } else { None };
        let receipt = shop.pay(&payment, 320_000).await;
        let barrier = Arc::new(Barrier::new(5));
        let mut tasks = JoinSet::new();
        for task in 0..5 {
            let (shop, buyer, payment, barrier) =
                (Arc::clone(&shop), buyer.clone(), payment.clone(), Arc::clone(&barrier));
            let (wanted, receipt, made) = (wanted.clone(), receipt.clone(), made.clone());
            tasks.spawn(async move {
                barrier.wait().await;
                match (task, made) {
                    (0 | 1, _) => drop(shop.hear_of(&receipt).await),
                    (2, Some(made)) => shop.attach(&buyer, &payment, id(&made)).await.unwrap(),
                    _ => {
                        let answer = buyer.post("/api/bookings", &wanted).await;
                        assert!([200, 201].contains(&answer.status.as_u16()), "{}", answer.body);
                        let attached = shop.attach(&buyer, &payment, id(&answer.body)).await;
                        assert!(attached.is_ok(), "{attached:?}");
                    }
                }
            });
        }
        tasks.join_all().await;
        let listed = buyer.get("/api/bookings").await.expect(200)["bookings"].clone();
        let states: Vec<_> = listed.as_array().unwrap().iter().map(|b| b["status"].as_str().unwrap()).collect();
        assert_eq!(states, ["CONFIRMED"], "round {round}");
        assert_eq!(shop.payment(&payment).await, ("PAID".to_owned(), Some(id(&listed[0]))), "round {round}");
    }
    assert_eq!((shop.seats(schedule).await, shop.refunds().await), ((165, 15), vec![]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn late_money_and_a_rival_do_not_get_the_same_seat(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Arc::new(Shop::open(database).await);
    let mut revived = 0;
    for round in 0..15 {
        let day = shop.world.day(9);
        let flight = format!("CJ{round}");
        let schedule = seed::schedule(day).flight(&flight).seats(1).insert(&shop.world.db).await;
        let (buyer, rival) = (shop.traveller().await, shop.traveller().await);
        let wanted = request(schedule, 1, 320_000, &["6D"]);
        let made = buyer.books(201, &wanted).await;
        let payment = shop.begin_for(&buyer, id(&made), 320_000).await;
        let receipt = shop.pay(&payment, 320_000).await;
        shop.world.pass(minutes(121));
        let rival = shop.signed_in(rival.id);
        let barrier = Arc::new(Barrier::new(3));
        let (money, tidy) = ((Arc::clone(&shop), Arc::clone(&barrier)), (Arc::clone(&shop), Arc::clone(&barrier)));
        let money = tokio::spawn(async move {
            money.1.wait().await;
            money.0.hear_of(&receipt).await
        });
        let tidy = tokio::spawn(async move {
            tidy.1.wait().await;
            tidy.0.orders.expire_bookings_once(10).await.unwrap();
            tidy.0.orders.sweep_seats_once(10).await.unwrap();
        });
        barrier.wait().await;
        let got_it = rival.post("/api/bookings", &wanted).await.status == 201;
        money.await.unwrap();
        tidy.await.unwrap();
        let state = shop.booking(id(&made)).await.0;
        assert_eq!(state, if got_it { "CANCELLED" } else { "CONFIRMED" }, "round {round}");
        assert_eq!(shop.seats(schedule).await, (0, 1), "round {round}");
        shop.run_jobs().await;
        assert_eq!(shop.payment(&payment).await.0, if got_it { "CANCELLED" } else { "PAID" }, "round {round}");
        revived += i64::from(!got_it);
    }
    let refunded = i64::try_from(shop.refunds().await.len()).unwrap();
    assert_eq!(revived + refunded, 15);
}
