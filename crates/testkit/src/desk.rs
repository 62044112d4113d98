//! An order desk in a world, and a payment provider that it works with: what tests of services that sell, take money
//! and give it back have in common. It asks the tables themselves, because those are what others' reports read.
//!
//! It panics where the desk or the database refuses: a test that wants a refusal asks `orders` itself.
#![expect(clippy::missing_panics_doc, reason = "said once, for all of them")]

use std::sync::Arc;

use bootpay::ReceiptId;
use bootpay::simulator::{self, Mode, Outcome, Payment, Simulator};
use catalogue::SeatNumber;
use chrono::NaiveDate;
use common::events::Cause;
use common::idempotency::Once;
use common::metrics::Registry;
use common::money::Money;
use orders::bookings::{Booked, BookingRef, Contact, Gender, NewBooking, Passenger, Receipt};
use orders::charges::{self, Facts};
use orders::payments::{Applied, AttachError, InitError, Method, NewPayment, Processor, Requested, Target};
use orders::{Orders, Terms};

use crate::{World, seed};

pub(crate) const REST_ID: &str = "rest-id";
pub(crate) const KEY: &str = "private-key";

/// An order desk and its world.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Where it stands.
    pub world: World,
    /// The desk itself.
    pub orders: Orders,
    /// The provider on this machine, where there is one.
    simulator: Option<Arc<simulator::Running>>,
}

/// A booking that is paid.
#[derive(Clone, Debug)]
pub struct Sold {
    /// The booking.
    pub booking: Receipt,
    /// What paid it.
    pub payment: Requested,
    /// The provider's receipt.
    pub receipt: ReceiptId,
}

impl Desk {
    /// Without a payment provider, or with one that may not answer.
    pub fn new(mut world: World, provider: Option<bootpay::Client>) -> Self {
        // Each counts by itself, also where two share a world.
        world.metrics = Registry::default();
        let orders = Orders {
            db: world.db.clone(),
            cache: world.cache.clone(),
            clock: world.clock.clone(),
            chance: world.chance.clone(),
            provider,
            terms: Terms::default(),
            metrics: orders::Metrics::new(&world.metrics).expect("metrics"),
        };
        Self { world, orders, simulator: None }
    }

    /// With a payment provider on this machine.
    pub async fn with_provider(world: World) -> Self {
        let provider = Simulator::new(simulator::Config::new(REST_ID, KEY.into())).expect("a provider");
        let provider = provider.spawn().await.expect("a port for the provider");
        let config = bootpay::Config::new(provider.api_url(), REST_ID, KEY.into());
        let client = bootpay::Client::new(config).expect("a client of the provider");
        Self { simulator: Some(Arc::new(provider)), ..Self::new(world, Some(client)) }
    }

    /// The same desk in another world, with the same provider.
    #[must_use]
    pub fn again_in(&self, world: World) -> Self {
        Self { simulator: self.simulator.clone(), ..Self::new(world, self.orders.provider.clone()) }
    }

    /// The provider: to make trouble, and to see what it was asked.
    pub fn provider(&self) -> &Arc<simulator::Running> {
        self.simulator.as_ref().expect("a desk with a provider")
    }

    /// A schedule in three days, at 320,000 won.
    pub async fn schedule(&self, seats: i64) -> i64 {
        seed::schedule(self.world.day(3)).seats(seats).insert(&self.world.db).await
    }

    /// Tries to begin a payment.
    pub async fn init(&self, buyer: impl Into<i64>, target: Target, amount: i64) -> Result<Requested, InitError> {
        let user_id = buyer.into();
        let new = NewPayment {
            user_id,
            target,
            amount: Money::won(amount),
            method: Method::Card,
            processor: Processor::Nicepay,
            order_id: None,
            order_name: "CJ101".to_owned(),
        };
        let told = self.orders.init_payment(&Cause::user(user_id, None), &new, &Once::unkeyed()).await?;
        Ok(told.into_done().expect("a payment of now"))
    }

    /// Begins to pay `amount` won for seats of a schedule.
    pub async fn begin(&self, buyer: impl Into<i64>, schedule: i64, amount: i64) -> Requested {
        self.init(buyer, Target::Schedule(schedule), amount).await.expect("a payment")
    }

