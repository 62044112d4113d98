//! `POST /api/admin/flights-with-schedules`: a flight and its days, all of it or nothing.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::{PUBLISH, Service, anew, booking, flight, on, result, with};

/// A flight every day from the `first` to the `last`, counted from today.
fn season(service: &Service, first: i64, last: i64, flight: &Value) -> Value {
    let (first, last) = (service.world.day(first).to_string(), service.world.day(last).to_string());
    json!({ "flight": flight, "schedule": { "mode": "range", "start_date": first, "end_date": last } })
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_new_flight_is_flown_and_sold_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let (admin, day) = (service.admin().await, service.world.day(3));
    assert_eq!(service.search("ICN", "NRT", day).await, []);
    // What the browser's form sends.
    let mut request = on(day, &flight("CJ900"));
    request["schedule"]["current_price"] = json!(299_000);
    request["schedule"]["available_seats"] = json!(150);
    let answer = admin.post(PUBLISH, &request).await.expect(201);
    let result = json!({"flight_id": "CJ900", "created_schedules": 1, "skipped": 0, "total_requested": 1});
    assert_eq!(answer, json!({ "success": true, "result": result }));

    let days = service.days("CJ900").await;
    let [(id, ..)] = days[..] else { panic!("{days:?}") };
    assert!(id >= 10_000_000, "{id}: a price may have seven digits");
    assert_eq!(service.search("ICN", "NRT", day).await, [(id, 299_000)]);
    assert_eq!(service.seats(id).await, (150, 0));
    service.book(id, 2).await;
    assert_eq!(service.seats(id).await, (148, 2));

    assert_eq!(service.actions("FLIGHT", "CJ900").await, ["created"]);
    let history = service.history("SCHEDULE", id).await;
    let new = json!({ "flight_date": day.to_string(), "current_price": 299_000, "available_seats": 150 });
    assert_eq!(history, [("ADMIN".into(), "published".into(), json!({ "old": null, "new": new }))]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_season_has_up_to_ninety_one_days(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let admin = service.admin().await;
    let answer = admin.post(PUBLISH, &season(&service, 0, 90, &flight("CJ900"))).await.expect(201);
    assert_eq!(answer["result"]["total_requested"], 91);
    let days = service.days("CJ900").await;
    assert_eq!(days.iter().map(|d| d.1).collect::<Vec<_>>(), (0..91).map(|n| service.world.day(n)).collect::<Vec<_>>());
    let prices = "select count(*) from flight_schedules where current_price = 320000 and available_seats = ?";
    assert_eq!(service.number(prices, 180).await, 91);
    for (id, ..) in &days {
        assert_eq!(service.actions("SCHEDULE", id).await, ["published"]);
    }
    for (first, last) in [(1, 92), (5, 4)] {
        admin.post(PUBLISH, &season(&service, first, last, &flight("CJ901"))).await.refused_field("schedule.end_date");
    }
    assert_eq!(result(&admin.post(PUBLISH, &season(&service, 7, 7, &flight("CJ902"))).await.expect(201)), (1, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_can_not_be_accepted_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let (admin, day) = (service.admin().await, service.world.day(3));
    let good = on(day, &flight("CJ900"));
    let yesterday = service.world.day(-1).to_string();
    let (first, last) = (day.to_string(), service.world.day(4).to_string());
    for (part, field, values) in [
        ("flight", "flight_id", json!(["", "CJ-1", null])),
        ("flight", "departure_airport", json!(["ICNN", "QQQ", null])),
        ("flight", "arrival_airport", json!(["ICN", "QQQ", null])),
        ("flight", "departure_time", json!(["6:30", null])),
        ("flight", "arrival_time", json!(["24:00", null])),
        ("flight", "aircraft", json!(["<b>", "", null])),
        ("flight", "base_price", json!([9_999, 10_000_000, "x", null])),
        ("flight", "airline", json!(["<b>", "", "가".repeat(51)])),
        ("flight", "total_seats", json!([0, 501, -1, "x"])),
        ("flight", "duration", json!(["2h"])),
        ("schedule", "mode", json!(["daily", 1])),
        ("schedule", "date", json!(["", "2026-2-1", "2026-02-30", "tomorrow", yesterday, 20_261_201, null])),
        ("schedule", "current_price", json!([-1, 10_000_000, "x", 1.5])),
        ("schedule", "available_seats", json!([0, -1, 181, 501, "x"])),
        ("schedule", "overwrite", json!(["yes", 1])),
    ] {
        for value in values.as_array().unwrap() {
            let mut request = good.clone();
            request[part][field] = value.clone();
            admin.post(PUBLISH, &request).await.refused_field(&format!("{part}.{field}"));
        }
    }
    for (field, values) in
        [("start_date", json!(["", "x", yesterday, null])), ("end_date", json!(["", "x", yesterday, null]))]
    {
        for value in values.as_array().unwrap() {
            let mut request = good.clone();
            request["schedule"] = json!({ "mode": "range", "start_date": first, "end_date": last });
            request["schedule"][field] = value.clone();
            admin.post(PUBLISH, &request).await.refused_field(&format!("schedule.{field}"));
        }
    }
    for part in ["flight", "schedule"] {
        for value in [Value::Null, json!("x"), json!([1])] {
            let request = with(good.clone(), &json!({ part: value }));
            let answer = admin.post(PUBLISH, &request).await;
            assert!(answer.body["message"].as_str().unwrap().contains(part), "{}", answer.body);
            assert_eq!(answer.status, 400);
        }
    }
    assert!(service.days("CJ900").await.is_empty());
    assert_eq!(admin.get("/api/admin/flights").await.expect(200), json!({ "flights": [] }));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn days_that_are_published_are_skipped_or_published_anew(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let admin = service.admin().await;
    let _ = admin.post(PUBLISH, &season(&service, 2, 3, &flight("CJ900"))).await.expect(201);
    let before = service.days("CJ900").await;
    let day = before[0].1;
    assert_eq!(service.search("ICN", "NRT", day).await, [(before[0].0, 320_000)]);

    let mut wider = season(&service, 1, 4, &flight("CJ900"));
    // Zero is no price, but the flight's own.
    wider["schedule"]["current_price"] = json!(0);
    wider["schedule"]["available_seats"] = json!("99");
    assert_eq!(result(&admin.post(PUBLISH, &wider).await.expect(201)), (2, 2));
    assert_eq!(service.days("CJ900").await[1..3], before);
    assert_eq!(service.seats(before[0].0).await, (180, 0));

    service.by_hand("update flight_schedules set status = 'DELAYED' where schedule_id = ?", before[0].0).await;
    wider["schedule"]["current_price"] = json!("250000");
    wider["schedule"]["overwrite"] = json!(true);
    assert_eq!(result(&admin.post(PUBLISH, &wider).await.expect(201)), (4, 0));
    assert_eq!(service.days("CJ900").await[1..3], before);
    assert_eq!(service.seats(before[0].0).await, (99, 0));
    assert_eq!(service.search("ICN", "NRT", day).await, [(before[0].0, 250_000)]);
    let history = service.history("SCHEDULE", before[0].0).await;
    let old = json!({ "current_price": 320_000, "available_seats": 180, "status": "DELAYED" });
    let new = json!({ "current_price": 250_000, "available_seats": 99, "status": "ACTIVE", "capacity": 99 });
    assert_eq!(history[1..], [("ADMIN".into(), "published-anew".into(), json!({ "old": old, "new": new }))]);
    // A flight that stays as it is has no history.
    assert_eq!(service.actions("FLIGHT", "CJ900").await, ["created"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn publishing_anew_gives_back_no_seat_that_is_taken(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (admin, day) = (service.admin().await, service.world.day(3));
    let id = seed::schedule(day).insert(&service.world.db).await;
    let lapsing = service.book(id, 4).await;
    service.world.pass(TimeDelta::minutes(10));
    let sold = service.book(id, 3).await;
    service.by_hand("update claims set state = 'SOLD', held_until = null where pool_id = ? and quantity = 3", id).await;
    service.by_hand("update bookings set status = 'CONFIRMED' where booking_id = ?", sold).await;
    service.book(id, 2).await;
    assert_eq!(service.seats(id).await, (171, 9));
    let free = async || {
        let query = format!("/api/flights/search?departure=ICN&arrival=NRT&date={day}");
        service.flights.get(&query).await.expect(200)["flights"][0]["available_seats"].as_i64().unwrap()
    };

    let _ = admin.post(PUBLISH, &anew(day, &flight("CJ101"))).await.expect(201);
    assert_eq!((service.seats(id).await, free().await), ((171, 9), 171));
    // Four holds lapse: they are free, whether or not somebody has tidied them.
    service.world.pass(TimeDelta::minutes(6));
    let _ = admin.post(PUBLISH, &anew(day, &flight("CJ101"))).await.expect(201);
    assert_eq!((service.seats(id).await, free().await), ((171, 9), 175));
    let mut fewer = anew(day, &flight("CJ101"));
    fewer["schedule"]["available_seats"] = json!(10);
    let _ = admin.post(PUBLISH, &fewer).await.expect(201);
    assert_eq!((service.seats(id).await, free().await), ((6, 9), 10));
    // Fewer than are about to come back: the surplus isn't sold when they do.
    fewer["schedule"]["available_seats"] = json!(1);
    let _ = admin.post(PUBLISH, &fewer).await.expect(201);
    assert_eq!((service.seats(id).await, free().await), ((0, 9), 1));
    let _ = service.desk.orders.sweep_seats_once(100).await.unwrap();
    assert_eq!((service.seats(id).await, free().await), ((1, 5), 1));
    let _ = admin.post(PUBLISH, &anew(day, &flight("CJ101"))).await.expect(201);
    service.book(id, 1).await;
    assert_eq!((service.seats(id).await, free().await), ((174, 6), 174));
    let expired = "select count(*) from bookings where booking_id = ? and payment_due_at > now(6)";
    assert_eq!(service.number(expired, lapsing).await, 0);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_stays_what_its_passengers_have_booked(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (admin, day) = (service.admin().await, service.world.day(3));
    let id = seed::schedule(day).insert(&service.world.db).await;
    let booked = service.book(id, 1).await;
    let promised = [
        json!({ "departure_airport": "LAX" }),
        json!({ "arrival_airport": "LAX" }),
        json!({ "departure_time": "06:31" }),
        json!({ "arrival_time": "09:15:01" }),
        json!({ "aircraft": "Airbus A320" }),
    ];
    let refused = async || {
        for change in &promised {
            // On a day of its own, or on the day that was booked: nothing of it comes true.
            for request in
                [on(service.world.day(9), &with(flight("CJ101"), change)), anew(day, &with(flight("CJ101"), change))]
            {
                let answer = admin.post(PUBLISH, &request).await;
                assert!(answer.body["message"].as_str().unwrap().contains(&day.to_string()), "{}", answer.body);
                answer.refused(409, "flight-booked");
            }
        }
        assert_eq!(service.days("CJ101").await.len(), 1);
        assert!(service.actions("FLIGHT", "CJ101").await.is_empty());
    };
    refused().await;
    service
        .by_hand("update bookings set status = 'CONFIRMED', payment_due_at = null where booking_id = ?", booked)
        .await;
    refused().await;

    // The same flight passes, and so does what nobody was promised.
    let _ = admin.post(PUBLISH, &on(day, &flight("CJ101"))).await.expect(201);
    let other =
        with(flight("CJ101"), &json!({ "base_price": 400_000, "airline": "CloudJet Air", "duration": "2시간 50분" }));
    let _ = admin.post(PUBLISH, &on(day, &other)).await.expect(201);
    assert_eq!(service.actions("FLIGHT", "CJ101").await, ["changed"]);
    let history = service.history("FLIGHT", "CJ101").await;
    assert_eq!(
        (&history[0].2["old"]["base_price"], &history[0].2["new"]["base_price"]),
        (&json!(320_000), &json!(400_000))
    );

    // Once nobody flies that day any more, it may change.
    service.by_hand("update bookings set status = 'CANCELLED' where booking_id = ?", booked).await;
    let _ = admin.post(PUBLISH, &on(day, &with(flight("CJ101"), &promised[1]))).await.expect(201);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_stays_what_somebody_is_paying_for(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (admin, day) = (service.admin().await, service.world.day(3));
    let id = seed::schedule(day).insert(&service.world.db).await;
    let buyer = seed::user(&service.world.db).await;
    let _ = service.begin(buyer, id, 320_000).await;
    let later = anew(day, &with(flight("CJ101"), &json!({ "departure_time": "06:31" })));
    admin.post(PUBLISH, &later).await.refused(409, "flight-booked");
    // A payment that nobody finished promises nothing any more.
    service.world.pass(TimeDelta::minutes(16));
    let _ = admin.post(PUBLISH, &later).await.expect(201);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_that_lapsed_or_has_flown_holds_no_flight_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (world, admin) = (&service.world, service.admin().await);
    let later = with(flight("CJ101"), &json!({ "departure_time": "07:30" }));
    let id = seed::schedule(world.day(3)).insert(&world.db).await;
    service.book(id, 1).await;
    admin.post(PUBLISH, &on(world.day(3), &later)).await.refused(409, "flight-booked");
    world.pass(TimeDelta::minutes(16));
    let _ = admin.post(PUBLISH, &on(world.day(3), &later)).await.expect(201);

    let booked = service.book(id, 1).await;
    service
        .by_hand("update bookings set status = 'CONFIRMED', payment_due_at = null where booking_id = ?", booked)
        .await;
    admin.post(PUBLISH, &on(world.day(3), &flight("CJ101"))).await.refused(409, "flight-booked");
    world.pass(TimeDelta::days(4));
    let admin = service.admin().await;
    let _ = admin.post(PUBLISH, &on(world.day(3), &flight("CJ101"))).await.expect(201);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_smaller_aircraft_must_seat_everybody(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (admin, day) = (service.admin().await, service.world.day(3));
    let crowded = seed::schedule(day).insert(&service.world.db).await;
    let empty = seed::schedule(service.world.day(4)).insert(&service.world.db).await;
    let few = seed::schedule(service.world.day(5)).seats(1).insert(&service.world.db).await;
    service.book(crowded, 5).await;
    let seats = |n: i64| with(flight("CJ101"), &json!({ "total_seats": n }));
    admin.post(PUBLISH, &on(service.world.day(9), &seats(4))).await.refused(409, "too-few-seats");
    assert_eq!(service.days("CJ101").await.len(), 3);
    let _ = admin.post(PUBLISH, &on(service.world.day(9), &seats(5))).await.expect(201);
    assert_eq!(service.seats(crowded).await, (0, 5));
    assert_eq!((service.seats(empty).await, service.seats(few).await), ((5, 0), (1, 0)));
    assert_eq!(
        (service.actions("SCHEDULE", empty).await, service.actions("SCHEDULE", few).await.len()),
        (vec!["lowered".to_owned()], 0)
    );
    service.traveller().await.post("/api/bookings", &booking(crowded, 1)).await.refused(409, "sold-out");
    // More seats again are for sale where a day is published anew.
    let _ = admin.post(PUBLISH, &anew(day, &seats(180))).await.expect(201);
    assert_eq!((service.seats(crowded).await, service.seats(empty).await), ((175, 5), (5, 0)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cancelled_day_is_flown_again_once_nobody_waits_to_be_cancelled(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (admin, day) = (service.admin().await, service.world.day(3));
    let id = seed::schedule(day).insert(&service.world.db).await;
    let booked = service.book(id, 1).await;
    service
        .by_hand("update flight_schedules set status = 'CANCELLED', cancelled_at = now(6) where schedule_id = ?", id)
        .await;
    assert_eq!(result(&admin.post(PUBLISH, &on(day, &flight("CJ101"))).await.expect(201)), (0, 1));
    let mut whole = season(&service, 2, 4, &flight("CJ101"));
    whole["schedule"]["overwrite"] = json!(true);
    admin.post(PUBLISH, &whole).await.refused(409, "schedule-being-cancelled");
    assert_eq!(service.days("CJ101").await, [(id, day, Some("CANCELLED".to_owned()))]);

    service.by_hand("update bookings set status = 'CANCELLED' where booking_id = ?", booked).await;
    assert_eq!(result(&admin.post(PUBLISH, &whole).await.expect(201)), (3, 0));
    assert_eq!(service.days("CJ101").await[1], (id, day, Some("ACTIVE".to_owned())));
    assert_eq!(service.number("select cancelled_at is null from flight_schedules where schedule_id = ?", id).await, 1);
    service.book(id, 1).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_with_another_route_moves_from_one_search_to_the_other(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (admin, near, far) = (service.admin().await, service.world.day(3), service.world.day(60));
    let ids = [
        seed::schedule(near).insert(&service.world.db).await,
        seed::schedule(far).insert(&service.world.db).await,
        seed::schedule(near).flight("CJ141").route("ICN", "LAX").price(850_000).insert(&service.world.db).await,
    ];
    // All of it is in the cache.
    for (day, id) in [(near, ids[0]), (far, ids[1])] {
        assert_eq!(service.search("ICN", "NRT", day).await, [(id, 320_000)]);
    }
    assert_eq!(service.search("ICN", "LAX", near).await, [(ids[2], 850_000)]);

    let moved = with(flight("CJ101"), &json!({ "arrival_airport": "LAX", "arrival_time": "01:00" }));
    assert_eq!(result(&admin.post(PUBLISH, &on(near, &moved)).await.expect(201)), (0, 1));
    for day in [near, far] {
        assert_eq!(service.search("ICN", "NRT", day).await, []);
    }
    assert_eq!(service.search("ICN", "LAX", near).await, [(ids[0], 320_000), (ids[2], 850_000)]);
    assert_eq!(service.search("ICN", "LAX", far).await, [(ids[1], 320_000)]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_duration_is_what_is_said_or_what_the_clocks_say(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    seed::airports(&service.world.db).await;
    let (admin, day) = (service.admin().await, service.world.day(3));
    for (change, duration) in [
        (json!({}), "2시간 45분"),
        (json!({ "departure_time": "22:00", "arrival_time": "00:05" }), "2시간 5분"),
        (json!({ "departure_airport": "NRT", "arrival_airport": "ICN" }), "2시간 45분"),
        (json!({ "departure_time": "06:30:00", "arrival_time": "06:30:00" }), "24시간 0분"),
        (json!({ "duration": "3시간 00분" }), "3시간 00분"),
    ] {
        let _ = admin.post(PUBLISH, &on(day, &with(flight("CJ900"), &change))).await.expect(201);
        let listed = admin.get("/api/admin/flights").await.expect(200);
        assert_eq!(listed["flights"][0]["duration"], duration, "{change}");
    }
}
