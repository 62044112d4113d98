//! `/api/admin/discounts`: listed, given, removed, and over when the flight has left.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::Service;

const DISCOUNTS: &str = "/api/admin/discounts";

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_discount_is_given_as_the_browser_asks_and_seen_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let day = service.world.day(3);
    let id = seed::schedule(day).price(377_725).insert(&service.world.db).await;
    let admin = service.admin().await;
    assert_eq!(service.search("ICN", "NRT", day).await, [(id, 377_725)]);

    // The form sends the schedule as text and the percentage as a number.
    let asked = json!({ "schedule_id": id.to_string(), "discount_percentage": 25 });
    let answer = admin.post(DISCOUNTS, &asked).await.expect(201);
    let discount = answer["discount_id"].as_i64().unwrap();
    assert_eq!(answer, json!({"message": "할인이 등록되었습니다.", "discount_id": discount, "success": true}));
    assert_eq!(service.search("ICN", "NRT", day).await, [(id, 283_294)]);
    assert_eq!(service.offers().await, [[(id, 283_294)], [(id, 283_294)]]);

    let mut listed = admin.get(DISCOUNTS).await.expect(200);
    let created = listed["discounts"][0]["created_at"].take();
    let age = service.world.now() - created.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(age.num_seconds().abs() <= 60, "{created}");
    assert_eq!(
        listed,
        json!({"discounts": [{
            "discount_id": discount, "schedule_id": id, "discount_percentage": 25, "status": "ACTIVE",
            "created_at": null, "flight_id": "CJ101", "flight_date": day.to_string(), "current_price": 377_725,
            "discounted_price": 283_294, "departure_airport": "ICN", "arrival_airport": "NRT",
            "departure_time": "06:30:00", "arrival_time": "09:15:00", "duration": "2시간 45분",
            "airline": "CloudJet", "departure_name": "인천국제공항", "arrival_name": "나리타국제공항",
        }]})
    );

    let answer = admin.delete(&format!("{DISCOUNTS}/{discount}")).await.expect(200);
    assert_eq!(answer, json!({"message": "할인이 삭제되었습니다.", "success": true}));
    assert_eq!(service.search("ICN", "NRT", day).await, [(id, 377_725)]);
    assert_eq!(service.offers().await, [[], []]);
    assert_eq!(admin.get(DISCOUNTS).await.expect(200), json!({ "discounts": [] }));

    let history = service.history("DISCOUNT", discount).await;
    let new = json!({ "schedule_id": id, "discount_percentage": 25 });
    let [given, removed] = &history[..] else { panic!("{history:?}") };
    assert_eq!(*given, ("ADMIN".into(), "created".into(), json!({ "old": null, "new": new })));
    let detail = json!({ "old": { "status": "ACTIVE" }, "new": { "status": "INACTIVE" } });
    assert_eq!(*removed, ("ADMIN".into(), "removed".into(), detail));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_schedule_has_one_discount_at_a_time(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let id = seed::schedule(service.world.day(3)).insert(&service.world.db).await;
    let admin = service.admin().await;
    let ask = async |percentage: i64| {
        admin.post(DISCOUNTS, &json!({ "schedule_id": id, "discount_percentage": percentage })).await
    };
    let first = ask(1).await.expect(201)["discount_id"].as_i64().unwrap();
    ask(99).await.refused(409, "already-discounted");
    let _ = admin.delete(&format!("{DISCOUNTS}/{first}")).await.expect(200);
    let second = ask(99).await.expect(201)["discount_id"].as_i64().unwrap();
    for gone in [first.to_string(), (second + 1).to_string(), "0".to_owned(), "-1".to_owned()] {
        admin.delete(&format!("{DISCOUNTS}/{gone}")).await.refused(404, "discount-not-found");
    }
    for nothing in ["abc", "1.5", "99999999999999999999"] {
        admin.delete(&format!("{DISCOUNTS}/{nothing}")).await.refused(404, "not-found");
    }
    assert_eq!(service.actions("DISCOUNT", first).await, ["created", "removed"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_can_not_be_accepted_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let id = seed::schedule(service.world.day(3)).insert(&service.world.db).await;
    let admin = service.admin().await;
    for percentage in [json!(0), json!(100), json!(150), json!(-5), json!("x"), json!(12.5), json!(""), Value::Null] {
        let request = json!({ "schedule_id": id, "discount_percentage": percentage });
        admin.post(DISCOUNTS, &request).await.refused_field("discount_percentage");
    }
    for schedule in [json!(0), json!("abc"), json!(-1), json!(true), Value::Null] {
        let request = json!({ "schedule_id": schedule, "discount_percentage": 10 });
        admin.post(DISCOUNTS, &request).await.refused_field("schedule_id");
    }
    admin.post(DISCOUNTS, &json!({})).await.refused_field("schedule_id");
    let unknown = json!({ "schedule_id": id + 1, "discount_percentage": 10 });
    admin.post(DISCOUNTS, &unknown).await.refused(404, "schedule-not-found");
    assert_eq!(admin.get(DISCOUNTS).await.expect(200), json!({ "discounts": [] }));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_what_is_on_sale_can_be_discounted(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (world, admin) = (&service.world, service.admin().await);
    let day = world.day(3);
    let past = seed::schedule(world.day(-1)).flight("CJ1").insert(&world.db).await;
    let cancelled = seed::schedule(day).flight("CJ2").insert(&world.db).await;
    let delayed = seed::schedule(day).flight("CJ3").insert(&world.db).await;
    let off_sale = seed::schedule(day).flight("CJ4").insert(&world.db).await;
    service.by_hand("update flight_schedules set status = 'CANCELLED' where schedule_id = ?", cancelled).await;
    service.by_hand("update flight_schedules set status = 'DELAYED' where schedule_id = ?", delayed).await;
    service.by_hand("update flights set is_active = false where flight_id = ?", "CJ4").await;
    for schedule in [past, cancelled, delayed, off_sale] {
        let request = json!({ "schedule_id": schedule, "discount_percentage": 10 });
        admin.post(DISCOUNTS, &request).await.refused(409, "not-on-sale");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_newest_discount_comes_first_and_a_part_can_be_asked_for(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let mut newest_first = Vec::new();
    for n in 1..=5 {
        let id = seed::schedule(service.world.day(n)).insert(&service.world.db).await;
        let answer = admin.post(DISCOUNTS, &json!({ "schedule_id": id, "discount_percentage": n })).await.expect(201);
        newest_first.insert(0, answer["discount_id"].as_i64().unwrap());
        if n == 3 {
            service.world.pass(TimeDelta::minutes(1));
        }
    }
    let listed = async |query: &str| {
        let body = admin.get(&format!("{DISCOUNTS}{query}")).await.expect(200);
        let discounts = body["discounts"].as_array().unwrap().clone();
        discounts.iter().map(|d| d["discount_id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, newest_first);
    assert_eq!(listed("?limit=2&offset=1").await, newest_first[1..3]);
    admin.get(&format!("{DISCOUNTS}?limit=101")).await.refused_field("limit");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_discount_is_over_when_its_flight_has_left(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (world, catalogue) = (&service.world, &service.catalogue);
    let mut discounts = Vec::new();
    for (flight, day) in [("CJ1", -3), ("CJ2", -2), ("CJ3", 3)] {
        let schedule = seed::schedule(world.day(day)).flight(flight).insert(&world.db).await;
        seed::discount(&world.db, schedule, 10).await;
        discounts
            .push(service.number("select discount_id from flight_discounts where schedule_id = ?", schedule).await);
    }
    let active = async || {
        sqlx::query_scalar::<_, i64>("select discount_id from flight_discounts where status = 'ACTIVE' order by 1")
            .fetch_all(&world.db)
            .await
            .unwrap()
    };
    assert!(catalogue.expire_discounts_once(1).await.unwrap());
    assert_eq!(active().await, discounts[1..]);
    assert!(catalogue.expire_discounts_once(100).await.unwrap());
    assert_eq!(active().await, discounts[2..]);
    assert!(!catalogue.expire_discounts_once(100).await.unwrap());
    let history = service.history("DISCOUNT", discounts[0]).await;
    let detail = json!({ "old": { "status": "ACTIVE" }, "new": { "status": "EXPIRED" } });
    assert_eq!(history, [("SYSTEM".into(), "expired".into(), detail)]);
    service.admin().await.delete(&format!("{DISCOUNTS}/{}", discounts[0])).await.refused(404, "discount-not-found");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_day_is_over_when_the_flight_has_left_there_and_not_here(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let world = &service.world;
    // Two in the morning in Seoul: at 23:00 of yesterday in Los Angeles the flight is still to leave.
    let two_in_the_morning = world.day(1).and_hms_opt(2, 0, 0).unwrap().and_utc() - TimeDelta::hours(9);
    world.pass(two_in_the_morning - world.now());
    let schedule = seed::schedule(world.day(-1)).route("LAX", "ICN").departs("23:00:00").insert(&world.db).await;
    seed::discount(&world.db, schedule, 10).await;
    assert!(!service.catalogue.expire_discounts_once(100).await.unwrap());
    world.pass(TimeDelta::hours(15));
    assert!(service.catalogue.expire_discounts_once(100).await.unwrap());
}