    /// Begins to pay `amount` won for a booking.
    pub async fn begin_for(&self, buyer: impl Into<i64>, booking_id: i64, amount: i64) -> Requested {
        self.init(buyer, Target::Booking(BookingRef::Id(booking_id)), amount).await.expect("a payment")
    }

    /// Attaches a payment to a booking, as the payment service does.
    pub async fn attach(&self, buyer: impl Into<i64>, payment: &Requested, booking_id: i64) -> Result<(), AttachError> {
        let user_id = buyer.into();
        let cause = Cause::user(user_id, None);
        let booking = BookingRef::Id(booking_id);
        self.orders.attach(&cause, user_id, &payment.order_id, &booking, &Once::unkeyed()).await.map(drop)
    }

    /// Books for one passenger per seat, as the booking service does.
    pub async fn book(&self, buyer: impl Into<i64>, schedule: i64, seats: &[&str]) -> Receipt {
        let new = wanted(buyer.into(), schedule, seats);
        let told = self.orders.book(&Cause::user(new.user_id, None), &new, &Once::unkeyed()).await;
        match told.expect("a booking").into_done().expect("a booking of now") {
            Booked::New(receipt) | Booked::Already(receipt) => receipt,
        }
    }

    /// Sells one seat, at 320,000 won: begun, paid at the provider, booked and confirmed.
    pub async fn sell(&self, buyer: impl Into<i64>, schedule: i64, seat: &str) -> Sold {
        let buyer = buyer.into();
        let payment = self.begin(buyer, schedule, 320_000).await;
        let receipt = self.pay(&payment, 320_000).await;
        Sold { booking: self.book(buyer, schedule, &[seat]).await, payment, receipt }
    }

    /// Lets a buyer pay at the provider. Nobody tells us: the webhook got lost.
    pub async fn pay(&self, payment: &Requested, amount: i64) -> ReceiptId {
        self.at_the_window(payment, amount, Outcome::Approve).await
    }

    /// Lets a buyer's card be declined. Nobody tells us.
    pub async fn decline(&self, payment: &Requested, amount: i64) -> ReceiptId {
        self.at_the_window(payment, amount, Outcome::Decline).await
    }

    /// Lets a buyer agree to a payment, which waits for our approval then. Nobody tells us.
    pub async fn agree(&self, payment: &Requested, amount: i64) -> ReceiptId {
        self.at_the_window(payment, amount, Outcome::Separate).await
    }

    async fn at_the_window(&self, payment: &Requested, price: i64, outcome: Outcome) -> ReceiptId {
        let payment = Payment { outcome, webhook: Mode::None, ..Payment::new(&payment.order_id, price) };
        self.provider().pay(payment).await.expect("a receipt").receipt_id
    }

    /// What the provider says of a receipt now.
    pub async fn receipt(&self, receipt: &ReceiptId) -> bootpay::Receipt {
        let provider = self.orders.provider.as_ref().expect("a desk with a provider");
        provider.receipt(receipt).await.expect("an answer").expect("a receipt")
    }

    /// Lets us hear of a receipt after all.
    pub async fn hear_of(&self, receipt: &ReceiptId) -> Applied {
        let receipt = self.receipt(receipt).await;
        self.orders.apply(&Cause::provider(None), &(&receipt).into()).await.expect("facts that can be applied")
    }

    /// How much of a receipt the provider gave back.
    pub async fn given_back(&self, receipt: &ReceiptId) -> i64 {
        self.receipt(receipt).await.cancelled_price
    }

    /// Lets us hear that a payment was made, under a receipt named after its order; no provider needed.
    pub async fn hear_paid(&self, payment: &Requested, amount: i64) -> Applied {
        self.hear(payment, amount, charges::Outcome::Paid).await
    }

    /// Lets us hear that a payment was declined.
    pub async fn hear_declined(&self, payment: &Requested, amount: i64) -> Applied {
        self.hear(payment, amount, charges::Outcome::Failed).await
    }

    async fn hear(&self, payment: &Requested, amount: i64, outcome: charges::Outcome) -> Applied {
        let facts = Facts {
            receipt_id: format!("receipt-{}-{outcome}", payment.payment_id),
            order_id: payment.order_id.clone(),
            amount: Money::won(amount),
            cancelled: Money::ZERO,
            outcome,
            was_charged: None,
            raw_status: 1,
        };
        self.orders.apply(&Cause::provider(None), &facts).await.expect("facts that can be applied")
    }

