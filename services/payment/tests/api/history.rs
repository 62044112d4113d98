//! `GET /api/payments` and `GET /api/payments/{payment}`

use chrono::{DateTime, Utc};
use common::events::Cause;
use common::idempotency::Once;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::support::{Buyer, PRICE, Service, Shop, message, order_of};

const LIST: &str = "/api/payments";

/// The order ids that `path` lists, in its order.
async fn orders(buyer: &Buyer, path: &str) -> Vec<String> {
    let body = buyer.get(path).await.expect(200);
    assert_eq!(body["success"], true);
    body["payments"].as_array().unwrap().iter().map(order_of).collect()
}

/// What a payment's timeline tells, in its order.
async fn told(buyer: &testkit::Client, order: &str) -> Vec<String> {
    let body = buyer.get(&format!("{LIST}/{order}")).await.expect(200);
    let timeline = body["payment"]["timeline"].as_array().unwrap();
    timeline.iter().map(|moment| moment["text"].as_str().unwrap().to_owned()).collect()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_is_listed_with_its_booking_and_what_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    assert_eq!(buyer.get(LIST).await.expect(200), json!({ "success": true, "payments": [] }));
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let listed = async || buyer.get(LIST).await.expect(200)["payments"][0].clone();
    let begun = listed().await;
    let age = shop.world.now() - begun["created_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(age.num_seconds().abs() <= 60, "an instant, not a local time: {begun}");
    assert_eq!(
        begun,
        json!({
            "payment_id": begun["payment_id"], "order_id": order, "order_name": "CloudJet 항공권 결제",
            "booking_id": booking.booking_id, "booking_number": booking.booking_number, "status": "REQUESTED",
            "amount": PRICE, "refunded_amount": 0, "refund_pending_amount": 0, "currency": "KRW", "method": "CARD",
            "receipt_id": null, "created_at": begun["created_at"], "paid_at": null, "refunds": [],
        })
    );
    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    let paid = listed().await;
    assert_eq!((&paid["status"], &paid["receipt_id"]), (&json!("PAID"), &json!(receipt)));
    assert!(paid["paid_at"].as_str().unwrap().ends_with('Z'), "{paid}");

    let cause = Cause::user(buyer.id, None);
    shop.orders.cancel_own(&cause, buyer.id, &booking.booking_number, &Once::unkeyed()).await.unwrap();
    let refunding = listed().await;
    let amounts = |payment: &Value| (payment["refunded_amount"].clone(), payment["refund_pending_amount"].clone());
    assert_eq!(amounts(&refunding), (json!(0), json!(PRICE)));
    let refund = &refunding["refunds"][0];
    assert_eq!(
        refund,
        &json!({
            "refund_id": refund["refund_id"], "amount": PRICE, "receipt_id": receipt, "reason": "OWNER",
            "reason_text": "고객 요청으로 예약 취소", "state": "PENDING", "created_at": refund["created_at"],
            "settled_at": null,
        })
    );
    shop.run_jobs().await;
    let refunded = listed().await;
    assert_eq!((&refunded["status"], amounts(&refunded)), (&json!("CANCELLED"), (json!(PRICE), json!(0))));
    assert_eq!(refunded["refunds"][0]["state"], "SUCCEEDED");
    assert!(refunded["refunds"][0]["settled_at"].is_string());
    let english = buyer.in_english().get(LIST).await.expect(200);
    assert_eq!(english["payments"][0]["refunds"][0]["reason_text"], "Cancelled at the customer's request");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_paid_in_vain_makes_no_payment_look_refunded(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    for won in [PRICE, PRICE, 1000] {
        let receipt = shop.pay(&order, won).await;
        let _ = shop.nudge(&order, &receipt).await;
    }
    shop.run_jobs().await;
    let body = buyer.get(&format!("{LIST}/{order}")).await.expect(200);
    let payment = &body["payment"];
    assert_eq!(
        (&payment["status"], &payment["refunded_amount"], &payment["refund_pending_amount"]),
        (&json!("PAID"), &json!(0), &json!(0))
    );
    let refunds = payment["refunds"].as_array().unwrap();
    let refunds: Vec<_> =
        refunds.iter().map(|r| (r["amount"].as_i64().unwrap(), r["reason"].as_str().unwrap())).collect();
    assert_eq!(refunds, [(PRICE, "SURPLUS"), (1000, "WRONG_AMOUNT")]);
    let charges = payment["charges"].as_array().unwrap();
    let charges: Vec<_> = charges.iter().map(|c| (c["amount"].clone(), c["cancelled_amount"].clone())).collect();
    assert_eq!(charges, [(PRICE, 0), (PRICE, PRICE), (1000, 1000)].map(|(a, b)| (json!(a), json!(b))));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_newest_come_first_a_page_at_a_time(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let mut made = vec![buyer.begin_for(&booking).await];
    for _ in 0..3 {
        made.insert(0, order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200)));
    }
    let foreign = other.begin(schedule, 1).await;
    let _ = service.signed(&message(&made[1], "r-1", "FAILED", PRICE)).await.expect(200);

    assert_eq!(orders(&buyer, LIST).await, made);
    assert_eq!(orders(&buyer, &format!("{LIST}?limit=2&offset=1")).await, made[1..3]);
    assert_eq!(orders(&buyer, &format!("{LIST}?offset=3")).await, made[3..]);
    assert_eq!(orders(&buyer, &format!("{LIST}?status=FAILED")).await, [made[1].clone()]);
    for name in [booking.booking_id.to_string(), booking.booking_number.to_lowercase()] {
        assert_eq!(orders(&buyer, &format!("{LIST}?booking={name}")).await, [made[3].clone()]);
    }
    assert_eq!(orders(&buyer, &format!("{LIST}?booking=CJNOTHING0")).await, Vec::<String>::new());
    assert_eq!(orders(&other, &format!("{LIST}?booking={}", booking.booking_id)).await, Vec::<String>::new());
    assert_eq!(orders(&other, LIST).await, [foreign]);
    for (field, values) in
        [("status", ["", "payed"]), ("booking", ["", "%20"]), ("limit", ["0", "101"]), ("offset", ["-1", "x"])]
    {
        for value in values {
            buyer.get(&format!("{LIST}?{field}={value}")).await.refused_field(field);
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn somebody_elses_payment_is_not_there(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, other, schedule) = (service.buyer().await, service.buyer().await, service.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let id = buyer.get(LIST).await.expect(200)["payments"][0]["payment_id"].to_string();
    for name in [order.as_str(), &order.to_lowercase(), &id] {
        let body = buyer.get(&format!("{LIST}/{name}")).await.expect(200);
        assert_eq!((body["success"].clone(), order_of(&body["payment"])), (json!(true), order.clone()));
        other.get(&format!("{LIST}/{name}")).await.refused(404, "payment-not-found");
    }
    for nothing in ["nothing", "0", "-1", "99999999999999999999", "%EA%B0%80", "%27%20or%201"] {
        buyer.get(&format!("{LIST}/{nothing}")).await.refused(404, "payment-not-found");
    }
    // An order id in digits is an order id, whosever payment has that number.
    let digits = json!({ "amount": PRICE, "orderId": id });
    let _ = other.init(&digits).await.expect(200);
    assert_eq!(order_of(&other.get(&format!("{LIST}/{id}")).await.expect(200)["payment"]), id);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_happened_is_told_in_plain_words(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let declined = shop.decline(&order, PRICE).await;
    let _ = shop.nudge(&order, &declined).await.expect(200);
    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let cause = Cause::user(buyer.id, None);
    shop.orders.cancel_own(&cause, buyer.id, &booking.booking_number, &Once::unkeyed()).await.unwrap();
    shop.run_jobs().await;
    assert_eq!(
        told(&buyer, &order).await,
        [
            "결제를 시작했습니다.",
            "결제가 승인되지 않았습니다.",
            "결제가 완료되었습니다.",
            "결제가 예약에 연결되었습니다.",
            "예약이 접수되었습니다.",
            "환불이 접수되었습니다: 고객 요청으로 예약 취소.",
            "예약이 취소되었습니다: 고객 요청으로 예약 취소.",
            "결제가 취소되었습니다.",
            "환불이 완료되었습니다.",
        ]
    );
    let english = told(&buyer.in_english(), &order).await;
    assert!(english.iter().all(|text| text.is_ascii() && text.ends_with('.')), "{english:?}");
    let timeline = buyer.get(&format!("{LIST}/{order}")).await.expect(200)["payment"]["timeline"].clone();
    let queued = timeline.as_array().unwrap().iter().find(|moment| moment["action"] == "queued").unwrap();
    assert_eq!((&queued["subject"], &queued["amount"]), (&json!("REFUND"), &json!(PRICE)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_long_list_costs_as_many_queries_as_a_short_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    // One connection, so that what the server counted for it is what we asked.
    let service = Service::with(World::with_connections(database, 1), None);
    let buyer = service.buyer().await;
    let asked = async || -> u64 {
        let (_, count): (String, String) =
            sqlx::query_as("show session status like 'Questions'").fetch_one(&service.world.db).await.unwrap();
        count.parse().unwrap()
    };
    let mut costs = Vec::new();
    for n in 1..=3_usize {
        let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
        for receipt in 0..2 {
            let _ = service.signed(&message(&order, &format!("r-{n}-{receipt}"), 1, PRICE)).await.expect(200);
        }
        let before = asked().await;
        let body = buyer.get(LIST).await.expect(200);
        costs.push(asked().await - before);
        let listed = body["payments"].as_array().unwrap();
        assert_eq!(listed.len(), n);
        assert!(listed.iter().all(|payment| payment["refunds"].as_array().unwrap().len() == 1));
    }
    assert_eq!([costs[0]; 3], costs[..], "{costs:?}");
}
