//! `POST /api/payments/confirm`: book first, agree in the payment window, and only then be charged.

mod answers;
mod crashes;
mod made;
mod outages;
mod races;
mod refused;

use bootpay::ReceiptId;
use bootpay::simulator::{Operation, Outage, Outcome, Trouble};
use orders::bookings::{BookingRef, BookingStatus, Receipt};
use serde_json::{Value, json};
use testkit::{Answer, seed};

use crate::support::{Buyer, PRICE, Service, Shop, wanted};

pub(super) const PATH: &str = "/api/payments/confirm";

/// A booking of seat 1A that waits, and a receipt that its buyer has agreed to.
pub(super) struct Agreed {
    pub(super) buyer: Buyer,
    pub(super) schedule: i64,
    pub(super) booking: Receipt,
    pub(super) order: String,
    pub(super) receipt: ReceiptId,
}

impl Agreed {
    pub(super) async fn of(shop: &Shop) -> Self {
        // A flight leaves once a day.
        let days: i64 =
            sqlx::query_scalar("select count(*) from flight_schedules").fetch_one(&shop.world.db).await.unwrap();
        let schedule = seed::schedule(shop.world.day(3 + days)).seats(9).insert(&shop.world.db).await;
        let buyer = shop.buyer().await;
        let booking = shop.book(&wanted(&buyer, schedule, 1, &["1A"])).await.unwrap();
        let order = buyer.begin_for(&booking).await;
        let receipt = shop.at_the_window(&order, PRICE, Outcome::Separate).await;
        Self { buyer, schedule, booking, order, receipt }
    }

    pub(super) async fn confirm(&self) -> Answer {
        confirm(&self.buyer, &self.order, &self.receipt).await
    }

    /// Asks again with a session that begins now.
    pub(super) async fn confirm_again(&self, shop: &Shop) -> Answer {
        confirm(&shop.again(&self.buyer), &self.order, &self.receipt).await
    }

    /// The booking and the payment as they are stored, and free and claimed seats.
    pub(super) async fn state(&self, service: &Service) -> (String, String, (i64, i64)) {
        let booking = service.booking_status(&self.booking).await;
        (booking, service.status(&self.order).await, service.seats(self.schedule).await)
    }

    /// Asserts the one good end: confirmed, paid once, nothing else taken and nothing to be paid back.
    pub(super) async fn assert_paid_once(&self, shop: &Shop) {
        assert_eq!(self.state(shop).await, ("CONFIRMED".into(), "PAID".into(), (8, 1)));
        assert_eq!(statuses(shop), [1]);
        assert_eq!(calls(shop).await, [("CONFIRM".into(), "DONE".into())]);
        shop.assert_refunds(&[]).await;
    }

    /// How the owner reads the booking.
    pub(super) async fn reads(&self, service: &Service) -> BookingStatus {
        service.orders.booking(&BookingRef::Id(self.booking.booking_id)).await.unwrap().unwrap().status
    }
}

pub(super) async fn confirm(buyer: &Buyer, order: &str, receipt: &ReceiptId) -> Answer {
    buyer.post(PATH, &json!({ "orderId": order, "receiptId": receipt })).await
}

/// What the provider says of every receipt.
pub(super) fn statuses(shop: &Shop) -> Vec<i64> {
    shop.provider.receipts().iter().map(|receipt| receipt["status"].as_i64().unwrap()).collect()
}

/// Every call to the provider, oldest first: its kind and its state.
pub(super) async fn calls(service: &Service) -> Vec<(String, String)> {
    sqlx::query_as("select kind, state from provider_calls order by call_id")
        .fetch_all(&service.world.db)
        .await
        .unwrap()
}

/// Trouble with these operations only.
pub(super) fn outage(mode: Trouble, only: &[Operation]) -> Outage {
    Outage { only: Some(only.to_vec()), ..Outage::new(mode) }
}

/// Waits until the provider has been asked to confirm so often.
pub(super) async fn asked_to_confirm(shop: &Shop, times: u64) {
    while shop.provider.calls().count(Operation::Confirm) < times {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Everything that a refusal must leave as it is.
pub(super) async fn everything(shop: &Shop) -> Value {
    let mut found = Vec::new();
    for query in [
        "select json_array(booking_id, status, payment_due_at, hex(hold_id)) from bookings order by booking_id",
        "select json_array(payment_id, status, booking_id, bootpay_receipt_id, closed_at) from payments order by payment_id",
        "select json_array(hex(hold_id), unit, state, held_until) from claims order by claim_id",
        "select json_array(receipt_id, was_paid, cancelled) from charges order by receipt_id",
        "select json_array(receipt_id, state) from provider_calls order by call_id",
        "select json_array(subject, subject_id, action) from events order by event_id",
    ] {
        let rows: Vec<String> = sqlx::query_scalar(query).fetch_all(&shop.world.db).await.unwrap();
        found.push(json!(rows));
    }
    found.push(json!(shop.provider.receipts()));
    found.push(json!(shop.provider.calls().count(Operation::Confirm)));
    json!(found)
}
