//! `POST /api/payments/init`

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{World, seed};

use crate::support::{PRICE, Service, order_of};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn answers_what_the_browser_client_opens_the_payment_window_with(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let request = json!({ "scheduleId": schedule.to_string(), "amount": 2 * PRICE, "orderName": "CJ101 항공권 (2명)" });
    let body = buyer.init(&request).await.expect(200);

    let (payment_id, order_id) = (body["payment_id"].as_i64().unwrap(), order_of(&body));
    assert_eq!(
        body,
        json!({
            "success": true,
            "payment_id": payment_id,
            "order_id": order_id,
            "bootpay": {
                "application_id": "browser-id",
                "price": 640_000,
                "order_name": "CJ101 항공권 (2명)",
                "pg": "nicepay",
                "method": "card",
                "extra": { "separately_confirmed": false },
            },
        })
    );
    let random = order_id.strip_prefix(&format!("CJ-ORD-{}-{schedule}-", buyer.id)).unwrap();
    assert!(random.len() == 8 && random.bytes().all(|b| b.is_ascii_hexdigit()), "{order_id}");
    let row: (String, i32, i32, i32, Option<i64>, String, String) = sqlx::query_as(
        "select status, amount, quantity, unit_price, booking_id, method, provider from payments where payment_id = ?",
    )
    .bind(payment_id)
    .fetch_one(&service.world.db)
    .await
    .unwrap();
    assert_eq!(row, ("REQUESTED".into(), 640_000, 2, 320_000, None, "CARD".into(), "NICEPAY".into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn understands_both_spellings_and_fills_in_what_is_not_said(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    for (request, name, pg, method) in [
        (json!({ "schedule_id": schedule, "amount": PRICE }), "CloudJet 항공권 결제", "nicepay", "card"),
        (
            json!({ "schedule_id": schedule.to_string(), "amount": PRICE, "order_name": " 제주 ", "method": "card", "provider": "nicepay" }),
            "제주",
            "nicepay",
            "card",
        ),
        (
            json!({ "scheduleId": schedule, "amount": PRICE, "orderName": "", "method": "Kakao", "provider": "KAKAO" }),
            "CloudJet 항공권 결제",
            "kakao",
            "kakao",
        ),
        (
            json!({ "scheduleId": null, "amount": PRICE, "orderName": null, "method": null, "provider": null, "orderId": null }),
            "CloudJet 항공권 결제",
            "nicepay",
            "card",
        ),
    ] {
        let body = buyer.init(&request).await.expect(200);
        let window = &body["bootpay"];
        assert_eq!(
            (&window["order_name"], &window["pg"], &window["method"]),
            (&name.into(), &pg.into(), &method.into())
        );
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_what_it_cannot_read_and_names_the_field(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let refused: [(&str, Vec<Value>); 7] = [
        (
            "amount",
            vec![
                Value::Null,
                json!(0),
                json!(-1),
                json!(320_000.0),
                json!(320_000.5),
                json!("320000"),
                json!(true),
                json!([1]),
                json!(3_000_000_000_i64),
                json!(u64::MAX),
            ],
        ),
        ("scheduleId", vec![json!(0), json!(-1), json!("x"), json!(""), json!(1.5), json!({})]),
        ("bookingId", vec![json!(-1), json!(1.5), json!(true), json!([])]),
        ("orderName", vec![json!("<b>"), json!("a\u{0}b"), json!("가".repeat(201)), json!(5)]),
        ("orderId", vec![json!(""), json!("a b"), json!("주문"), json!("a/b"), json!("x".repeat(65)), json!(5)]),
        ("method", vec![json!("CASH"), json!(""), json!(1)]),
        ("provider", vec![json!("TOSS"), json!(""), json!(["KAKAO"])]),
    ];
    for (field, values) in refused {
        for value in values {
            let mut request = json!({ "scheduleId": schedule, "amount": PRICE });
            request[field] = value;
            buyer.init(&request).await.refused_field(field);
        }
    }
    buyer.init(&json!({ "scheduleId": schedule })).await.refused_field("amount");
    assert_eq!((service.payments().await, service.seats(schedule).await), (0, (9, 0)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_price_is_ours(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(30).await);
    for won in [1, PRICE - 1, PRICE + 1, PRICE * 10] {
        buyer.init(&json!({ "scheduleId": schedule, "amount": won })).await.refused_field("amount");
    }
    seed::discount(&service.world.db, schedule, 25).await;
    buyer.init(&json!({ "scheduleId": schedule, "amount": PRICE })).await.refused_field("amount");
    assert_eq!(service.payments().await, 0);
    let _ = buyer.init(&json!({ "scheduleId": schedule, "amount": 240_000 * 9 })).await.expect(200);
    assert_eq!(service.seats(schedule).await, (21, 9));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_what_is_not_sold_before_anybody_is_charged(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, world) = (service.buyer().await, &service.world);
    let full = service.schedule(1).await;
    let cancelled = seed::schedule(world.day(4)).insert(&world.db).await;
    service.by_hand("update flight_schedules set status = 'CANCELLED' where schedule_id = ?", cancelled).await;
    let departed = seed::schedule(world.day(-1)).insert(&world.db).await;
    let withdrawn = seed::schedule(world.day(3)).flight("CJ999").insert(&world.db).await;
    sqlx::query("update flights set is_active = false where flight_id = 'CJ999'").execute(&world.db).await.unwrap();

    let begin =
        async |schedule: i64, seats: i64| buyer.init(&json!({ "scheduleId": schedule, "amount": PRICE * seats })).await;
    begin(99_999_999, 1).await.refused(404, "schedule-not-found");
    begin(full, 2).await.refused(409, "sold-out");
    begin(cancelled, 1).await.refused(409, "not-on-sale");
    begin(departed, 1).await.refused(409, "not-on-sale");
    begin(withdrawn, 1).await.refused(409, "not-on-sale");
    assert_eq!(service.payments().await, 0);
    assert_eq!(service.seats(full).await, (1, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_schedule_nothing_is_reserved(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let order = order_of(&buyer.init(&json!({ "amount": 12_345 })).await.expect(200));
    assert!(order.starts_with(&format!("CJ-ORD-{}-NA-", buyer.id)), "{order}");
    assert_eq!(service.seats(schedule).await, (9, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_order_id_of_the_clients_own_is_used_once_by_anybody(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(9).await);
    let longest = "x".repeat(64);
    for order in ["my_Order-1", &longest] {
        let request = json!({ "scheduleId": schedule, "amount": PRICE, "orderId": order });
        assert_eq!(buyer.init(&request).await.expect(200)["order_id"], order);
        buyer.init(&request).await.refused(409, "order-id-used");
        other.init(&request).await.refused(409, "order-id-used");
    }
    let shouted = json!({ "amount": PRICE, "order_id": "MY_ORDER-1" });
    other.init(&shouted).await.refused(409, "order-id-used");
    assert_eq!((service.payments().await, service.available(schedule).await), (2, 7));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nobody_can_begin_to_pay_where_browsers_have_no_key(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::configured(World::new(database), None, None, "private-key");
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let answer = buyer.init(&json!({ "scheduleId": schedule, "amount": PRICE })).await;
    answer.refused(503, "payments-not-configured");
    assert_eq!((service.payments().await, service.seats(schedule).await), (0, (9, 0)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn pays_for_a_pending_booking_by_its_id_or_its_number(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 2).await;
    for name in [
        json!(booking.booking_id),
        json!(booking.booking_id.to_string()),
        json!(booking.booking_number),
        json!(booking.booking_number.to_lowercase()),
    ] {
        for field in ["bookingId", "booking_id"] {
            let mut request = json!({ "amount": booking.total });
            request[field] = name.clone();
            let order = order_of(&buyer.init(&request).await.expect(200));
            assert_eq!(service.linked(&order).await, Some(booking.booking_id));
        }
    }
    assert_eq!(service.seats(schedule).await, (7, 2), "its own hold is all there is");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_a_booking_that_waits_for_no_payment(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let request = json!({ "bookingId": booking.booking_id, "amount": PRICE });

    other.init(&request).await.refused(404, "booking-not-found");
    for unknown in [json!(booking.booking_id + 1000), json!("CJNOTHING0"), json!("99999999999999999999")] {
        buyer.init(&json!({ "bookingId": unknown, "amount": PRICE })).await.refused(404, "booking-not-found");
    }
    buyer.init(&json!({ "bookingId": booking.booking_id, "amount": 2 * PRICE })).await.refused_field("amount");
    let withdrawn =
        "update flights f join flight_schedules s using (flight_id) set f.is_active = false where s.schedule_id = ?";
    service.by_hand(withdrawn, schedule).await;
    let _ = buyer.init(&request).await.expect(200);

    service.world.pass(TimeDelta::minutes(15));
    service.again(&buyer).init(&request).await.refused(409, "booking-not-payable");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_to_charge_for_a_flight_that_has_left(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let world = &service.world;
    // Leaves in ten minutes, by the clocks of its airport.
    let departure = (world.now() + TimeDelta::minutes(10)).with_timezone(&chrono_tz::Asia::Seoul);
    let schedule = seed::schedule(departure.date_naive()).insert(&world.db).await;
    sqlx::query("update flights set departure_time = ?").bind(departure.time()).execute(&world.db).await.unwrap();
    let buyer = service.buyer().await;
    let booking = service.booking(&buyer, schedule, 1).await;
    let request = json!({ "bookingId": booking.booking_id, "amount": PRICE });
    let _ = buyer.init(&request).await.expect(200);

    world.pass(TimeDelta::minutes(11));
    service.again(&buyer).init(&request).await.refused(409, "not-on-sale");
}
