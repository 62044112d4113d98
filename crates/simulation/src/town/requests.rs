//! What people, the airline and the provider ask for, as requests.

use bootpay::simulator::Simulator;
use serde_json::{Value, json};

use super::{Made, PRICE, Slip, Town, What, recent};
use crate::calls::{Call, Purpose, Service};
use crate::plan::Dice;

impl Town {
    fn key(&mut self, dice: &mut Dice) -> (usize, Option<String>) {
        self.requests += 1;
        (self.requests, (!dice.one_in(5)).then(|| format!("key-{}", self.requests)))
    }

    fn by(&self, person: usize, service: Service, path: String, body: Option<Value>, purpose: Purpose) -> Call {
        let session = self.people.get(person).map(|(_, session)| session.clone());
        let method = axum::http::Method::POST;
        Call { service, method, path, body, session, key: None, purpose, words: String::new() }
    }

    pub(super) fn book(&mut self, dice: &mut Dice, person: usize) -> Call {
        let (flight, passengers) = (dice.below(self.schedules.len()), 1 + dice.below(2));
        self.book_on(dice, person, flight, passengers)
    }

    pub(super) fn book_on(&mut self, dice: &mut Dice, person: usize, schedule: usize, passengers: usize) -> Call {
        let (number, key) = self.key(dice);
        let seat = (!dice.one_in(3)).then(|| format!("{}{}", 1 + dice.below(2), ['A', 'B'][dice.below(2)]));
        let people: Vec<Value> = (0..passengers)
            .map(|n| json!({ "name": format!("승객{n}-{number}"), "nameEn": format!("PASSENGER {n}"), "birth": "1990-02-03", "gender": "F" }))
            .collect();
        let body = json!({
            "scheduleId": self.schedules.get(schedule),
            "passengers": people,
            "contactInfo": { "email": "kim@example.com", "phone": "010-1234-5678" },
            "paymentMethod": "card",
            "seats": seat.iter().collect::<Vec<_>>(),
        });
        let at = seat.map_or_else(String::new, |seat| format!(", one on {seat},"));
        let words = format!("person {person} books {passengers} on flight {schedule}{at} as request {number}");
        let purpose = Purpose::Book { person, passengers: i64::try_from(passengers).unwrap_or_default() };
        Call { key, words, ..self.by(person, Service::Booking, "/api/bookings".to_owned(), Some(body), purpose) }
    }

    pub(super) fn begin(&mut self, dice: &mut Dice, person: usize) -> Call {
        let (number, key) = self.key(dice);
        let own = recent(dice, &self.made, |made| made.person == person).filter(|_| !dice.one_in(4));
        let (mut body, amount, of, what) = if let Some(made) = own.and_then(|at| self.made.get(at)) {
            let of = format!("booking {}", made.booking_id);
            (json!({ "bookingId": made.booking_id }), made.total, of, What::Booking(made.booking_id))
        } else {
            let (at, seats) = (dice.below(self.schedules.len()), 1 + dice.below(2));
            let amount = PRICE * i64::try_from(seats).unwrap_or_default();
            (json!({ "scheduleId": self.schedules.get(at) }), amount, format!("flight {at}"), What::Schedule(at))
        };
        body["amount"] = amount.into();
        body["orderName"] = format!("request {number}").into();
        let words = format!("person {person} begins to pay {amount} for {of} as request {number}");
        let purpose = Purpose::Begin { person, amount, what };
        Call { key, words, ..self.by(person, Service::Payment, "/api/payments/init".to_owned(), Some(body), purpose) }
    }

    /// A message about a receipt: as it is now, or as it was when it was paid.
    pub(super) fn tell(&mut self, dice: &mut Dice, person: usize, provider: &Simulator) -> Option<Call> {
        let begun = &self.begun;
        let slip = recent(dice, &self.slips, |slip| begun.get(slip.order).is_some_and(|begun| begun.person == person))?;
        self.message(slip, dice.one_in(4), provider)
    }

    /// The provider's message about a receipt.
    pub(crate) fn message(&self, slip: usize, is_old: bool, provider: &Simulator) -> Option<Call> {
        let id = self.slips.get(slip)?.receipt_id.as_str();
        let receipt = provider.receipts().into_iter().find(|receipt| receipt["receipt_id"] == id)?;
        let is_old = is_old && receipt["status"] == 20 && !receipt["purchased_at"].is_null();
        let (status, back) =
            if is_old { (json!(1), json!(0)) } else { (receipt["status"].clone(), receipt["cancelled_price"].clone()) };
        let words = format!("the provider tells of receipt {slip}: status {status}, {back} won back");
        let body = json!({
            "receipt_id": id, "order_id": receipt["order_id"], "price": receipt["price"], "status": status,
            "cancelled_price": back,
        });
        let path = "/api/payments/webhook".to_owned();
        Some(Call { session: None, words, ..self.by(0, Service::Payment, path, Some(body), Purpose::Tell) })
    }

