//! `Idempotency-Key`: asked again under one name, a payment is begun and attached once, and answered alike.

use bootpay::simulator::{Operation, Outage, Trouble};
use chrono::TimeDelta;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::confirm::{Agreed, PATH as CONFIRM, outage};
use crate::support::{PRICE, Service, Shop, message, order_of, wanted};

const INIT: &str = "/api/payments/init";
const ATTACH: &str = "/api/payments/attach-booking";

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_is_begun_once_and_reserves_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let request = json!({ "scheduleId": schedule, "amount": PRICE * 2 });
    let init = buyer.keyed("window-1");
    let first = init.post(INIT, &request).await;
    assert_eq!(first.status, 200);
    // It is paid, booked, and sold out since.
    let _ = service.signed(&message(&order_of(&first.body), "r-1", "PAID", PRICE * 2)).await.expect(200);
    service.book(&wanted(&buyer, schedule, 2, &[])).await.unwrap();
    service.by_hand("update flight_schedules set available_seats = 0 where schedule_id = ?", schedule).await;
    init.post(INIT, &request).await.repeats(&first);
    assert_eq!(service.payments().await, 1);
    buyer.post(INIT, &request).await.refused(409, "sold-out");

    init.post(INIT, &json!({ "scheduleId": schedule, "amount": PRICE })).await.refused(422, "idempotency-key-reused");
    service.buyer().await.keyed("window-1").post(INIT, &request).await.refused(409, "sold-out");
    assert_eq!(service.payments().await, 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_order_id_of_the_clients_own_can_be_told_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let buyer = service.buyer().await;
    let request = json!({ "amount": PRICE, "orderId": "my-order" });
    buyer.keyed("k").post(INIT, &json!({ "amount": 0 })).await.refused_field("amount");
    let first = buyer.keyed("k").post(INIT, &request).await;
    assert_eq!((first.status.as_u16(), &first.body["order_id"]), (200, &json!("my-order")));
    buyer.keyed("k").post(INIT, &request).await.repeats(&first);
    buyer.keyed("l").post(INIT, &request).await.refused(409, "order-id-used");
    buyer.post(INIT, &request).await.refused(409, "order-id-used");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn many_equal_inits_at_once_begin_one_payment(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let (buyer, request) = (buyer.keyed("k"), json!({ "scheduleId": schedule, "amount": PRICE * 3 }));
            tokio::spawn(async move { buyer.post(INIT, &request).await })
        })
        .collect();
    let mut orders = std::collections::BTreeSet::new();
    for call in calls {
        let answer = call.await.unwrap();
        match answer.status.as_u16() {
            200 => drop(orders.insert(order_of(&answer.body))),
            _ => answer.refused(409, "idempotency-key-in-flight"),
        }
    }
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!((service.payments().await, service.seats(schedule).await), (1, (6, 3)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn attaching_is_told_again_and_its_refusal_is_not(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let [first, second] = [buyer.begin(schedule, 1).await, buyer.begin(schedule, 1).await];
    let booking = service.booking(&buyer, schedule, 1).await;
    let attach = |key: &str, order: &str| {
        let (client, request) = (buyer.keyed(key), json!({ "orderId": order, "bookingId": booking.booking_id }));
        async move { client.post(ATTACH, &request).await }
    };
    let attached = attach("a", &first).await;
    assert_eq!(attached.status, 200);
    // Another one takes its place; telling the first call again doesn't turn that round.
    assert_eq!(attach("b", &second).await.status, 200);
    attach("a", &first).await.repeats(&attached);
    assert_eq!((service.linked(&first).await, service.linked(&second).await), (None, Some(booking.booking_id)));
    attach("a", &second).await.refused(422, "idempotency-key-reused");

    // A surplus is given back, though the call is refused; asked again under that name, it is looked at anew.
    let _ = service.signed(&message(&second, "r-2", "PAID", PRICE)).await.expect(200);
    let _ = service.signed(&message(&first, "r-1", "PAID", PRICE)).await.expect(200);
    attach("c", &first).await.refused(409, "booking-paid");
    service.assert_refunds(&[(PRICE, "SURPLUS", "PENDING")]).await;
    attach("c", &first).await.refused(409, "payment-closed");
    service.assert_refunds(&[(PRICE, "SURPLUS", "PENDING")]).await;
    let kept: i64 = service.value("select count(*) from idempotency_keys where idempotency_key = ?", "c").await;
    assert_eq!(kept, 0);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_key_nobody_looks_for_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    sqlx::query("drop table idempotency_keys").execute(&service.world.db).await.unwrap();
    let order = buyer.begin(schedule, 1).await;
    let booking = service.booking(&buyer, schedule, 1).await;
    let _ = buyer.attach(&order, &booking).await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_is_confirmed_once_and_told_the_same(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    let request = json!({ "orderId": agreed.order, "receiptId": agreed.receipt });
    let confirm = agreed.buyer.keyed("confirm-1");
    // Whose outcome is open is not kept: the same call goes on with it.
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    let _ = confirm.post(CONFIRM, &request).await.expect(202);
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::minutes(1));
    let first = confirm.post(CONFIRM, &request).await;
    assert_eq!((first.status.as_u16(), &first.body["booking"]["status"]), (200, &json!("CONFIRMED")));
    confirm.post(CONFIRM, &request).await.repeats(&first);
    agreed.assert_paid_once(&shop).await;
    let other = json!({ "orderId": agreed.order, "receiptId": "another" });
    confirm.post(CONFIRM, &other).await.refused(422, "idempotency-key-reused");
}
