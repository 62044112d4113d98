//! Many people doing everything at once, at random, and what must be true of the rows whatever they did.
//!
//! The steps of each are drawn from a fixed seed; how they meet is up to the machine. So a failure may take some
//! runs to come back, but what is asserted holds for every run there is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bootpay::ReceiptId;
use bootpay::simulator::{Mode, Outcome, Payment};
use common::chance::Chance;
use orders::bookings::BookingRef;
use orders::payments::{AttachError, InitError, Requested, Target};
use orders::reconcile::{Round, Scope};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;
use tokio::task::JoinSet;

use crate::support::{Shop, Traveller, id, minutes, request};

const SEED: u64 = 20_261_201;
const PEOPLE: usize = 5;
const TASKS: u64 = 10;
const STEPS: usize = 45;
const CAPACITY: i64 = 9;
const PRICE: i64 = 100_000;
/// What somebody gives back in the provider's console, when it isn't everything.
const PART: i64 = 1_000;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whatever_they_do_no_seat_is_sold_twice_and_no_won_is_lost(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let model = Arc::new(Model::begin(database).await);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let model = Arc::clone(&model);
        tasks.spawn(async move {
            let chance = Chance::seeded(SEED + task);
            for _ in 0..STEPS {
                model.step(&Dice(&chance)).await;
            }
        });
    }
    tasks.join_all().await;
    model.books_are_kept().await;
    model.settle().await;
    model.reconcile().await;
    model.books_are_kept().await;
    model.everything_is_settled().await;
}

/// Draws.
struct Dice<'a>(&'a Chance);

impl Dice<'_> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
    fn below(&self, n: usize) -> usize {
        (self.0.fraction() * n as f64) as usize
    }

    fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'t, T>(&self, things: &'t [T]) -> Option<&'t T> {
        things.get(self.below(things.len()))
    }
}

/// A payment somebody began.
#[derive(Clone)]
struct Begun {
    buyer: Traveller,
    payment: Requested,
    amount: i64,
}

/// A booking somebody made.
#[derive(Clone)]
struct Made {
    buyer: Traveller,
    booking_id: i64,
    number: String,
    total: i64,
}

/// What has happened so far, as far as those who act know.
#[derive(Default)]
struct Known {
    payments: Vec<Begun>,
    receipts: Vec<ReceiptId>,
    bookings: Vec<Made>,
    /// Receipts of which somebody gave a part back in the provider's console. If that was while all of it was on its
    /// way back, the provider refuses our refund, and an operator has to look.
    tampered: BTreeSet<String>,
}

struct Model {
    shop: Shop,
    people: Vec<Traveller>,
    schedules: [i64; 2],
    known: Mutex<Known>,
}

impl Model {
    async fn begin(database: MySqlConnectOptions) -> Self {
        let shop = Shop::open(database).await;
        let mut people = Vec::new();
        for _ in 0..PEOPLE {
            people.push(shop.traveller().await);
        }
        let mut schedules = [0; 2];
        for (schedule, flight) in schedules.iter_mut().zip(["CJ1", "CJ2"]) {
            let day = shop.world.day(5);
            *schedule = seed::schedule(day).flight(flight).price(PRICE).seats(CAPACITY).insert(&shop.world.db).await;
        }
        Self { shop, people, schedules, known: Mutex::default() }
    }

    fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap())
    }

    async fn step(&self, dice: &Dice<'_>) {
        match dice.below(27) {
            0..4 => self.begin_to_pay(dice).await,
            4..8 => self.pay(dice).await,
            8..11 => self.hear(dice).await,
            11..16 => self.book(dice).await,
            16..19 => self.attach(dice).await,
            19..21 => self.cancel(dice).await,
            21 => self.shop.world.pass(minutes(3)),
            22..25 => self.change_seats(dice).await,
            _ => self.tidy(dice).await,
        }
    }

    async fn begin_to_pay(&self, dice: &Dice<'_>) {
        let made = self.known(|known| dice.of(&known.bookings).cloned());
        let (buyer, target, amount) = if let Some(made) = made.filter(|_| dice.one_in(3)) {
            (made.buyer, Target::Booking(BookingRef::Number(made.number)), made.total)
        } else {
            let seats = i64::try_from(1 + dice.below(3)).unwrap();
            (self.anybody(dice), Target::Schedule(self.schedules[dice.below(2)]), seats * PRICE)
        };
        match self.shop.init(&buyer, target, amount).await {
            Ok(payment) => self.known(|known| known.payments.push(Begun { buyer, payment, amount })),
            Err(InitError::Database(error)) => panic!("{error}"),
            Err(_) => {}
        }
    }

    /// At the payment window; a webhook may come later, or twice, or never.
    async fn pay(&self, dice: &Dice<'_>) {
        let Some(begun) = self.known(|known| dice.of(&known.payments).cloned()) else { return };
        let outcome = if dice.one_in(5) { Outcome::Decline } else { Outcome::Approve };
        let price = if dice.one_in(15) { begun.amount + 1 } else { begun.amount };
        let payment = Payment { outcome, webhook: Mode::None, ..Payment::new(&begun.payment.order_id, price) };
        let paid = self.shop.provider.pay(payment).await.unwrap();
        self.known(|known| known.receipts.push(paid.receipt_id));
    }

    async fn hear(&self, dice: &Dice<'_>) {
        let Some(receipt) = self.known(|known| dice.of(&known.receipts).cloned()) else { return };
        if dice.one_in(12) {
            let part = dice.one_in(2).then_some(PART);
            if part.is_some() {
                self.known(|known| known.tampered.insert(receipt.to_string()));
            }
            self.shop.provider.cancel_in_console(&receipt, part);
        }
        self.shop.hear_of(&receipt).await;
    }

    async fn book(&self, dice: &Dice<'_>) {
        let buyer = self.anybody(dice);
        let passengers = 1 + dice.below(3);
        let (row, letter) = (1 + dice.below(3), ['A', 'B'][dice.below(2)]);
        let seats = if dice.one_in(3) { vec![] } else { vec![format!("{row}{letter}")] };
        let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
        let mut wanted = request(self.schedules[dice.below(2)], passengers, PRICE, &seats);
        if dice.one_in(3) {
            wanted["totalAmount"] = Value::Null;
        }
        let answer = self.shop.signed_in(buyer.id).post("/api/bookings", &wanted).await;
        match answer.status.as_u16() {
            200 | 201 => {
                let body = answer.body;
                let number = body["booking_number"].as_str().unwrap().to_owned();
                let total = body["total_amount"].as_i64().unwrap();
                self.known(|known| known.bookings.push(Made { buyer, booking_id: id(&body), number, total }));
            }
            409 => {}
            other => panic!("{other}: {}", answer.body),
        }
    }

    async fn attach(&self, dice: &Dice<'_>) {
        let Some(made) = self.known(|known| dice.of(&known.bookings).cloned()) else { return };
        let own: Vec<Begun> =
            self.known(|known| known.payments.iter().filter(|p| p.buyer.id == made.buyer.id).cloned().collect());
        let Some(begun) = dice.of(&own) else { return };
        if let Err(AttachError::Database(error)) = self.shop.attach(&begun.buyer, &begun.payment, made.booking_id).await
        {
            panic!("{error}");
        }
    }

    async fn cancel(&self, dice: &Dice<'_>) {
        let Some(made) = self.known(|known| dice.of(&known.bookings).cloned()) else { return };
        let path = format!("/api/bookings/{}/cancel", made.number);
        let answer = self.shop.signed_in(made.buyer.id).post(&path, &json!(null)).await;
        assert!([200, 404].contains(&answer.status.as_u16()), "{}", answer.body);
    }

    /// Everybody of a booking gets another seat, or none.
    async fn change_seats(&self, dice: &Dice<'_>) {
        let Some(made) = self.known(|known| dice.of(&known.bookings).cloned()) else { return };
        let people: Vec<i64> = sqlx::query_scalar("select passenger_id from passengers where booking_id = ?")
            .bind(made.booking_id)
            .fetch_all(&self.shop.world.db)
            .await
            .unwrap();
        let mut seats = vec![Value::Null, json!("1A"), json!("1B"), json!("2A"), json!("2B"), json!("3A"), json!("3B")];
        let wish = people.iter().map(|id| {
            let seat = seats.swap_remove(dice.below(seats.len()));
            json!({ "passenger_id": id, "seat_id": seat })
        });
        let wish = json!({ "seats": wish.collect::<Vec<_>>() });
        let path = format!("/api/bookings/{}/seats", made.number);
        let answer = self.shop.signed_in(made.buyer.id).put(&path, &wish).await;
        assert!([200, 409].contains(&answer.status.as_u16()), "{}", answer.body);
    }

    async fn tidy(&self, dice: &Dice<'_>) {
        let orders = &self.shop.orders;
        match dice.below(7) {
            0 => orders.expire_bookings_once(5).await.map(drop).unwrap(),
            1 => orders.sweep_seats_once(5).await.map(drop).unwrap(),
            2 => orders.ask_about_payments_once(5).await.map(drop).unwrap(),
            3 => orders.refund_unbooked_once(5).await.map(drop).unwrap(),
            4 => self.reconcile().await,
            _ => orders.drive_refunds_once(5).await.map(drop).unwrap(),
        }
    }

    /// Nothing is found but what came too late, or not at all: webhooks, what was done in the console, and our own jobs.
    async fn reconcile(&self) {
        let mut round = Round::new(Scope { heals: true, is_thorough: true, schedule_id: None });
        while self.shop.orders.reconcile_next(&mut round, &|_| {}).await.unwrap() {}
        let report = round.report();
        let late = ["receipt-differs", "receipt-unheard", "paid-unbooked", "refund-late", "refund-needs-operator"];
        assert!(report.findings.iter().all(|finding| late.contains(&finding.check)), "{report}");
    }

    fn anybody(&self, dice: &Dice<'_>) -> Traveller {
        self.people[dice.below(PEOPLE)].clone()
    }

    /// Lets every webhook arrive, and all deadlines pass.
    async fn settle(&self) {
        for receipt in self.known(|known| known.receipts.clone()) {
            self.shop.hear_of(&receipt).await;
        }
        for _ in 0..6 {
            self.shop.world.pass(minutes(31));
            self.shop.run_jobs().await;
        }
    }

    /// What is true at any time at which nobody is in the middle of something.
    async fn books_are_kept(&self) {
        let books = Books::read(&self.shop).await;
        for schedule in self.schedules {
            let (available, claimed) = self.shop.seats(schedule).await;
            assert_eq!(available + claimed, CAPACITY, "{available} free, {claimed} claimed");
        }
        books.no_unit_is_claimed_twice();
        books.every_claim_is_somebodys();
        books.every_confirmed_booking_has_its_seats_and_one_payment();
        books.every_payment_with_money_is_booked_waits_or_goes_back();
        books.no_more_goes_back_than_came();
    }

    /// What is true in the end: the provider keeps the money of confirmed bookings, and of nobody else.
    async fn everything_is_settled(&self) {
        let books = Books::read(&self.shop).await;
        let kept: BTreeMap<&str, i64> = books
            .payments
            .iter()
            .filter(|p| p.has_money() && books.is_confirmed(p.booking_id))
            .map(|p| (p.receipt_id.as_deref().unwrap(), p.amount))
            .collect();
        let unsettled: BTreeSet<&str> =
            books.refunds.iter().filter(|r| r.state != "SUCCEEDED").map(|r| r.receipt_id.as_str()).collect();
        let tampered = self.known(|known| known.tampered.clone());
        for receipt in self.shop.provider.receipts() {
            let (receipt_id, status) = (receipt["receipt_id"].as_str().unwrap(), receipt["status"].as_i64().unwrap());
            if status < 0 {
                continue;
            }
            let left = receipt["price"].as_i64().unwrap() - receipt["cancelled_price"].as_i64().unwrap();
            let in_parts = tampered.contains(receipt_id);
            match kept.get(receipt_id) {
                Some(amount) if in_parts => assert!((1..=*amount).contains(&left), "{receipt}: {amount} booked"),
                Some(amount) => assert_eq!(left, *amount, "{receipt}"),
                None if in_parts && unsettled.contains(receipt_id) => {}
                None => assert_eq!(left, 0, "{receipt}: nobody has anything for it"),
            }
        }
        assert!(unsettled.iter().all(|receipt| tampered.contains(*receipt)), "{unsettled:?}");
        let sold: i64 = books.claims.iter().map(|c| c.quantity).sum();
        let flying: i64 = books.bookings.iter().filter(|b| b.status == "CONFIRMED").map(|b| b.passengers).sum();
        assert_eq!(sold, flying, "only confirmed bookings have seats");
        let confirmed = books.bookings.iter().filter(|b| b.was_confirmed).count();
        assert!(confirmed > 0 && !books.refunds.is_empty(), "a run in which nothing happens says nothing");
    }
}

