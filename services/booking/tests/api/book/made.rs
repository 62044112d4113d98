//! What a booking call makes.

use common::cache::Cache;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::{Service, id, minutes, number, request};

/// What stands in a booking's row.
async fn row(service: &Service, booking_id: i64) -> Value {
    let row: String = service
        .value(
            "select json_object(
                 'user_id', user_id, 'schedule_id', schedule_id, 'seat_number', seat_number, 'total_amount', total_amount,
                 'contact_email', contact_email, 'contact_phone', contact_phone, 'payment_method', payment_method,
                 'status', status, 'flight_id', flight_id, 'airline', airline, 'departure_airport', departure_airport,
                 'arrival_airport', arrival_airport, 'departure_time', departure_time, 'arrival_time', arrival_time,
                 'duration', duration, 'aircraft', aircraft, 'unit_price', unit_price,
                 'discount_percentage', discount_percentage, 'currency', currency)
             from bookings where booking_id = ?",
            booking_id,
        )
        .await;
    serde_json::from_str(&row).unwrap()
}

type PassengerRow = (String, Option<String>, String, Option<String>, Option<String>, Option<String>, Option<i32>);

/// The rows of a booking's passengers.
async fn passengers(service: &Service, booking_id: i64) -> Vec<PassengerRow> {
    sqlx::query_as(
        "select name_kor, name_eng, cast(birth_date as char), gender, phone, seat_number, price
         from passengers where booking_id = ? order by passenger_id",
    )
    .bind(booking_id)
    .fetch_all(&service.world.db)
    .await
    .unwrap()
}

