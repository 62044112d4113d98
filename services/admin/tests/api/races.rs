//! Many at once: one flight, one discount, and nobody sold what is not flown.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Answer, seed};
use tokio::task::JoinSet;

use crate::support::{PUBLISH, Service, anew, booking, flight, on, result, with};

/// Waits for all, and counts how they ended.
async fn statuses(mut tasks: JoinSet<Answer>) -> (BTreeMap<u16, usize>, Vec<Answer>) {
    let (mut counts, mut answers) = (BTreeMap::new(), Vec::new());
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        *counts.entry(answer.status.as_u16()).or_default() += 1;
        answers.push(answer);
    }
    (counts, answers)
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn of_twenty_who_create_one_flight_one_does(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let admin = service.admin().await;
        tasks.spawn(async move { admin.post("/api/admin/flights", &flight("CJ900")).await });
    }
    let (counts, _) = statuses(tasks).await;
    assert_eq!(counts, [(201, 1), (409, 19)].into());
    assert_eq!(service.actions("FLIGHT", "CJ900").await, ["created"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn of_twenty_who_discount_one_schedule_one_does(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let id = seed::schedule(service.world.day(3)).insert(&service.world.db).await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let admin = service.admin().await;
        let request = json!({ "schedule_id": id, "discount_percentage": n + 5 });
        tasks.spawn(async move { admin.post("/api/admin/discounts", &request).await });
    }
    let (counts, answers) = statuses(tasks).await;
    assert_eq!(counts, [(201, 1), (409, 19)].into());
    let given = answers.iter().find_map(|answer| answer.body["discount_id"].as_i64()).unwrap();

    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let admin = service.admin().await;
        tasks.spawn(async move { admin.delete(&format!("/api/admin/discounts/{given}")).await });
    }
    let (counts, _) = statuses(tasks).await;
    assert_eq!(counts, [(200, 1), (404, 19)].into());
    assert_eq!(service.actions("DISCOUNT", given).await, ["created", "removed"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn twenty_who_publish_one_flight_publish_each_day_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let mut tasks = JoinSet::new();
    for n in 0..20_i64 {
        let admin = service.admin().await;
        let (first, last) = (service.world.day(1 + n % 5).to_string(), service.world.day(8 + n % 3).to_string());
        let schedule = json!({ "mode": "range", "start_date": first, "end_date": last, "overwrite": n % 2 == 1 });
        let request = json!({ "flight": flight("CJ900"), "schedule": schedule });
        tasks.spawn(async move { admin.post(PUBLISH, &request).await });
    }
    let (counts, answers) = statuses(tasks).await;
    assert_eq!(counts, [(201, 20)].into());
    let days = service.days("CJ900").await;
    assert_eq!(days.len(), 10);
    let (mut published, mut anew) = (0, 0);
    for (id, ..) in days {
        let actions = service.actions("SCHEDULE", id).await;
        assert_eq!(actions[0], "published");
        assert!(actions[1..].iter().all(|action| action == "published-anew"), "{actions:?}");
        (published, anew) = (published + 1, anew + actions.len() - 1);
    }
    let created: i64 = answers.iter().map(|answer| result(&answer.body).0).sum();
    assert_eq!(usize::try_from(created).unwrap(), published + anew);
    assert_eq!(service.actions("FLIGHT", "CJ900").await, ["created"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn selling_and_publishing_anew_at_once_keep_the_books(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let day = service.world.day(3);
    let id = seed::schedule(day).seats(20).insert(&service.world.db).await;
    let twenty = with(flight("CJ101"), &json!({ "total_seats": 20 }));
    let mut tasks = JoinSet::new();
    for n in 0..40 {
        if n % 4 == 0 {
            let (admin, request) = (service.admin().await, anew(day, &twenty));
            tasks.spawn(async move { admin.post(PUBLISH, &request).await });
        }
        let traveller = service.traveller().await;
        tasks.spawn(async move { traveller.post("/api/bookings", &booking(id, 1)).await });
    }
    let (counts, _) = statuses(tasks).await;
    assert_eq!(counts, [(201, 30), (409, 20)].into(), "ten publish, twenty book, twenty are too late");
    assert_eq!(service.seats(id).await, (0, 20));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_changes_before_it_is_booked_or_not_at_all(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    for round in 0..8 {
        let (day, number) = (service.world.day(3), format!("CJ{round}"));
        let id = seed::schedule(day).flight(&number).insert(&service.world.db).await;
        let later = on(day, &with(flight(&number), &json!({ "departure_time": "07:30" })));
        let mut tasks = JoinSet::new();
        for n in 0..6 {
            if n == round % 6 {
                let (admin, later) = (service.admin().await, later.clone());
                tasks.spawn(async move { admin.post(PUBLISH, &later).await });
            }
            let traveller = service.traveller().await;
            tasks.spawn(async move { traveller.post("/api/bookings", &booking(id, 1)).await });
        }
        let (counts, _) = statuses(tasks).await;
        assert!(counts == [(201, 7)].into() || counts == [(201, 6), (409, 1)].into(), "{counts:?}");
        let differ = "select count(*) from bookings b join flight_schedules s on s.schedule_id = b.schedule_id
                      join flights f on f.flight_id = s.flight_id
                      where b.schedule_id = ? and b.departure_time <> f.departure_time";
        assert_eq!(service.number(differ, id).await, 0, "everybody has booked what is flown");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_waited_while_the_flight_changed_books_it_as_it_is(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let id = seed::schedule(service.world.day(3)).insert(&service.world.db).await;
    let mut changing = service.world.db.begin().await.unwrap();
    let lock = "select flight_id from flight_schedules where schedule_id = ? for update";
    let number: String = sqlx::query_scalar(lock).bind(id).fetch_one(&mut *changing).await.unwrap();
    let traveller = service.traveller().await;
    let waiting = tokio::spawn(async move { traveller.post("/api/bookings", &booking(id, 1)).await });
    service.somebody_waits().await;
    // What a publisher does while it holds the schedule.
    for change in [
        "update flights set departure_time = '07:30:00' where flight_id = ?",
        "update flight_schedules set flight_revision = flight_revision + 1 where flight_id = ?",
    ] {
        sqlx::query(change).bind(&number).execute(&mut *changing).await.unwrap();
    }
    common::db::commit(changing).await.unwrap();
    let booked = waiting.await.unwrap().expect(201)["booking_id"].as_i64().unwrap();
    let at = "select count(*) from bookings where booking_id = ? and departure_time = '07:30:00'";
    assert_eq!(service.number(at, booked).await, 1);
}
