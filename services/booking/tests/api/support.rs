//! A booking service in a world of its own, people to use it, and a payment provider.

use std::ops::Deref;

use booking_service::{App, router};
use bootpay::ReceiptId;
use bootpay::simulator::{self, Mode, Outcome, Payment, Simulator};
use chrono::TimeDelta;
use common::events::Cause;
use common::http::Envelope;
use common::money::Money;
use orders::bookings::BookingRef;
use orders::charges::{self, Facts};
use orders::payments::{Applied, AttachError, InitError, Method, NewPayment, Processor, Requested, Target};
use orders::{Orders, Terms};
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use testkit::{Client, World, seed};

/// A booking service, its world, and a client that isn't signed in.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) world: World,
    pub(crate) orders: Orders,
    pub(crate) client: Client,
}

impl Service {
    /// Without a payment provider.
    pub(crate) fn start(database: MySqlConnectOptions) -> Self {
        Self::with(World::with_connections(database, 32), None)
    }

    /// With the payment provider at hand.
    pub(crate) fn with(world: World, provider: Option<bootpay::Client>) -> Self {
        let orders = Orders {
            db: world.db.clone(),
            cache: world.cache.clone(),
            clock: world.clock.clone(),
            chance: world.chance.clone(),
            provider,
            terms: Terms::default(),
        };
        let app = App {
            orders: orders.clone(),
            db: world.db.clone(),
            tokens: world.tokens.clone(),
            clock: world.clock.clone(),
        };
        // The envelope is part of every answer's shape.
        let envelope =
            Envelope { service: "booking-service", timeout: std::time::Duration::from_mins(1), trusted_proxy_hops: 0 };
        let client = Client::anonymous(common::http::wrap(router(app), envelope));
        Self { world, orders, client }
    }

    /// Somebody new, signed in.
    pub(crate) async fn traveller(&self) -> Traveller {
        let id = seed::user(&self.world.db).await;
        Traveller { id, client: self.signed_in(id) }
    }

    /// A client of the account `user_id` with a session that begins now.
    pub(crate) fn signed_in(&self, user_id: i64) -> Client {
        self.client.signed_in(&self.world.token(user_id))
    }

    /// A schedule in three days, at 320,000 won.
    pub(crate) async fn schedule(&self, seats: i64) -> i64 {
        seed::schedule(self.world.day(3)).seats(seats).insert(&self.world.db).await
    }