#[derive(Debug, sqlx::FromRow)]
struct Claim {
    hold: String,
    pool_id: i64,
    unit: Option<String>,
    quantity: i64,
    state: String,
    ends: bool,
}

#[derive(Debug, sqlx::FromRow)]
struct BookingRow {
    booking_id: i64,
    schedule_id: i64,
    status: String,
    was_confirmed: bool,
    hold: Option<String>,
    total_amount: i64,
    passengers: i64,
    seats: Option<String>,
}

#[derive(Debug, sqlx::FromRow)]
struct PaymentRow {
    booking_id: Option<i64>,
    status: String,
    hold: Option<String>,
    amount: i64,
    closed: bool,
    receipt_id: Option<String>,
}

impl PaymentRow {
    fn has_money(&self) -> bool {
        ["PAID", "PARTIALLY_REFUNDED"].contains(&self.status.as_str())
    }
}

#[derive(Debug, sqlx::FromRow)]
struct Refund {
    receipt_id: String,
    amount: i64,
    charged: i64,
    state: String,
}

/// All rows that matter.
struct Books {
    claims: Vec<Claim>,
    bookings: Vec<BookingRow>,
    payments: Vec<PaymentRow>,
    refunds: Vec<Refund>,
}

impl Books {
    async fn read(shop: &Shop) -> Self {
        let db = &shop.world.db;
        Self {
            claims: sqlx::query_as(
                "select hex(hold_id) as hold, pool_id, unit, cast(quantity as signed) as quantity, state,
                        held_until is not null as ends
                 from claims",
            )
            .fetch_all(db)
            .await
            .unwrap(),
            bookings: sqlx::query_as(
                "select b.booking_id, b.schedule_id, b.status, b.confirmed_at is not null as was_confirmed, hex(b.hold_id) as hold,
                        cast(b.total_amount as signed) as total_amount, count(*) as passengers,
                        group_concat(p.seat_number order by p.seat_number) as seats
                 from bookings b join passengers p on p.booking_id = b.booking_id group by b.booking_id",
            )
            .fetch_all(db)
            .await
            .unwrap(),
            payments: sqlx::query_as(
                "select booking_id, status, hex(hold_id) as hold, cast(amount as signed) as amount,
                        closed_at is not null as closed, bootpay_receipt_id as receipt_id
                 from payments",
            )
            .fetch_all(db)
            .await
            .unwrap(),
            refunds: sqlx::query_as(
                "select r.receipt_id, cast(r.amount as signed) as amount, cast(c.amount as signed) as charged, r.state
                 from refunds r join charges c on c.receipt_id = r.receipt_id",
            )
            .fetch_all(db)
            .await
            .unwrap(),
        }
    }