    pub(super) fn confirm(&mut self, dice: &mut Dice, person: usize) -> Option<Call> {
        let begun = &self.begun;
        let own = |slip: &Slip| {
            begun.get(slip.order).is_some_and(|begun| begun.person == person && matches!(begun.what, What::Booking(_)))
        };
        let at = recent(dice, &self.slips, own)?;
        self.confirm_at(dice, at)
    }

    pub(super) fn confirm_at(&mut self, dice: &mut Dice, at: usize) -> Option<Call> {
        let (number, key) = self.key(dice);
        let slip = self.slips.get(at)?;
        let begun = self.begun.get(slip.order)?;
        let person = begun.person;
        let body = json!({ "orderId": begun.order_id, "receiptId": slip.receipt_id.as_str() });
        let words = format!("person {person} confirms receipt {at} as request {number}");
        let path = "/api/payments/confirm".to_owned();
        Some(Call { key, words, ..self.by(person, Service::Payment, path, Some(body), Purpose::Confirm) })
    }

    pub(super) fn attach(&mut self, dice: &mut Dice, person: usize) -> Option<Call> {
        let made = recent(dice, &self.made, |made| made.person == person)?;
        let order = recent(dice, &self.begun, |begun| begun.person == person)?;
        let (number, key) = self.key(dice);
        let (made, begun) = (self.made.get(made)?, self.begun.get(order)?);
        let body = json!({ "orderId": begun.order_id, "bookingId": made.number });
        let words =
            format!("person {person} attaches order {order} to booking {} as request {number}", made.booking_id);
        let path = "/api/payments/attach-booking".to_owned();
        Some(Call { key, words, ..self.by(person, Service::Payment, path, Some(body), Purpose::Attach) })
    }

    pub(super) fn cancel(&mut self, dice: &mut Dice, person: usize, by_admin: bool) -> Option<Call> {
        let anybody = by_admin && dice.one_in(4);
        let made = recent(dice, &self.made, |made| anybody || made.person == person)?;
        let (request, key) = self.key(dice);
        let Made { number, booking_id, .. } = self.made.get(made)?.clone();
        let purpose = Purpose::Cancel { number: number.clone() };
        let who = if by_admin { "the airline".to_owned() } else { format!("person {person}") };
        let words = format!("{who} cancels booking {booking_id} as request {request}");
        Some(if by_admin {
            let path = format!("/api/admin/bookings/{number}/cancel");
            let call = self.by(person, Service::Admin, path, None, purpose);
            Call { method: axum::http::Method::PUT, session: Some(self.admin.clone()), key, words, ..call }
        } else {
            let path = format!("/api/bookings/{number}/cancel");
            Call { key, words, ..self.by(person, Service::Booking, path, None, purpose) }
        })
    }

    pub(super) fn refund_part(&mut self, dice: &mut Dice, person: usize) -> Option<Call> {
        let at = recent(dice, &self.begun, |begun| begun.person == person)?;
        let begun = self.begun.get(at)?.clone();
        let (number, _) = self.key(dice);
        let amount = [10_000, 60_000, 90_000][dice.below(3)];
        let body = json!({ "amount": amount, "reason": format!("request {number}") });
        let words = format!("the airline gives {amount} of order {at} back as request {number}");
        let path = format!("/api/admin/payments/{}/refunds", begun.payment_id);
        let call = self.by(person, Service::Admin, path, Some(body), Purpose::RefundPart { amount });
        Some(Call { session: Some(self.admin.clone()), key: Some(format!("key-{number}")), words, ..call })
    }

    /// Rarely: nothing is sold on that flight any more.
    pub(super) fn ground(&mut self, dice: &mut Dice) -> Option<Call> {
        if !dice.one_in(3) {
            return None;
        }
        let (number, key) = self.key(dice);
        let at = dice.below(self.schedules.len());
        let schedule = self.schedules.get(at).copied().unwrap_or_default();
        let words = format!("the airline doesn't fly flight {at}, as request {number}");
        let path = format!("/api/admin/schedules/{schedule}/cancel");
        let call = self.by(0, Service::Admin, path, None, Purpose::Ground { schedule });
        Some(Call { session: Some(self.admin.clone()), key, words, ..call })
    }
}
