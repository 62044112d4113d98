//! Who lives in the simulation, and what they know: what they asked, what they were told, and so what they do next.
//!
//! Clients know only what an answer told them. Whoever got none keeps the request, and asks again under its key.

use bootpay::ReceiptId;
use bootpay::simulator::Simulator;
use serde_json::{Value, json};

use crate::calls::{Call, Promise, Purpose, Reply, Service};
use crate::plan::{Dice, Kind, Step};

/// How many people buy.
pub(crate) const PEOPLE: usize = 3;
/// What a seat costs, in won.
pub(crate) const PRICE: i64 = 100_000;

/// A booking that somebody was told of.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    person: usize,
    booking_id: i64,
    number: String,
    total: i64,
}

/// A payment that somebody was told of.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    person: usize,
    payment_id: i64,
    order_id: String,
    amount: i64,
    what: What,
}

/// What a payment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A booking that is there.
    Booking(i64),
    /// Seats of a schedule, to be booked after.
    Schedule(usize),
}

/// A receipt of the provider's.
#[derive(Clone, Debug)]
pub(crate) struct Slip {
    pub(crate) order: usize,
    pub(crate) receipt_id: ReceiptId,
    pub(crate) how: AtWindow,
    /// Whoever paid has gone on from there.
    is_used: bool,
}

/// A request that was sent, perhaps several times.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) call: Call,
    /// The answer that counts: the first that said it was done, or else the last.
    pub(crate) reply: Option<Reply>,
}

/// Everything that is known in the simulation.
#[derive(Debug, Default)]
pub(crate) struct Town {
    /// Accounts of those who buy, and their sessions.
    pub(crate) people: Vec<(i64, String)>,
    pub(crate) admin: String,
    pub(crate) schedules: Vec<i64>,
    pub(crate) made: Vec<Made>,
    pub(crate) begun: Vec<Begun>,
    pub(crate) slips: Vec<Slip>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) promises: Vec<Promise>,
    requests: usize,
}

/// What somebody does at the payment window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtWindow {
    Approve,
    Decline,
    Agree,
}

/// What a step turns out to be.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// A request, new (and then how it is kept) or once more.
    Ask(usize),
    /// A payment of this much at the provider's window, for an order.
    Pay { order: usize, amount: i64, how: AtWindow },
    /// A cancel in the provider's console.
    Console(usize),
}

impl Town {
    /// Draws what a step is. A burst's `person` is whom its steps like to concern.
    pub(crate) fn draw(&mut self, step: &Step, person: usize, provider: &Simulator) -> Option<Deed> {
        let mut dice = Dice::new(step.seed);
        let person = if !step.is_quarrel && dice.one_in(3) { dice.below(PEOPLE) } else { person };
        let call = match step.kind {
            Kind::GoOn => return self.go_on(&mut dice, person, provider),
            Kind::Book => self.book(&mut dice, person),
            Kind::Begin => self.begin(&mut dice, person),
            Kind::Window => return self.pay(&mut dice, person).or_else(|| Some(self.instead(&mut dice, person))),
            Kind::Tell => self.tell(&mut dice, person, provider)?,
            Kind::Confirm => match self.confirm(&mut dice, person) {
                Some(call) => call,
                None => return self.pay(&mut dice, person).or_else(|| Some(self.instead(&mut dice, person))),
            },
            Kind::Attach => self.attach(&mut dice, person)?,
            Kind::Cancel | Kind::CancelAny => self.cancel(&mut dice, person, step.kind == Kind::CancelAny)?,
            Kind::RefundPart => self.refund_part(&mut dice, person)?,
            Kind::Ground => self.ground(&mut dice)?,
            Kind::Again => return self.again(&mut dice),
            Kind::Console => return (!self.slips.is_empty()).then(|| Deed::Console(dice.below(self.slips.len()))),
            Kind::Job(_) | Kind::Reconcile | Kind::Pass => return None,
        };
        Some(self.keep(call))
    }

    /// Nothing is begun that could be paid: somebody begins.
    fn instead(&mut self, dice: &mut Dice, person: usize) -> Deed {
        let call = self.begin(dice, person);
        self.keep(call)
    }