    /// The one value that `query` finds for `id`.
    pub(crate) async fn value<T>(&self, query: &'static str, id: i64) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::MySql> + sqlx::Type<sqlx::MySql> + Send + Unpin,
    {
        sqlx::query_scalar(query).bind(id).fetch_one(&self.world.db).await.unwrap()
    }

    /// Changes the row `id` by hand, as an operator would.
    pub(crate) async fn by_hand(&self, statement: &'static str, id: i64) {
        let changed = sqlx::query(statement).bind(id).execute(&self.world.db).await.unwrap().rows_affected();
        assert_eq!(changed, 1, "{statement}");
    }

    /// How many seats of a schedule nobody holds, by its counter.
    pub(crate) async fn available(&self, schedule: i64) -> i64 {
        self.value("select cast(available_seats as signed) from flight_schedules where schedule_id = ?", schedule).await
    }

    /// How many seats of a schedule are claimed.
    pub(crate) async fn claimed(&self, schedule: i64) -> i64 {
        self.value("select cast(coalesce(sum(quantity), 0) as signed) from claims where pool_id = ?", schedule).await
    }

    /// Seats free and claimed.
    pub(crate) async fn seats(&self, schedule: i64) -> (i64, i64) {
        (self.available(schedule).await, self.claimed(schedule).await)
    }

    /// How many bookings were ever made for a schedule.
    pub(crate) async fn bookings(&self, schedule: i64) -> i64 {
        self.value("select count(*) from bookings where schedule_id = ?", schedule).await
    }

    /// A booking's status as it is stored, and why it was cancelled.
    pub(crate) async fn booking(&self, booking_id: i64) -> (String, Option<String>) {
        sqlx::query_as("select status, cancel_reason from bookings where booking_id = ?")
            .bind(booking_id)
            .fetch_one(&self.world.db)
            .await
            .unwrap()
    }

    /// A payment's status and the booking it is tied to.
    pub(crate) async fn payment(&self, payment: &Requested) -> (String, Option<i64>) {
        sqlx::query_as("select status, booking_id from payments where payment_id = ?")
            .bind(payment.payment_id)
            .fetch_one(&self.world.db)
            .await
            .unwrap()
    }

    /// What goes back, or went: amount, reason and state of every refund, oldest first.
    pub(crate) async fn refunds(&self) -> Vec<(i64, String, String)> {
        sqlx::query_as("select cast(amount as signed), reason, state from refunds order by refund_id")
            .fetch_all(&self.world.db)
            .await
            .unwrap()
    }

    /// What happened to a subject, in order.
    pub(crate) async fn history(&self, subject: &str, id: i64) -> Vec<String> {
        sqlx::query_scalar("select action from events where subject = ? and subject_id = ? order by event_id")
            .bind(subject)
            .bind(id.to_string())
            .fetch_all(&self.world.db)
            .await
            .unwrap()
    }

    /// What `orders` would tell a payment service that is asked to begin a payment.
    pub(crate) async fn init(&self, buyer: &Traveller, target: Target, amount: i64) -> Result<Requested, InitError> {
        let new = NewPayment {
            user_id: buyer.id,
            target,
            amount: Money::won(amount),
            method: Method::Card,
            processor: Processor::Nicepay,
            order_id: None,
            order_name: "CJ101".to_owned(),
        };
        self.orders.init_payment(&Cause::user(buyer.id, None), &new).await
    }

    /// Begins to pay `amount` won for seats of a schedule.
    pub(crate) async fn begin(&self, buyer: &Traveller, schedule: i64, amount: i64) -> Requested {
        self.init(buyer, Target::Schedule(schedule), amount).await.unwrap()
    }

    /// Begins to pay `amount` won for a booking.
    pub(crate) async fn begin_for(&self, buyer: &Traveller, booking_id: i64, amount: i64) -> Requested {
        self.init(buyer, Target::Booking(BookingRef::Id(booking_id)), amount).await.unwrap()
    }

    /// Attaches a payment to a booking, as the payment service does.
    pub(crate) async fn attach(
        &self,
        buyer: &Traveller,
        payment: &Requested,
        booking_id: i64,
    ) -> Result<(), AttachError> {
        let cause = Cause::user(buyer.id, None);
        self.orders.attach(&cause, buyer.id, &payment.order_id, &BookingRef::Id(booking_id)).await
    }

    /// Lets us hear that a payment was made, under a receipt named after its order.
    pub(crate) async fn hear_paid(&self, payment: &Requested, amount: i64) -> Applied {
        self.hear(payment, amount, charges::Outcome::Paid).await
    }

    /// Lets us hear that a payment was declined.
    pub(crate) async fn hear_declined(&self, payment: &Requested, amount: i64) -> Applied {
        self.hear(payment, amount, charges::Outcome::Failed).await
    }

    async fn hear(&self, payment: &Requested, amount: i64, outcome: charges::Outcome) -> Applied {
        let facts = Facts {
            receipt_id: format!("receipt-{}-{outcome}", payment.payment_id),
            order_id: payment.order_id.clone(),
            amount: Money::won(amount),
            cancelled: Money::ZERO,
            outcome,
            raw_status: 1,
        };
        self.orders.apply(&Cause::provider(None), &facts).await.unwrap()
    }

    /// Does what the jobs of booking-service and payment-service do, until there is nothing left to do.
    pub(crate) async fn run_jobs(&self) {
        let orders = &self.orders;
        loop {
            let worked = [
                orders.expire_bookings_once(100).await.unwrap(),
                orders.sweep_seats_once(100).await.unwrap(),
                orders.ask_about_payments_once(100).await.unwrap(),
                orders.refund_unbooked_once(100).await.unwrap(),
                orders.drive_refunds_once(100).await.unwrap(),
            ];
            if worked == [false; 5] {
                return;
            }
        }
    }
}

/// Somebody who books; calls go through their session.
#[derive(Clone, Debug)]
pub(crate) struct Traveller {
    pub(crate) id: i64,
    client: Client,
}

impl Deref for Traveller {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Traveller {
    /// Books and answers what the service did, which must be `status`.
    #[track_caller]
    pub(crate) fn books(&self, status: u16, request: &Value) -> impl Future<Output = Value> {
        let (client, request) = (self.client.clone(), request.clone());
        let caller = std::panic::Location::caller();
        async move {
            let answer = client.post("/api/bookings", &request).await;
            assert_eq!(answer.status.as_u16(), status, "{}, asked at {caller}", answer.body);
            answer.body
        }
    }