    fn is_confirmed(&self, booking_id: Option<i64>) -> bool {
        self.bookings.iter().any(|b| Some(b.booking_id) == booking_id && b.status == "CONFIRMED")
    }

    fn no_unit_is_claimed_twice(&self) {
        let mut seen = BTreeSet::new();
        for claim in self.claims.iter().filter(|c| c.unit.is_some()) {
            assert!(seen.insert((claim.pool_id, &claim.unit)), "{claim:?}");
        }
    }

    /// A claim belongs to a live booking, or to a payment that waits; one that doesn't end by itself is sold, or
    /// reserved for money we have.
    fn every_claim_is_somebodys(&self) {
        for claim in &self.claims {
            let booking = self.bookings.iter().find(|b| b.hold.as_ref() == Some(&claim.hold));
            let payment = self.payments.iter().find(|p| p.hold.as_ref() == Some(&claim.hold));
            match (claim.state.as_str(), claim.ends) {
                ("SOLD", false) => assert!(booking.is_some_and(|b| b.status == "CONFIRMED"), "{claim:?}: {booking:?}"),
                ("HELD", false) => {
                    let waits = payment.is_some_and(|p| p.has_money() && p.booking_id.is_none() && !p.closed);
                    assert!(waits, "{claim:?}: {payment:?}, {booking:?}");
                }
                ("HELD", true) => {
                    let pending = booking.is_some_and(|b| b.status == "PENDING");
                    let waits = payment.is_some_and(|p| p.booking_id.is_none());
                    assert!(pending || waits, "{claim:?}: {payment:?}, {booking:?}");
                }
                _ => panic!("{claim:?}"),
            }
        }
    }

