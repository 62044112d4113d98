//! What happens at once.

use std::time::Duration;

use futures_util::future::join_all;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{PRICE, Service, Shop, message, order_of, wanted};
use serde_json::json;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_webhook_beside_an_attach_confirms_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    for round in 0..20 {
        let buyer = service.buyer().await;
        let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
        let booking = service.booking(&buyer, schedule, 1).await;
        let paid = message(&order, &format!("r-{round}"), 1, PRICE);
        let (webhook, again, attached) =
            tokio::join!(service.signed(&paid), service.signed(&paid), buyer.attach(&order, &booking));
        let _ = (webhook.expect(200), again.expect(200), attached.expect(200));
        assert_eq!(
            (service.status(&order).await, service.booking_status(&booking).await),
            ("PAID".into(), "CONFIRMED".into())
        );
    }
    assert_eq!(service.seats(schedule).await, (160, 20));
    service.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_webhook_beside_a_booking_call_beside_an_attach_confirms_once(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    for round in 0..20 {
        let buyer = service.buyer().await;
        let order = buyer.begin(schedule, 2).await;
        let paid = message(&order, &format!("r-{round}"), 1, 2 * PRICE);
        let new = wanted(&buyer, schedule, 2, &[]);
        let book_and_attach = async {
            let booking = service.book(&new).await.unwrap();
            let _ = buyer.attach(&order, &booking).await.expect(200);
            booking
        };
        let (webhook, booking) = tokio::join!(service.signed(&paid), book_and_attach);
        let _ = webhook.expect(200);
        assert_eq!(
            (service.status(&order).await, service.booking_status(&booking).await),
            ("PAID".into(), "CONFIRMED".into())
        );
    }
    assert_eq!(service.seats(schedule).await, (140, 40));
    service.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn two_tabs_that_pay_at_once_make_one_booking_and_one_refund(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    for seat in ["1A", "2A", "3A", "4A", "5A", "6A"] {
        let buyer = shop.buyer().await;
        let tab = async || {
            let order = buyer.begin(schedule, 1).await;
            let receipt = shop.pay(&order, PRICE).await;
            let new = wanted(&buyer, schedule, 1, &[seat]);
            let (booking, told) = tokio::join!(shop.book(&new), shop.nudge(&order, &receipt));
            let (booking, _) = (booking.unwrap(), told.expect(200));
            (booking.booking_id, buyer.attach(&order, &booking).await.status.as_u16())
        };
        let ((booking, one), (same, other)) = tokio::join!(tab(), tab());
        assert_eq!(booking, same);
        let mut attached = [one, other];
        attached.sort_unstable();
        assert_eq!(attached, [200, 409], "{seat}");
    }
    shop.run_jobs().await;
    shop.assert_refunds(&[(PRICE, "SURPLUS", "SUCCEEDED"); 6]).await;
    let confirmed: i64 =
        shop.value("select count(*) from bookings where status = 'CONFIRMED' and schedule_id = ?", schedule).await;
    assert_eq!((confirmed, shop.seats(schedule).await), (6, (174, 6)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn one_order_id_of_many_callers_is_one_payment(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(20).await;
    let buyers = join_all((0..10).map(|_| service.buyer())).await;
    let request = json!({ "scheduleId": schedule, "amount": PRICE, "orderId": "one" });
    let answers = join_all(buyers.iter().map(|buyer| buyer.init(&request))).await;
    let of = |status: u16| answers.iter().filter(|a| a.status == status).count();
    assert_eq!((of(200), of(409)), (1, 9));
    assert_eq!(service.seats(schedule).await, (19, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refunds_driven_by_many_replicas_are_paid_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(20).await);
    let mut receipts = Vec::new();
    for _ in 0..5 {
        let order = buyer.begin(schedule, 1).await;
        let receipt = shop.pay(&order, 7).await;
        shop.nudge(&order, &receipt).await.refused(400, "wrong-amount");
        receipts.push(receipt);
    }
    for worked in join_all((0..8).map(|_| shop.orders.drive_refunds_once(10))).await {
        worked.unwrap();
    }
    shop.assert_refunds(&[(7, "WRONG_AMOUNT", "SUCCEEDED"); 5]).await;
    assert_eq!(shop.provider.calls().count(bootpay::simulator::Operation::Cancel), 5);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_confirms_its_booking_while_the_flight_is_being_sold(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let booking = service.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let mut sale = service.world.db.begin().await.unwrap();
    sqlx::query("select 1 from flight_schedules where schedule_id = ? for update")
        .bind(schedule)
        .execute(&mut *sale)
        .await
        .unwrap();
    let paid = message(&order, "r-1", 1, PRICE);
    let heard = tokio::time::timeout(Duration::from_secs(30), service.signed(&paid));
    let heard = heard.await.expect("it waits for the sale");
    let _ = heard.expect(200);
    sale.rollback().await.unwrap();
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
}