    fn keep(&mut self, call: Call) -> Deed {
        self.asked.push(Asked { call, reply: None });
        Deed::Ask(self.asked.len() - 1)
    }

    fn key(&mut self, dice: &mut Dice) -> (usize, Option<String>) {
        self.requests += 1;
        (self.requests, (!dice.one_in(5)).then(|| format!("key-{}", self.requests)))
    }

    fn by(&self, person: usize, service: Service, path: String, body: Option<Value>, purpose: Purpose) -> Call {
        let session = self.people.get(person).map(|(_, session)| session.clone());
        let method = axum::http::Method::POST;
        Call { service, method, path, body, session, key: None, purpose, words: String::new() }
    }

    /// What comes next for somebody: what they have begun is brought to its end, or they begin anew.
    fn go_on(&mut self, dice: &mut Dice, person: usize, provider: &Simulator) -> Option<Deed> {
        let begun = &self.begun;
        let own = |slip: &Slip| !slip.is_used && begun.get(slip.order).is_some_and(|begun| begun.person == person);
        if let Some(at) = self.slips.iter().position(own) {
            let slip = self.slips.get_mut(at)?;
            slip.is_used = true;
            let begun = self.begun.get(slip.order)?;
            let call = match (slip.how, begun.what) {
                (AtWindow::Agree, _) => self.confirm_at(dice, at)?,
                (AtWindow::Approve, What::Schedule(flight)) => {
                    let seats = usize::try_from(begun.amount / PRICE).unwrap_or(1);
                    self.book_on(dice, person, flight, seats)
                }
                _ => self.message(at, false, provider)?,
            };
            return Some(self.keep(call));
        }
        let slips = &self.slips;
        let is_unpaid =
            |(at, begun): (usize, &Begun)| begun.person == person && slips.iter().all(|slip| slip.order != at);
        if self.begun.iter().enumerate().any(is_unpaid) {
            return self.pay(dice, person);
        }
        let begun = &self.begun;
        let is_unbegun = |made: &Made| {
            made.person == person && begun.iter().all(|begun| begun.what != What::Booking(made.booking_id))
        };
        let call = if self.made.iter().any(is_unbegun) || dice.one_in(3) {
            self.begin(dice, person)
        } else {
            self.book(dice, person)
        };
        Some(self.keep(call))
    }

    fn book(&mut self, dice: &mut Dice, person: usize) -> Call {
        let (flight, passengers) = (dice.below(self.schedules.len()), 1 + dice.below(2));
        self.book_on(dice, person, flight, passengers)
    }

