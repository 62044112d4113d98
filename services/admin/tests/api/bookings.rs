//! `GET /api/admin/bookings` and `GET /api/admin/bookings/search`

use chrono::TimeDelta;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, World, seed};

use crate::support::Service;

const LIST: &str = "/api/admin/bookings";

/// The numbers of the bookings that `path` lists, in its order.
async fn numbers(admin: &Client, path: &str) -> Vec<String> {
    let body = admin.get(path).await.expect(200);
    let bookings = body["bookings"].as_array().unwrap();
    bookings.iter().map(|b| b["booking_number"].as_str().unwrap().to_owned()).collect()
}

fn search(term: &str) -> String {
    let escaped: Vec<_> = term.bytes().map(|b| format!("%{b:02X}")).collect();
    format!("{LIST}/search?term={}", escaped.concat())
}

/// Lets an account be called something.
async fn rename(service: &Service, user: i64, name: &str, email: &str) {
    let done = sqlx::query("update users set name = ?, email = ? where user_id = ?").bind(name).bind(email).bind(user);
    assert_eq!(done.execute(&service.world.db).await.unwrap().rows_affected(), 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_is_listed_with_its_customer_and_who_flies(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    assert_eq!(admin.get(LIST).await.expect(200), json!({"bookings": []}));
    let schedule = service.schedule(180).await;
    let buyer = seed::user(&service.world.db).await;
    rename(&service, buyer, "김철수", "kim@cloudjet.com").await;
    let made = service.desk.book(buyer, schedule, &["6D", "6E"]).await;
    let mut body = admin.get(LIST).await.expect(200);
    let created = body["bookings"][0]["created_at"].take();
    assert!(created.as_str().unwrap().ends_with('Z'), "an instant, not a local time: {created}");
    for passenger in body["bookings"][0]["passengers"].as_array_mut().unwrap() {
        assert!(passenger["passenger_id"].take().is_i64());
    }
    let person = |n: u8, seat: &str| json!({"passenger_id": null, "name_kor": format!("승객{n}"), "name_eng": format!("PASSENGER {n}"), "birth_date": "1990-02-03", "gender": "F", "seat_number": seat});
    assert_eq!(
        body,
        json!({"bookings": [{
            "booking_id": made.booking_id, "booking_number": made.booking_number, "user_id": buyer,
            "customer_name": "김철수", "user_email": "kim@cloudjet.com", "schedule_id": schedule,
            "seat_number": "6D", "total_amount": 640_000, "contact_email": "kim@example.com",
            "contact_phone": "010-1234-5678", "payment_method": "card", "status": "PENDING", "cancel_reason": null,
            "payment_due_at": made.payment_due_at, "created_at": null,
            "flight_date": service.world.day(3).to_string(), "flight_id": "CJ101", "airline": "CloudJet",
            "departure_airport": "ICN", "arrival_airport": "NRT", "departure_time": "06:30:00",
            "arrival_time": "09:15:00", "duration": "2시간 45분", "aircraft": "Boeing 737-800",
            "departure_name": "인천국제공항", "arrival_name": "나리타국제공항",
            "passengers": [person(0, "6D"), person(1, "6E")],
        }]})
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn all_are_listed_newest_first_or_a_page_of_them(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let mut made = Vec::new();
    for seat in ["1A", "1B", "1C", "1D"] {
        let buyer = seed::user(&service.world.db).await;
        made.insert(0, service.desk.book(buyer, schedule, &[seat]).await);
    }
    // What was made last isn't what was entered last.
    let oldest = made.remove(0);
    service
        .by_hand("update bookings set created_at = '2026-01-01 00:00:00' where booking_id = ?", oldest.booking_id)
        .await;
    made.push(oldest);
    let made: Vec<_> = made.into_iter().map(|b| b.booking_number).collect();
    assert_eq!(numbers(&admin, LIST).await, made);
    assert_eq!(numbers(&admin, &format!("{LIST}?limit=2&offset=1")).await, made[1..3]);
    assert_eq!(numbers(&admin, &format!("{LIST}?offset=3")).await, made[3..]);
    assert_eq!(numbers(&admin, &format!("{LIST}?limit=100&offset=9")).await, Vec::<String>::new());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn more_than_anybody_would_hold_at_once_are_listed_all_the_same(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let (buyer, schedule) = (seed::user(&service.world.db).await, service.schedule(180).await);
    let first = service.desk.book(buyer, schedule, &["1A"]).await;
    // Three parts of a list, and hundreds in each second: wherever a part ends, others were made in the same one.
    let copies =
        "insert into bookings (booking_number, user_id, schedule_id, total_amount, contact_email, contact_phone,
                                        payment_method, status, created_at)
                  with recursive n (i) as (select 1 union all select i + 1 from n where i < 700)
                  select concat('CJ', i + more), user_id, schedule_id, total_amount, contact_email, contact_phone,
                         payment_method, 'CANCELLED', created_at + interval i div 300 second
                  from bookings, n, (select 0 more union all select 700) twice where booking_id = ?";
    service.by_hand(copies, first.booking_id).await;
    service
        .by_hand(
            "insert into passengers (booking_id, name_kor, birth_date)
                  select booking_id, booking_number, '1990-02-03' from bookings where booking_id > ?",
            first.booking_id,
        )
        .await;
    let newest_first = "select booking_number from bookings order by created_at desc, booking_id desc";
    let expected: Vec<String> = sqlx::query_scalar(newest_first).fetch_all(&service.world.db).await.unwrap();
    assert_eq!(expected.len(), 1401);
    assert_eq!(numbers(&admin, LIST).await, expected);
    assert_eq!(numbers(&admin, &format!("{LIST}?offset=600")).await, expected[600..]);
    assert_eq!(numbers(&admin, &format!("{LIST}?status=CANCELLED")).await.len(), 1400);
    let body = admin.get(&format!("{LIST}?status=CANCELLED")).await.expect(200);
    for booking in body["bookings"].as_array().unwrap() {
        assert_eq!(booking["passengers"][0]["name_kor"], booking["booking_number"]);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_filter_leaves_what_fits_all_of_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let [first, second] = [seed::user(&service.world.db).await, seed::user(&service.world.db).await];
    let (near, far) = (service.world.day(3), service.world.day(9));
    let to_tokyo = seed::schedule(near).insert(&service.world.db).await;
    let to_tokyo_later = seed::schedule(far).insert(&service.world.db).await;
    let to_la = seed::schedule(far).flight("CJ501").route("ICN", "LAX").insert(&service.world.db).await;
    let a = service.desk.book(first, to_tokyo, &["1A"]).await.booking_number;
    let b = service.desk.book(second, to_tokyo_later, &["1A"]).await.booking_number;
    let c = service.desk.book(second, to_la, &["1A"]).await.booking_number;
    for (filter, expected) in [
        ("flight_id=CJ101".to_owned(), vec![&b, &a]),
        ("flight_id=cj501".to_owned(), vec![&c]),
        ("flight_id=CJ999".to_owned(), vec![]),
        (format!("date={far}"), vec![&c, &b]),
        (format!("user={first}"), vec![&a]),
        ("user=987654321".to_owned(), vec![]),
        ("status=PENDING".to_owned(), vec![&c, &b, &a]),
        ("status=COMPLETED".to_owned(), vec![]),
        (format!("flight_id=CJ101&date={far}&user={second}&status=PENDING&limit=1"), vec![&b]),
        (format!("flight_id=CJ101&date={far}&user={first}"), vec![]),
    ] {
        assert_eq!(numbers(&admin, &format!("{LIST}?{filter}")).await.iter().collect::<Vec<_>>(), expected, "{filter}");
    }
    // A deadline that has passed shows before anybody wrote it down, as everywhere.
    service.world.pass(TimeDelta::minutes(16));
    let admin = service.admin().await;
    assert_eq!(numbers(&admin, &format!("{LIST}?status=PENDING")).await, Vec::<String>::new());
    assert_eq!(numbers(&admin, &format!("{LIST}?status=CANCELLED")).await, [c, b, a]);
    let body = admin.get(&format!("{LIST}?limit=1")).await.expect(200);
    assert_eq!(
        (&body["bookings"][0]["status"], &body["bookings"][0]["cancel_reason"]),
        (&json!("CANCELLED"), &json!("EXPIRED"))
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_parameter_that_makes_no_sense_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    for (field, values) in [
        ("status", &["", "confirmd", "LOST", "%27"][..]),
        ("date", &["", "2026-13-01", "2026-1-1", "tomorrow", "2026-12-01%00"]),
        ("user", &["", "0", "-1", "kim", "1.5", "99999999999999999999"]),
        ("limit", &["", "0", "-1", "101", "all", "4294967296"]),
        ("offset", &["", "-1", "x", "4294967296"]),
    ] {
        for value in values {
            admin.get(&format!("{LIST}?{field}={value}")).await.refused_field(field);
        }
    }
    for value in ["0", "101"] {
        admin.get(&format!("{LIST}/search?term=a&limit={value}")).await.refused_field("limit");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_term_is_found_wherever_it_may_stand(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let [kim, lee] = [seed::user(&service.world.db).await, seed::user(&service.world.db).await];
    rename(&service, kim, "김철수", "chulsoo@cloudjet.com").await;
    rename(&service, lee, "Lee_100%!", "lee@nowhere.net").await;
    let tokyo = service.schedule(180).await;
    let la = seed::schedule(service.world.day(5)).flight("CJ501").route("ICN", "LAX").insert(&service.world.db).await;
    let a = service.desk.book(kim, tokyo, &["1A"]).await;
    let b = service.desk.book(lee, la, &["1A", "1B"]).await;
    service.by_hand("update passengers set name_kor = '박지성', name_eng = 'PARK JISUNG' where booking_id = ? and seat_number = '1B'", b.booking_id).await;
    service.by_hand("update bookings set contact_email = 'Someone@Else.org' where booking_id = ?", a.booking_id).await;
    // Drawn ones would now and then hold what is searched for.
    service.by_hand("update bookings set booking_number = 'CJAB3F7K2M' where booking_id = ?", a.booking_id).await;
    service.by_hand("update bookings set booking_number = 'CJ9QX5T0WN' where booking_id = ?", b.booking_id).await;
    let (a, b) = ("CJAB3F7K2M".to_owned(), "CJ9QX5T0WN".to_owned());
    for (term, expected) in [
        (a.as_str(), vec![&a]),
        ("ab3f", vec![&a]),
        ("김철", vec![&a]),
        ("  철수 ", vec![&a]),
        ("CHULSOO@", vec![&a]),
        ("someone@else.org", vec![&a]),
        ("cj501", vec![&b]),
        ("cj", vec![&b, &a]),
        ("지성", vec![&b]),
        ("park ji", vec![&b]),
        ("passenger 0", vec![&b, &a]),
        ("nowhere.net", vec![&b]),
        // Each stands for itself.
        ("%", vec![&b]),
        ("_", vec![&b]),
        ("!", vec![&b]),
        ("_100%!", vec![&b]),
        ("e_1", vec![&b]),
        ("e1", vec![]),
        ("\\", vec![]),
        ("' or 1=1 -- ", vec![]),
        ("nobody", vec![]),
    ] {
        assert_eq!(numbers(&admin, &search(term)).await.iter().collect::<Vec<_>>(), expected, "{term:?}");
    }
    let found = admin.get(&search("김철수")).await.expect(200);
    assert_eq!(found["bookings"], admin.get(&format!("{LIST}?user={kim}")).await.expect(200)["bookings"]);
    assert_eq!(numbers(&admin, &format!("{}&limit=1&offset=1", search("cj"))).await, [a]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_term_must_be_there_and_short(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    for path in
        [format!("{LIST}/search"), search(""), search("   "), search("\t\n"), search(&"가".repeat(101)), search("<b>")]
    {
        admin.get(&path).await.refused_field("term");
    }
    assert_eq!(admin.get(&search(&"가".repeat(100))).await.expect(200), json!({"bookings": []}));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_search_finds_the_newest_hundred(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let buyer = seed::user(&service.world.db).await;
    let schedule = service.schedule(180).await;
    seed_many(&service, buyer, schedule, 120).await;
    let found = numbers(&admin, &search("many")).await;
    assert_eq!((found.len(), found[0].as_str(), found[99].as_str()), (100, "MANY120", "MANY21"));
    assert_eq!(numbers(&admin, &format!("{}&offset=100", search("many"))).await.len(), 20);
}

/// `n` confirmed bookings of the original, numbered from `MANY1`, the last the newest.
async fn seed_many(service: &Service, buyer: i64, schedule: i64, n: u32) {
    for booking in 1..=n {
        sqlx::query("insert into bookings (booking_number, user_id, schedule_id, total_amount, contact_email, contact_phone, payment_method) values (?, ?, ?, 320000, 'a@b.c', '010', 'card')")
            .bind(format!("MANY{booking}"))
            .bind(buyer)
            .bind(schedule)
            .execute(&service.world.db)
            .await
            .unwrap();
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_long_list_costs_as_many_queries_as_a_short_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    // One connection, so that what the server counted for it is what we asked.
    let service = Service::with(World::with_connections(database, 1), None);
    let admin = service.admin().await;
    let asked = async || -> u64 {
        let (_, count): (String, String) =
            sqlx::query_as("show session status like 'Questions'").fetch_one(&service.world.db).await.unwrap();
        count.parse().unwrap()
    };
    let schedule = service.schedule(180).await;
    let mut costs = Vec::new();
    for (bookings, seats) in [(1, ["1A", "1B"]), (2, ["2A", "2B"]), (3, ["3A", "3B"])] {
        service.desk.book(seed::user(&service.world.db).await, schedule, &seats).await;
        let before = asked().await;
        let body = admin.get(LIST).await.expect(200);
        costs.push(asked().await - before);
        let listed = body["bookings"].as_array().unwrap();
        assert_eq!(listed.len(), bookings);
        assert!(listed.iter().all(|b| b["passengers"].as_array().unwrap().len() == 2));
    }
    assert_eq!([costs[0]; 3], costs[..], "{costs:?}");
}
