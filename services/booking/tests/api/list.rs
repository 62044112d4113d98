//! `GET /api/bookings`

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{World, seed};

use crate::support::{Service, id, minutes, number, request};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_is_listed_with_what_was_sold_and_who_flies(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 2, 320_000, &["6D"])).await;
    let mut body = buyer.get("/api/bookings").await.expect(200);
    let created = body["bookings"][0]["created_at"].take();
    let created = created.as_str().unwrap();
    assert!(created.ends_with('Z'), "an instant, not a local time: {created}");
    let age = service.world.now() - created.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(age.num_seconds().abs() <= 60, "{created}");
    for (n, passenger) in body["bookings"][0]["passengers"].as_array_mut().unwrap().iter_mut().enumerate() {
        let passenger_id = passenger["passenger_id"].take();
        let name: String = service
            .value("select name_kor from passengers where passenger_id = ?", passenger_id.as_i64().unwrap())
            .await;
        assert_eq!(name, format!("승객{n}"));
    }
    let person = |n: u8, seat: Option<&str>| json!({"passenger_id": null, "name_kor": format!("승객{n}"), "name_eng": format!("PASSENGER {n}"), "birth_date": "1990-02-03", "gender": "F", "seat_number": seat});
    assert_eq!(
        body,
        json!({"bookings": [{
            "booking_id": made["booking_id"], "booking_number": made["booking_number"], "schedule_id": schedule,
            "seat_number": "6D", "total_amount": 640_000, "contact_email": "kim@example.com",
            "contact_phone": "010-1234-5678", "payment_method": "card", "status": "PENDING", "cancel_reason": null,
            "payment_due_at": made["payment_due_at"], "created_at": null,
            "flight_date": service.world.day(3).to_string(), "flight_id": "CJ101", "airline": "CloudJet",
            "departure_airport": "ICN", "arrival_airport": "NRT", "departure_time": "06:30:00",
            "arrival_time": "09:15:00", "duration": "2시간 45분", "aircraft": "Boeing 737-800",
            "departure_name": "인천국제공항", "arrival_name": "나리타국제공항",
            "passengers": [person(0, Some("6D")), person(1, None)],
        }]})
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nobody_sees_anybody_elses(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let admin = service.signed_in(seed::admin(&service.world.db).await);
    let (buyer, other) = (service.traveller().await, service.traveller().await);
    buyer.books(201, &request(schedule, 1, 320_000, &[])).await;
    for client in [&*other, &admin] {
        assert_eq!(client.get("/api/bookings").await.expect(200), json!({"bookings": []}));
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_newest_comes_first_and_a_part_can_be_asked_for(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(id(&buyer.books(201, &request(schedule, 1, 320_000, &[])).await));
        if n == 2 {
            service.world.pass(minutes(1));
        }
    }
    // A clock that was set back doesn't turn the list around within one second: the id decides.
    service.by_hand("update bookings set created_at = created_at - interval 1 hour where booking_id = ?", ids[5]).await;
    let newest_first = [ids[4], ids[3], ids[2], ids[1], ids[0], ids[5]];
    let listed = async |query: &str| -> Vec<i64> {
        let body = buyer.get(&format!("/api/bookings{query}")).await.expect(200);
        body["bookings"].as_array().unwrap().iter().map(id).collect()
    };
    assert_eq!(listed("").await, newest_first);
    assert_eq!(listed("?unknown=1").await, newest_first);
    assert_eq!(listed("?limit=2").await, newest_first[..2]);
    assert_eq!(listed("?limit=2&offset=3").await, newest_first[3..5]);
    assert_eq!(listed("?offset=4").await, newest_first[4..]);
    assert_eq!(listed("?limit=100&offset=0").await, newest_first);
    assert_eq!(listed("?offset=6").await, [0i64; 0]);
    for nonsense in [
        "?limit=0",
        "?limit=101",
        "?limit=-1",
        "?limit=ten",
        "?offset=-1",
        "?offset=x",
        "?limit=",
        "?limit=99999999999",
    ] {
        let answer = buyer.get(&format!("/api/bookings{nonsense}")).await;
        assert_eq!(answer.status, 400, "{nonsense}: {}", answer.body);
        assert!(answer.body["message"].as_str().is_some_and(|m| !m.is_empty()));
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_long_list_costs_as_many_queries_as_a_short_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    // One connection, so that what the server counted for it is what we asked.
    let service = Service::with(World::with_connections(database, 1), None);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let asked = async || -> u64 {
        let (_, count): (String, String) =
            sqlx::query_as("show session status like 'Questions'").fetch_one(&service.world.db).await.unwrap();
        count.parse().unwrap()
    };
    let mut costs = Vec::new();
    for bookings in [1, 30] {
        while service.bookings(schedule).await < bookings {
            let made = buyer.books(201, &request(schedule, 4, 320_000, &[])).await;
            let payment = service.begin_for(&buyer, id(&made), 1_280_000).await;
            service.hear_paid(&payment, 1_280_000).await;
        }
        let before = asked().await;
        let body = buyer.get("/api/bookings").await.expect(200);
        let listed = body["bookings"].as_array().unwrap();
        assert_eq!(listed.len(), usize::try_from(bookings).unwrap());
        assert!(listed.iter().all(|b| b["passengers"].as_array().unwrap().len() == 4));
        costs.push(asked().await - before);
    }
    assert_eq!(costs[0], costs[1], "{costs:?}");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_deadline_that_has_passed_shows_before_anybody_wrote_it_down(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 1, 320_000, &["6D"])).await;
    service.world.pass(minutes(16));
    let path = format!("/api/bookings/{}", number(&made));
    let shown = |booking: &Value| {
        (booking["status"].clone(), booking["cancel_reason"].clone(), booking["payment_due_at"].clone())
    };
    let over = (json!("CANCELLED"), json!("EXPIRED"), json!(null));
    assert_eq!(shown(&buyer.newest().await), over);
    assert_eq!(shown(&buyer.get(&path).await.expect(200)["booking"]), over);
    assert_eq!(service.booking(id(&made)).await.0, "PENDING", "nobody wrote it down");
    service.run_jobs().await;
    assert_eq!(shown(&buyer.newest().await), over);
    assert_eq!(service.booking(id(&made)).await, ("CANCELLED".to_owned(), Some("EXPIRED".to_owned())));
    assert_eq!(service.history("BOOKING", id(&made)).await, ["booked", "expired"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_sold_stays_whatever_becomes_of_the_flight(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    buyer.books(201, &request(schedule, 1, 320_000, &[])).await;
    let before = buyer.newest().await;
    service
        .by_hand(
            "update flights f join flight_schedules s on s.flight_id = f.flight_id
             set f.departure_time = '23:59:00', f.arrival_time = '01:00:00', f.aircraft = 'Airbus A320', f.airline = 'Other',
                 f.arrival_airport = 'LAX', f.duration = '1시간 1분', f.is_active = false
             where s.schedule_id = ?",
            schedule,
        )
        .await;
    service.by_hand("update flight_schedules set current_price = 1 where schedule_id = ?", schedule).await;
    assert_eq!(buyer.newest().await, before);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_of_the_original_is_listed_by_its_schedule(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    sqlx::query(
        "insert into bookings (booking_number, user_id, schedule_id, seat_number, total_amount, contact_email, contact_phone, payment_method)
         values ('CJORIGINAL', ?, ?, '3C', 320000, 'kim@example.com', '010-1234-5678', 'card')",
    )
    .bind(buyer.id)
    .bind(schedule)
    .execute(&service.world.db)
    .await
    .unwrap();
    let listed = buyer.newest().await;
    assert_eq!((&listed["status"], &listed["flight_id"]), (&json!("CONFIRMED"), &json!("CJ101")));
    assert_eq!((&listed["departure_time"], &listed["arrival_name"]), (&json!("06:30:00"), &json!("나리타국제공항")));
    assert_eq!(listed["passengers"], json!([]));
}
