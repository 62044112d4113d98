//! What is confirmed.

use bootpay::simulator::{Mode, Operation, Outage, Outcome, Payment, Trouble};
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use super::{Agreed, PATH, calls, confirm};
use crate::support::{PRICE, Shop, order_of};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_has_agreed_is_charged_and_has_a_confirmed_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    assert_eq!(agreed.state(&shop).await, ("PENDING".into(), "REQUESTED".into(), (8, 1)));

    let body = agreed.confirm().await.expect(200);
    assert_eq!((&body["success"], &body["message"]), (&json!(true), &json!("결제가 완료되어 예약이 확정되었습니다.")));
    let booking = &body["booking"];
    assert_eq!(booking["booking_number"], agreed.booking.booking_number);
    assert_eq!((&booking["status"], &booking["payment_due_at"]), (&json!("CONFIRMED"), &json!(null)));
    assert_eq!((&booking["seat_number"], &booking["passengers"][0]["name_kor"]), (&json!("1A"), &json!("승객0")));
    assert!(booking["user_name"].is_string(), "{booking}");
    let payment = &body["payment"];
    assert_eq!((&payment["order_id"], &payment["status"]), (&json!(agreed.order), &json!("PAID")));
    assert_eq!((&payment["amount"], payment["payment_id"].is_i64()), (&json!(PRICE), true));
    agreed.assert_paid_once(&shop).await;

    let history: Vec<String> =
        sqlx::query_scalar("select action from events where subject = 'BOOKING' order by event_id")
            .fetch_all(&shop.world.db)
            .await
            .unwrap();
    assert_eq!(history, ["booked", "pinned", "confirmed"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_same_call_again_answers_the_same_also_without_the_provider(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    let first = agreed.confirm().await.expect(200);
    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    assert_eq!(agreed.confirm().await.expect(200), first);
    let request = json!({ "order_id": agreed.order, "receipt_id": format!(" {} ", agreed.receipt) });
    let english = agreed.buyer.in_english().post(PATH, &request).await.expect(200);
    assert_eq!(english["message"], "The payment is made, and the booking is confirmed.");
    assert_eq!(shop.provider.calls().count(Operation::Confirm), 1);
    shop.provider.set_outage(Outage::default());
    shop.run_jobs().await;
    agreed.assert_paid_once(&shop).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_paid_without_waiting_is_taken_as_it_is(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    let order = agreed.buyer.begin_for(&agreed.booking).await;
    let receipt = shop.pay(&order, PRICE).await;
    let body = confirm(&agreed.buyer, &order, &receipt).await.expect(200);
    assert_eq!((&body["booking"]["status"], &body["payment"]["status"]), (&json!("CONFIRMED"), &json!("PAID")));
    assert_eq!((shop.provider.calls().count(Operation::Confirm), calls(&shop).await.len()), (0, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn after_a_declined_card_the_next_one_pays(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    let declined = shop.decline(&agreed.order, PRICE).await;
    confirm(&agreed.buyer, &agreed.order, &declined).await.refused(409, "payment-declined");
    assert_eq!(agreed.state(&shop).await, ("PENDING".into(), "FAILED".into(), (8, 1)));
    let _ = agreed.confirm().await.expect(200);
    assert_eq!(agreed.state(&shop).await, ("CONFIRMED".into(), "PAID".into(), (8, 1)));
    confirm(&agreed.buyer, &agreed.order, &declined).await.refused(409, "payment-declined");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_webhook_that_follows_changes_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    shop.listen().await;
    let agreed = Agreed::of(&shop).await;
    let payment = Payment { outcome: Outcome::Separate, webhook: Mode::Signed, ..Payment::new(&agreed.order, PRICE) };
    let receipt = shop.provider.pay(payment).await.unwrap().receipt_id;
    let _ = confirm(&agreed.buyer, &agreed.order, &receipt).await.expect(200);
    let told = shop.provider.send_webhook(&receipt).await.unwrap();
    assert!(told.delivered);
    assert_eq!(agreed.state(&shop).await, ("CONFIRMED".into(), "PAID".into(), (8, 1)));
    shop.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_who_names_a_booking_is_told_to_wait_at_the_window(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let named = buyer.init(&json!({ "bookingId": booking.booking_number, "amount": PRICE })).await.expect(200);
    assert_eq!(named["bootpay"]["extra"], json!({ "separately_confirmed": true }));
    for request in [json!({ "scheduleId": schedule, "amount": 2 * PRICE }), json!({ "amount": PRICE })] {
        let begun = buyer.init(&request).await.expect(200);
        assert_eq!(begun["bootpay"]["extra"], json!({ "separately_confirmed": false }), "{begun}");
    }
    assert_eq!(shop.linked(&order_of(&named)).await, Some(booking.booking_id));
}