    fn every_confirmed_booking_has_its_seats_and_one_payment(&self) {
        for booking in self.bookings.iter().filter(|b| b.status == "CONFIRMED") {
            let claims: Vec<&Claim> = self.claims.iter().filter(|c| Some(&c.hold) == booking.hold.as_ref()).collect();
            assert!(
                claims.iter().all(|c| c.state == "SOLD" && c.pool_id == booking.schedule_id),
                "{booking:?}: {claims:?}"
            );
            assert_eq!(claims.iter().map(|c| c.quantity).sum::<i64>(), booking.passengers, "{booking:?}: {claims:?}");
            let mut seats: Vec<&str> = claims.iter().filter_map(|c| c.unit.as_deref()).collect();
            seats.sort_unstable();
            assert_eq!(seats.join(","), booking.seats.clone().unwrap_or_default(), "{booking:?}");
            let paid: Vec<&PaymentRow> = self
                .payments
                .iter()
                .filter(|p| p.booking_id == Some(booking.booking_id) && p.has_money() && !p.closed)
                .collect();
            assert!(paid.len() == 1 && paid[0].amount == booking.total_amount, "{booking:?}: {paid:?}");
        }
    }

    fn every_payment_with_money_is_booked_waits_or_goes_back(&self) {
        for payment in self.payments.iter().filter(|p| p.has_money()) {
            let receipt = payment.receipt_id.as_deref().unwrap();
            let goes_back = self.refunds.iter().any(|r| r.receipt_id == receipt);
            let sound = match payment.booking_id {
                _ if payment.closed => goes_back,
                Some(_) => self.is_confirmed(payment.booking_id) && !goes_back,
                None => !goes_back,
            };
            assert!(sound, "{payment:?}, refunded: {goes_back}");
        }
    }

    fn no_more_goes_back_than_came(&self) {
        let mut back: BTreeMap<&str, i64> = BTreeMap::new();
        for refund in &self.refunds {
            let sum = back.entry(&refund.receipt_id).or_default();
            *sum += refund.amount;
            assert!(*sum <= refund.charged, "{refund:?}");
        }
    }
}
