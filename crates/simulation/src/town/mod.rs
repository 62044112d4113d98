//! Who lives in the simulation, and what they know: what they asked, what they were told, and so what they do next.
//!
//! Clients know only what an answer told them. Whoever got none keeps the [request](requests), and asks again under its key.

use bootpay::ReceiptId;
use bootpay::simulator::Simulator;
use serde_json::Value;

use crate::calls::{Call, Promise, Purpose, Reply};
use crate::plan::{Dice, Kind, Step};

mod requests;

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