/// Unit, quantity and state of a schedule's claims.
async fn claims(service: &Service, schedule: i64) -> Vec<(Option<String>, i32, String)> {
    sqlx::query_as("select unit, quantity, state from claims where pool_id = ? order by claim_id")
        .bind(schedule)
        .fetch_all(&service.world.db)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_browser_clients_request_holds_seats_until_it_is_paid(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 2, 320_000, &["6D"])).await;

    assert_eq!(
        made.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["booking_id", "booking_number", "message", "payment_due_at", "status", "success", "total_amount"]
    );
    assert_eq!(
        (&made["success"], &made["status"], &made["total_amount"]),
        (&json!(true), &json!("PENDING"), &json!(640_000))
    );
    assert!(made["message"].as_str().is_some_and(|m| m.contains("확보")));
    let (letters, rest) = number(&made).split_at(2);
    assert!(letters == "CJ" && rest.len() == 8 && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
    let due: chrono::DateTime<chrono::Utc> = made["payment_due_at"].as_str().unwrap().parse().unwrap();
    let wait = due - service.world.now();
    assert!(minutes(15) <= wait && wait < minutes(16), "{wait}");

    assert_eq!(
        row(&service, id(&made)).await,
        json!({
            "user_id": buyer.id, "schedule_id": schedule, "seat_number": "6D", "total_amount": 640_000,
            "contact_email": "kim@example.com", "contact_phone": "010-1234-5678", "payment_method": "card",
            "status": "PENDING", "flight_id": "CJ101", "airline": "CloudJet", "departure_airport": "ICN",
            "arrival_airport": "NRT", "departure_time": "06:30:00", "arrival_time": "09:15:00", "duration": "2시간 45분",
            "aircraft": "Boeing 737-800", "unit_price": 320_000, "discount_percentage": null, "currency": "KRW",
        })
    );
    let person = |n: u32, seat: Option<&str>| {
        let text = |t: &str| Some(t.to_owned());
        let (korean, english) = (format!("승객{n}"), format!("PASSENGER {n}"));
        (korean, Some(english), "1990-02-03".to_owned(), text("F"), None, seat.map(str::to_owned), Some(320_000))
    };
    assert_eq!(passengers(&service, id(&made)).await, [person(0, Some("6D")), person(1, None)]);
    assert_eq!(
        claims(&service, schedule).await,
        [(Some("6D".to_owned()), 1, "HELD".to_owned()), (None, 1, "HELD".to_owned())]
    );
    assert_eq!(service.seats(schedule).await, (178, 2));
    assert_eq!(service.history("BOOKING", id(&made)).await, ["booked"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_event_tells_who_booked_and_by_which_request(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let answer = buyer.post("/api/bookings", &request(schedule, 1, 320_000, &[])).await;
    let request_id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
    let event: (String, i64, String, String) =
        sqlx::query_as("select actor, user_id, request_id, cast(detail as char) from events where subject = 'BOOKING'")
            .fetch_one(&service.world.db)
            .await
            .unwrap();
    assert_eq!((event.0.as_str(), event.1, event.2), ("USER", buyer.id, request_id));
    let detail: Value = serde_json::from_str(&event.3).unwrap();
    assert_eq!(detail["new"], json!({"status": "PENDING", "total": 320_000, "payment_id": null}));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_documented_request_is_completed_from_the_account(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let email: String = service.value("select email from users where user_id = ?", buyer.id).await;
    let made = buyer
        .books(
            201,
            &json!({
                "schedule_id": schedule,
                "seat_id": "12A",
                "passengers": [
                    {"name": "김하늘", "birth_date": "1990-02-03", "phone": "010-9999-0000"},
                    {"name": "이바다", "birth_date": "2020-12-31"},
                ],
            }),
        )
        .await;
    assert_eq!((&made["status"], &made["total_amount"]), (&json!("PENDING"), &json!(640_000)));
    let row = row(&service, id(&made)).await;
    assert_eq!((&row["contact_email"], &row["contact_phone"]), (&json!(email), &json!("010-9999-0000")));
    assert_eq!((&row["payment_method"], &row["seat_number"]), (&json!("card"), &json!("12A")));
    assert_eq!(
        passengers(&service, id(&made)).await,
        [
            (
                "김하늘".to_owned(),
                None,
                "1990-02-03".to_owned(),
                None,
                Some("010-9999-0000".to_owned()),
                Some("12A".to_owned()),
                Some(320_000)
            ),
            ("이바다".to_owned(), None, "2020-12-31".to_owned(), None, None, None, Some(320_000)),
        ]
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_documented_requests_phone_is_the_accounts_where_no_passenger_has_one(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let request = json!({"schedule_id": schedule, "passengers": [{"name": "김하늘", "birth_date": "1990-02-03"}]});
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request).await;
    assert_eq!(row(&service, id(&made)).await["contact_phone"], "010-1234-5678");
    service.by_hand("update users set phone = null where user_id = ?", buyer.id).await;
    let made = buyer.books(201, &request).await;
    assert_eq!(row(&service, id(&made)).await["contact_phone"], "");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn ids_are_numbers_or_their_digits_in_both_dialects(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let mut browsers = request(schedule, 1, 320_000, &[]);
    browsers["scheduleId"] = json!(schedule);
    buyer.books(201, &browsers).await;
    let passengers = json!([{"name": "김하늘", "birth_date": "1990-02-03"}]);
    for spelled in [json!(schedule), json!(schedule.to_string())] {
        buyer.books(201, &json!({"schedule_id": spelled, "passengers": passengers})).await;
    }
    assert_eq!(service.bookings(schedule).await, 3);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn each_passenger_gets_their_own_seat(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 3, 320_000, &["10c", " 2a ", "25F"])).await;
    let seats: Vec<_> = passengers(&service, id(&made)).await.into_iter().map(|p| p.5.unwrap()).collect();
    assert_eq!(seats, ["10C", "2A", "25F"], "any case, in the passengers' order");
    assert_eq!(row(&service, id(&made)).await["seat_number"], "10C");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_seat_nobody_is_seated(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let mut unseated = request(schedule, 9, 320_000, &[]);
    let made = buyer.books(201, &unseated).await;
    assert_eq!(row(&service, id(&made)).await["seat_number"], Value::Null);
    assert!(passengers(&service, id(&made)).await.iter().all(|p| p.5.is_none()));
    assert_eq!(claims(&service, schedule).await, [(None, 9, "HELD".to_owned())]);
    unseated["seats"] = Value::Null;
    buyer.books(201, &unseated).await;
    assert_eq!(service.seats(schedule).await, (162, 18));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_discounted_price_is_rounded_half_up_once_per_passenger(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = seed::schedule(service.world.day(3)).price(377_725).insert(&service.world.db).await;
    seed::discount(&service.world.db, schedule, 25).await;
    let buyer = service.traveller().await;
    // 283,293.75 each: 283,294, three times.
    let made = buyer.books(201, &request(schedule, 3, 283_294, &[])).await;
    assert_eq!(made["total_amount"], 849_882);
    let row = row(&service, id(&made)).await;
    assert_eq!((&row["unit_price"], &row["discount_percentage"]), (&json!(283_294), &json!(25)));
    assert!(passengers(&service, id(&made)).await.iter().all(|p| p.6 == Some(283_294)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_discount_that_ended_counts_no_more(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    seed::discount(&service.world.db, schedule, 50).await;
    service.by_hand("update flight_discounts set status = 'EXPIRED' where schedule_id = ?", schedule).await;
    let made = service.traveller().await.books(201, &request(schedule, 1, 320_000, &[])).await;
    assert_eq!(made["total_amount"], 320_000);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_longest_names_of_any_script_fit(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let mut wanted = request(schedule, 2, 320_000, &[]);
    wanted["passengers"][0]["name"] = "가".repeat(50).into();
    wanted["passengers"][0]["nameEn"] = "W".repeat(100).into();
    wanted["passengers"][1]["name"] = "  Zoë O'Brien-Łukasz 3세 😀 ".into();
    wanted["passengers"][1]["nameEn"] = "X Æ A-12, \"Jr.\" & Co; 50%".into();
    let made = service.traveller().await.books(201, &wanted).await;
    let people = passengers(&service, id(&made)).await;
    assert_eq!((people[0].0.chars().count(), people[0].1.as_ref().unwrap().len()), (50, 100));
    assert_eq!(people[1].0, "Zoë O'Brien-Łukasz 3세 😀");
    assert_eq!(people[1].1.as_deref(), Some("X Æ A-12, \"Jr.\" & Co; 50%"));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_answer_speaks_english_to_those_who_prefer_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let buyer = service.traveller().await;
    let wanted = request(schedule, 1, 320_000, &["1A"]);
    let answer = buyer.in_english().post("/api/bookings", &wanted).await.expect(201);
    assert_eq!(answer["message"], "Your seats are held. The booking is confirmed once it is paid.");
    let taken = service.traveller().await.in_english().post("/api/bookings", &wanted).await;
    assert_eq!(taken.body["message"], "Seat 1A is taken. Please choose another one.");
    let taken = service.traveller().await.post("/api/bookings", &wanted).await;
    assert_eq!(taken.body["message"], "1A 좌석은 이미 예약되었습니다. 다른 좌석을 선택해 주세요.");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn searches_that_showed_the_seats_are_forgotten(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let key = catalogue::search_key("ICN", "NRT", service.world.day(3));
    remember(&service.world.cache, &key).await;
    let buyer = service.traveller().await;
    let made = buyer.books(201, &request(schedule, 1, 320_000, &[])).await;
    assert_eq!(remembered(&service.world.cache, &key).await, None, "by a booking");
    remember(&service.world.cache, &key).await;
    assert_eq!(buyer.cancel(number(&made)).await, 200);
    assert_eq!(remembered(&service.world.cache, &key).await, None, "by a cancel");
    buyer.books(201, &request(schedule, 1, 320_000, &[])).await;
    remember(&service.world.cache, &key).await;
    service.world.pass(minutes(16));
    service.run_jobs().await;
    assert_eq!(remembered(&service.world.cache, &key).await, None, "by an expiry");
}

async fn remember(cache: &Cache, key: &str) {
    let (_, ticket) = cache.read::<Value>(key).await;
    cache.fill(ticket, &json!([]), std::time::Duration::from_mins(5)).await;
    assert!(remembered(cache, key).await.is_some());
}

async fn remembered(cache: &Cache, key: &str) -> Option<Value> {
    cache.read(key).await.0
}