    /// The newest of their bookings, as the list shows it.
    pub(crate) async fn newest(&self) -> Value {
        self.get("/api/bookings").await.expect(200)["bookings"][0].clone()
    }

    /// Cancels a booking and answers with the status.
    pub(crate) async fn cancel(&self, number: &str) -> u16 {
        self.post(&format!("/api/bookings/{number}/cancel"), &Value::Null).await.status.as_u16()
    }
}

/// A booking service with a payment provider.
pub(crate) struct Shop {
    service: Service,
    pub(crate) provider: simulator::Running,
}

impl Deref for Shop {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

impl Shop {
    pub(crate) async fn open(database: MySqlConnectOptions) -> Self {
        let config = simulator::Config::new("rest-id", "private-key".into());
        let provider = Simulator::new(config).unwrap().spawn().await.unwrap();
        let client =
            bootpay::Client::new(bootpay::Config::new(provider.api_url(), "rest-id", "private-key".into())).unwrap();
        Self { service: Service::with(World::with_connections(database, 32), Some(client)), provider }
    }

    /// Lets the buyer pay. Nobody tells us: the webhook got lost.
    pub(crate) async fn pay(&self, payment: &Requested, amount: i64) -> ReceiptId {
        self.at_the_window(payment, amount, Outcome::Approve).await
    }

    /// Lets the buyer's card be declined. Nobody tells us.
    pub(crate) async fn decline(&self, payment: &Requested, amount: i64) -> ReceiptId {
        self.at_the_window(payment, amount, Outcome::Decline).await
    }

    async fn at_the_window(&self, payment: &Requested, price: i64, outcome: Outcome) -> ReceiptId {
        let payment = Payment { outcome, webhook: Mode::None, ..Payment::new(&payment.order_id, price) };
        self.provider.pay(payment).await.unwrap().receipt_id
    }

    /// Lets us hear of a receipt after all.
    pub(crate) async fn hear_of(&self, receipt: &ReceiptId) -> Applied {
        let provider = self.orders.provider.as_ref().unwrap();
        let receipt = provider.receipt(receipt).await.unwrap().unwrap();
        self.orders.apply(&Cause::provider(None), &(&receipt).into()).await.unwrap()
    }

    /// How much of a receipt the provider gave back.
    pub(crate) async fn given_back(&self, receipt: &ReceiptId) -> i64 {
        self.orders.provider.as_ref().unwrap().receipt(receipt).await.unwrap().unwrap().cancelled_price
    }
}

/// A booking request of the browser client for `passengers` people at `price` won each, ids as strings and all.
pub(crate) fn request(schedule: i64, passengers: usize, price: i64, seats: &[&str]) -> Value {
    let people: Vec<Value> = (0..passengers)
        .map(|n| json!({ "name": format!("승객{n}"), "nameEn": format!("PASSENGER {n}"), "birth": "1990-02-03", "gender": "F" }))
        .collect();
    json!({
        "scheduleId": schedule.to_string(),
        "passengers": people,
        "contactInfo": { "email": "kim@example.com", "phone": "010-1234-5678" },
        "paymentMethod": "card",
        "totalAmount": price * i64::try_from(passengers).unwrap(),
        "seats": seats,
    })
}

/// The id of the booking that an answer tells of.
pub(crate) fn id(answer: &Value) -> i64 {
    answer["booking_id"].as_i64().unwrap()
}

/// The number of the booking that an answer tells of.
pub(crate) fn number(answer: &Value) -> &str {
    answer["booking_number"].as_str().unwrap()
}

pub(crate) fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}