    /// Does what the jobs of booking-service and payment-service do, until there is nothing left to do.
    pub async fn run_jobs(&self) {
        let orders = &self.orders;
        loop {
            let worked = [
                orders.expire_bookings_once(100).await,
                orders.sweep_seats_once(100).await,
                orders.ground_once(100).await,
                orders.resume_calls_once(100).await,
                orders.ask_about_payments_once(100).await,
                orders.refund_unbooked_once(100).await,
                orders.drive_refunds_once(100).await,
            ];
            if !worked.into_iter().any(|worked| worked.expect("a job that runs")) {
                return;
            }
        }
    }

    /// The one value that `query` finds for `id`.
    pub async fn value<T>(&self, query: &'static str, id: i64) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::MySql> + sqlx::Type<sqlx::MySql> + Send + Unpin,
    {
        sqlx::query_scalar(query).bind(id).fetch_one(&self.world.db).await.expect("a value")
    }

    /// Changes the row `id` by hand, as an operator would.
    pub async fn by_hand(&self, statement: &'static str, id: i64) {
        let done = sqlx::query(statement).bind(id).execute(&self.world.db).await.expect("a sound statement");
        assert_eq!(done.rows_affected(), 1, "{statement}");
    }

    /// How many seats of a schedule nobody has, by its counter.
    pub async fn available(&self, schedule: i64) -> i64 {
        self.value("select cast(available_seats as signed) from flight_schedules where schedule_id = ?", schedule).await
    }

    /// How many seats of a schedule are claimed.
    pub async fn claimed(&self, schedule: i64) -> i64 {
        self.value("select cast(coalesce(sum(quantity), 0) as signed) from claims where pool_id = ?", schedule).await
    }

    /// Seats free by the counter, and claimed.
    pub async fn seats(&self, schedule: i64) -> (i64, i64) {
        (self.available(schedule).await, self.claimed(schedule).await)
    }

    /// How many bookings were ever made for a schedule.
    pub async fn bookings(&self, schedule: i64) -> i64 {
        self.value("select count(*) from bookings where schedule_id = ?", schedule).await
    }

    /// A booking's status as it is stored, and why it was cancelled.
    pub async fn booking(&self, booking_id: i64) -> (String, Option<String>) {
        sqlx::query_as("select status, cancel_reason from bookings where booking_id = ?")
            .bind(booking_id)
            .fetch_one(&self.world.db)
            .await
            .expect("a booking")
    }

    /// A payment's status and the booking it is tied to.
    pub async fn payment(&self, payment: &Requested) -> (String, Option<i64>) {
        sqlx::query_as("select status, booking_id from payments where payment_id = ?")
            .bind(payment.payment_id)
            .fetch_one(&self.world.db)
            .await
            .expect("a payment")
    }

    /// What goes back, or went: amount, reason and state of every refund, oldest first.
    pub async fn refunds(&self) -> Vec<(i64, String, String)> {
        sqlx::query_as("select cast(amount as signed), reason, state from refunds order by refund_id")
            .fetch_all(&self.world.db)
            .await
            .expect("refunds")
    }

    /// What happened to a subject, in order.
    pub async fn history(&self, subject: &str, id: i64) -> Vec<String> {
        sqlx::query_scalar("select action from events where subject = ? and subject_id = ? order by event_id")
            .bind(subject)
            .bind(id.to_string())
            .fetch_all(&self.world.db)
            .await
            .expect("events")
    }
}

/// A booking for one passenger per seat, who are alike but for their names.
pub fn wanted(user_id: i64, schedule_id: i64, seats: &[&str]) -> NewBooking {
    let passenger = |(n, seat): (usize, &&str)| Passenger {
        name_kor: format!("승객{n}"),
        name_eng: Some(format!("PASSENGER {n}")),
        birth_date: NaiveDate::from_ymd_opt(1990, 2, 3).expect("a day"),
        gender: Some(Gender::F),
        phone: None,
        seat: Some(seat.parse::<SeatNumber>().expect("a seat")),
    };
    NewBooking {
        user_id,
        schedule_id,
        passengers: seats.iter().enumerate().map(passenger).collect(),
        contact: Some(Contact { email: "kim@example.com".to_owned(), phone: "010-1234-5678".to_owned() }),
        payment_method: "card".to_owned(),
        total: None,
    }
}