    fn book_on(&mut self, dice: &mut Dice, person: usize, schedule: usize, passengers: usize) -> Call {
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

    fn begin(&mut self, dice: &mut Dice, person: usize) -> Call {
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

    fn pay(&mut self, dice: &mut Dice, person: usize) -> Option<Deed> {
        let slips = &self.slips;
        let own = |order: &usize| self.begun.get(*order).is_some_and(|begun| begun.person == person);
        let mut orders: Vec<usize> = (0..self.begun.len()).filter(own).collect();
        if !dice.one_in(6) {
            orders.retain(|order| slips.iter().all(|slip| slip.order != *order));
        }
        let order = orders.get(recent(dice, &orders, |_| true)?).copied()?;
        let begun = self.begun.get(order)?;
        let how = match dice.below(8) {
            0 => AtWindow::Decline,
            1..6 if matches!(begun.what, What::Booking(_)) => AtWindow::Agree,
            _ => AtWindow::Approve,
        };
        let amount = if dice.one_in(20) { begun.amount + 1000 } else { begun.amount };
        Some(Deed::Pay { order, amount, how })
    }

    /// A message about a receipt: as it is now, or as it was when it was paid.
    fn tell(&mut self, dice: &mut Dice, person: usize, provider: &Simulator) -> Option<Call> {
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

    fn confirm(&mut self, dice: &mut Dice, person: usize) -> Option<Call> {
        let begun = &self.begun;
        let own = |slip: &Slip| {
            begun.get(slip.order).is_some_and(|begun| begun.person == person && matches!(begun.what, What::Booking(_)))
        };
        let at = recent(dice, &self.slips, own)?;
        self.confirm_at(dice, at)
    }

    fn confirm_at(&mut self, dice: &mut Dice, at: usize) -> Option<Call> {
        let (number, key) = self.key(dice);
        let slip = self.slips.get(at)?;
        let begun = self.begun.get(slip.order)?;
        let person = begun.person;
        let body = json!({ "orderId": begun.order_id, "receiptId": slip.receipt_id.as_str() });
        let words = format!("person {person} confirms receipt {at} as request {number}");
        let path = "/api/payments/confirm".to_owned();
        Some(Call { key, words, ..self.by(person, Service::Payment, path, Some(body), Purpose::Confirm) })
    }

    fn attach(&mut self, dice: &mut Dice, person: usize) -> Option<Call> {
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

    fn cancel(&mut self, dice: &mut Dice, person: usize, by_admin: bool) -> Option<Call> {
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

    fn refund_part(&mut self, dice: &mut Dice, person: usize) -> Option<Call> {
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
    fn ground(&mut self, dice: &mut Dice) -> Option<Call> {
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

    fn again(&mut self, dice: &mut Dice) -> Option<Deed> {
        recent(dice, &self.asked, |asked| asked.call.key.is_some()).map(Deed::Ask)
    }

    /// Requests that nobody was told the end of.
    pub(crate) fn open_requests(&self) -> Vec<usize> {
        let is_open = |asked: &Asked| asked.call.key.is_some() && asked.reply.as_ref().is_none_or(Reply::is_open);
        (0..self.asked.len()).filter(|at| self.asked.get(*at).is_some_and(is_open)).collect()
    }

    /// Somebody was answered. What that tells them they know from now on. Answers how it breaks its word, if it does:
    /// what was done is told the same way again.
    pub(crate) fn hear(&mut self, at: usize, reply: &Reply) -> Option<String> {
        let asked = self.asked.get_mut(at)?;
        if let Some(first) = asked.reply.as_ref().filter(|first| first.is_done() && asked.call.key.is_some()) {
            let again = format!("{} was told {first} at first and {reply} again", asked.call.words);
            // Who asked beside the first may have to ask once more.
            return (first != reply && !reply.is_open()).then_some(again);
        }
        let purpose = asked.call.purpose.clone();
        asked.reply = Some(reply.clone());
        let promise = Promise::of(&purpose, reply)?;
        self.learn(&purpose, &promise, &reply.json());
        self.promises.push(promise);
        None
    }

    fn learn(&mut self, purpose: &Purpose, promise: &Promise, body: &Value) {
        match (purpose, promise) {
            (Purpose::Book { person, .. }, Promise::Booked { booking_id, number, .. })
                if self.made.iter().all(|made| made.booking_id != *booking_id) =>
            {
                let total = body["total_amount"].as_i64().unwrap_or_default();
                self.made.push(Made { person: *person, booking_id: *booking_id, number: number.clone(), total });
            }
            (Purpose::Begin { person, amount, what }, Promise::Begun { order_id }) => self.begun.push(Begun {
                person: *person,
                payment_id: body["payment_id"].as_i64().unwrap_or_default(),
                order_id: order_id.clone(),
                amount: *amount,
                what: *what,
            }),
            _ => {}
        }
    }

    /// Somebody comes out of the window with a receipt. Answers which it is.
    pub(crate) fn paid(&mut self, order: usize, receipt_id: ReceiptId, how: AtWindow) -> usize {
        self.slips.push(Slip { order, receipt_id, how, is_used: false });
        self.slips.len() - 1
    }

    /// The order that a payment is for.
    pub(crate) fn order_id(&self, order: usize) -> Option<String> {
        self.begun.get(order).map(|begun| begun.order_id.clone())
    }
}

/// One of those that will do: mostly the last.
fn recent<T>(dice: &mut Dice, things: &[T], will_do: impl Fn(&T) -> bool) -> Option<usize> {
    let them: Vec<usize> = things.iter().enumerate().filter(|(_, thing)| will_do(thing)).map(|(at, _)| at).collect();
    if dice.one_in(4) { dice.of(&them).copied() } else { them.last().copied() }
}
