//! A payment service in a world of its own, people who pay, and a payment provider.

use std::net::Ipv4Addr;
use std::ops::Deref;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, Method};
use bootpay::simulator::{self, Mode, Outcome, Payment, Simulator};
use bootpay::{ReceiptId, signature};
use catalogue::SeatNumber;
use chrono::NaiveDate;
use common::events::Cause;
use common::http::{Envelope, wrap};
use common::idempotency::Once;
use common::metrics::Registry;
use common::money::Money;
use common::service::Service as _;
use orders::bookings::{BookError, Booked, Contact, Gender, NewBooking, Passenger, Receipt};
use orders::{Orders, Terms};
use payment_service::{App, ApplicationId, WebhookKey, router};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use testkit::{Answer, Client, World, seed};

/// What one passenger pays where nothing else is said.
pub(crate) const PRICE: i64 = 320_000;

/// How long the provider is waited for where it doesn't answer: longer than an answer takes on a busy machine.
pub(crate) const SHORT: Duration = Duration::from_secs(2);

pub(crate) const WEBHOOK: &str = "/api/payments/webhook";

const REST_ID: &str = "rest-id";
pub(crate) const KEY: &str = "private-key";

pub(crate) const BOOTPAY_SIGNATURE: HeaderName = HeaderName::from_static("bootpay-signature");
pub(crate) const X_BOOTPAY_SIGNATURE: HeaderName = HeaderName::from_static("x-bootpay-signature");

/// A payment service and its world.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) world: World,
    pub(crate) orders: Orders,
    /// Nobody in particular.
    pub(crate) client: Client,
}

impl Service {
    /// Without a payment provider that could be asked: signatures alone count.
    pub(crate) fn start(database: MySqlConnectOptions) -> Self {
        Self::with(World::with_connections(database, 32), None)
    }

    pub(crate) fn with(world: World, provider: Option<bootpay::Client>) -> Self {
        Self::configured(world, provider, Some("browser-id"), KEY)
    }

    pub(crate) fn configured(
        mut world: World,
        provider: Option<bootpay::Client>,
        application_id: Option<&str>,
        key: &str,
    ) -> Self {
        // Each counts by itself, also where two share a world.
        world.metrics = Registry::default();
        let orders = Orders {
            db: world.db.clone(),
            cache: world.cache.clone(),
            clock: world.clock.clone(),
            chance: world.chance.clone(),
            provider,
            terms: Terms::default(),
            metrics: orders::Metrics::new(&world.metrics).unwrap(),
        };
        let client = Client::anonymous(serve(&world, &orders, application_id, key));
        Self { world, orders, client }
    }

    /// Somebody new, signed in.
    pub(crate) async fn buyer(&self) -> Buyer {
        let id = seed::user(&self.world.db).await;
        Buyer { id, client: self.client.signed_in(&self.world.token(id)) }
    }

    /// Somebody with a session that begins now.
    pub(crate) fn again(&self, buyer: &Buyer) -> Buyer {
        Buyer { id: buyer.id, client: self.client.signed_in(&self.world.token(buyer.id)) }
    }

    /// A schedule in three days.
    pub(crate) async fn schedule(&self, seats: i64) -> i64 {
        seed::schedule(self.world.day(3)).seats(seats).insert(&self.world.db).await
    }

    /// Sends a message of the provider's, signed.
    pub(crate) async fn signed(&self, message: &Value) -> Answer {
        let body = message.to_string();
        let signature = sign(&body);
        self.client.with(BOOTPAY_SIGNATURE, &signature).post(WEBHOOK, message).await
    }

    /// Sends a message that anybody could have written.
    pub(crate) async fn unsigned(&self, message: &Value) -> Answer {
        self.client.post(WEBHOOK, message).await
    }

    /// Sends a signed form.
    pub(crate) async fn signed_form(&self, form: &str) -> Answer {
        let client = self.client.with(BOOTPAY_SIGNATURE, &sign(form));
        let content_type = Some("application/x-www-form-urlencoded");
        client.send(Method::POST, WEBHOOK, content_type, Body::from(form.to_owned())).await
    }

    /// Books, as the booking service does.
    pub(crate) async fn book(&self, new: &NewBooking) -> Result<Receipt, BookError> {
        let told = self.orders.book(&Cause::user(new.user_id, None), new, &Once::unkeyed()).await?;
        match told.into_done().unwrap() {
            Booked::New(receipt) | Booked::Already(receipt) => Ok(receipt),
        }
    }

    /// A new booking for `passengers` people, without seats.
    pub(crate) async fn booking(&self, buyer: &Buyer, schedule: i64, passengers: usize) -> Receipt {
        self.book(&wanted(buyer, schedule, passengers, &[])).await.unwrap()
    }

    /// The one value that `query` finds for `key`.
    pub(crate) async fn value<T, K>(&self, query: &'static str, key: K) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::MySql> + sqlx::Type<sqlx::MySql> + Send + Unpin,
        K: for<'q> sqlx::Encode<'q, sqlx::MySql> + sqlx::Type<sqlx::MySql> + Send,
    {
        sqlx::query_scalar(query).bind(key).fetch_one(&self.world.db).await.unwrap()
    }

    /// Changes the row `id` by hand, as an operator would.
    pub(crate) async fn by_hand(&self, statement: &'static str, id: i64) {
        let changed = sqlx::query(statement).bind(id).execute(&self.world.db).await.unwrap().rows_affected();
        assert_eq!(changed, 1, "{statement}");
    }

    /// How many seats of a schedule nobody has, by its counter.
    pub(crate) async fn available(&self, schedule: i64) -> i64 {
        self.value("select cast(available_seats as signed) from flight_schedules where schedule_id = ?", schedule).await
    }

    /// Seats free by the counter, and claimed.
    pub(crate) async fn seats(&self, schedule: i64) -> (i64, i64) {
        let claimed = "select cast(coalesce(sum(quantity), 0) as signed) from claims where pool_id = ?";
        (self.available(schedule).await, self.value(claimed, schedule).await)
    }

    /// A payment's status.
    pub(crate) async fn status(&self, order: &str) -> String {
        self.value("select status from payments where order_id = ?", order).await
    }

    /// The booking a payment is linked to.
    pub(crate) async fn linked(&self, order: &str) -> Option<i64> {
        self.value("select booking_id from payments where order_id = ?", order).await
    }

    /// How many payments there are.
    pub(crate) async fn payments(&self) -> i64 {
        sqlx::query_scalar("select count(*) from payments").fetch_one(&self.world.db).await.unwrap()
    }

    /// A booking's status as it is stored, and why it was cancelled.
    pub(crate) async fn booking_state(&self, booking: &Receipt) -> (String, Option<String>) {
        sqlx::query_as("select status, cancel_reason from bookings where booking_id = ?")
            .bind(booking.booking_id)
            .fetch_one(&self.world.db)
            .await
            .unwrap()
    }

    /// A booking's status as it is stored.
    pub(crate) async fn booking_status(&self, booking: &Receipt) -> String {
        self.booking_state(booking).await.0
    }

    /// What goes back, or went: amount, reason and state of every refund, oldest first.
    pub(crate) async fn refunds(&self) -> Vec<(i64, String, String)> {
        sqlx::query_as("select cast(amount as signed), reason, state from refunds order by refund_id")
            .fetch_all(&self.world.db)
            .await
            .unwrap()
    }

    /// Asserts what goes back, or went.
    #[track_caller]
    pub(crate) fn assert_refunds(&self, expected: &[(i64, &str, &str)]) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let refunds = self.refunds().await;
            let refunds: Vec<_> =
                refunds.iter().map(|(won, reason, state)| (*won, reason.as_str(), state.as_str())).collect();
            assert_eq!(refunds, expected, "asked at {caller}");
        }
    }

    /// Does what the jobs of payment-service do, until there is nothing left to do.
    pub(crate) async fn run_jobs(&self) {
        let orders = &self.orders;
        loop {
            let worked = [
                orders.resume_calls_once(100).await.unwrap(),
                orders.ask_about_payments_once(100).await.unwrap(),
                orders.refund_unbooked_once(100).await.unwrap(),
                orders.drive_refunds_once(100).await.unwrap(),
                orders.tidy_inbox_once(100).await.unwrap(),
            ];
            if worked == [false; 5] {
                return;
            }
        }
    }
}

/// The service as a process serves it.
fn serve(world: &World, orders: &Orders, application_id: Option<&str>, key: &str) -> axum::Router {
    let app = App {
        orders: orders.clone(),
        db: world.db.clone(),
        tokens: world.tokens.clone(),
        application_id: ApplicationId(application_id.map(str::to_owned)),
        webhook_key: WebhookKey(SecretString::from(key)),
    };
    let name = payment_service::Payment::NAME;
    wrap(router(app), Envelope { service: name, timeout: Duration::from_mins(1), trusted_proxy_hops: 0 })
}

/// Somebody who pays; calls go through their session.
#[derive(Clone, Debug)]
pub(crate) struct Buyer {
    pub(crate) id: i64,
    client: Client,
}

impl Deref for Buyer {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Buyer {
    /// Begins to pay.
    pub(crate) async fn init(&self, request: &Value) -> Answer {
        self.post("/api/payments/init", request).await
    }

    /// Begins to pay for `seats` seats of a schedule; answers the order id.
    pub(crate) async fn begin(&self, schedule: i64, seats: i64) -> String {
        order_of(&self.init(&json!({ "scheduleId": schedule, "amount": PRICE * seats })).await.expect(200))
    }

    /// Begins to pay for a booking; answers the order id.
    pub(crate) async fn begin_for(&self, booking: &Receipt) -> String {
        let request = json!({ "bookingId": booking.booking_id, "amount": booking.total });
        order_of(&self.init(&request).await.expect(200))
    }

    /// Attaches a payment to a booking.
    pub(crate) async fn attach(&self, order: &str, booking: &Receipt) -> Answer {
        let request = json!({ "orderId": order, "bookingId": booking.booking_id });
        self.post("/api/payments/attach-booking", &request).await
    }
}

/// A payment service with a payment provider.
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
        Self::patient(database, Duration::from_secs(5)).await
    }

    /// Where the provider is waited for so long.
    pub(crate) async fn patient(database: MySqlConnectOptions, timeout: Duration) -> Self {
        let provider = Simulator::new(simulator::Config::new(REST_ID, KEY.into())).unwrap().spawn().await.unwrap();
        let client = client_of(&provider, timeout);
        Self { service: Service::with(World::with_connections(database, 32), Some(client)), provider }
    }

    /// Another client of the provider, which waits for it so long.
    pub(crate) fn client_of_provider(&self, timeout: Duration) -> bootpay::Client {
        client_of(&self.provider, timeout)
    }

    /// Lets the buyer pay at the provider. Nobody tells us.
    pub(crate) async fn pay(&self, order: &str, won: i64) -> ReceiptId {
        self.at_the_window(order, won, Outcome::Approve).await
    }

    /// Lets the buyer's card be declined. Nobody tells us.
    pub(crate) async fn decline(&self, order: &str, won: i64) -> ReceiptId {
        self.at_the_window(order, won, Outcome::Decline).await
    }

    pub(crate) async fn at_the_window(&self, order: &str, won: i64, outcome: Outcome) -> ReceiptId {
        let payment = Payment { outcome, webhook: Mode::None, ..Payment::new(order, won) };
        self.provider.pay(payment).await.unwrap().receipt_id
    }

    /// Sends an unsigned message that names a receipt, whatever else it says.
    pub(crate) async fn nudge(&self, order: &str, receipt: &ReceiptId) -> Answer {
        self.unsigned(&json!({ "order_id": order, "receipt_id": receipt })).await
    }

    /// How much of a receipt the provider gave back.
    pub(crate) async fn given_back(&self, receipt: &ReceiptId) -> i64 {
        self.orders.provider.as_ref().unwrap().receipt(receipt).await.unwrap().unwrap().cancelled_price
    }

    /// Serves on a port of its own, and lets the provider send its webhooks there.
    pub(crate) async fn listen(&self) {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = serve(&self.world, &self.orders, Some("browser-id"), KEY);
        tokio::spawn(async move { axum::serve(listener, router).await });
        self.provider.set_webhook_url(Some(format!("http://{address}{WEBHOOK}")));
    }
}

fn client_of(provider: &simulator::Running, timeout: Duration) -> bootpay::Client {
    let config = bootpay::Config::new(provider.api_url(), REST_ID, KEY.into());
    bootpay::Client::new(bootpay::Config { timeout, cancel_timeout: timeout, ..config }).unwrap()
}

/// The order id in the answer to an init.
pub(crate) fn order_of(begun: &Value) -> String {
    begun["order_id"].as_str().unwrap().to_owned()
}

/// The signature of a body.
pub(crate) fn sign(body: &str) -> String {
    signature::sign(&KEY.into(), body.as_bytes()).unwrap()
}

/// A message as the provider writes it.
pub(crate) fn message(order: &str, receipt: &str, status: impl Into<Value>, won: i64) -> Value {
    json!({ "order_id": order, "receipt_id": receipt, "status": status.into(), "price": won })
}

/// What a buyer wants to book.
pub(crate) fn wanted(buyer: &Buyer, schedule_id: i64, passengers: usize, seats: &[&str]) -> NewBooking {
    let seat = |n: usize| seats.get(n).map(|label| label.parse::<SeatNumber>().unwrap());
    let passenger = |n: usize| Passenger {
        name_kor: format!("승객{n}"),
        name_eng: Some(format!("PASSENGER {n}")),
        birth_date: NaiveDate::from_ymd_opt(1990, 2, 3).unwrap(),
        gender: Some(Gender::F),
        phone: None,
        seat: seat(n),
    };
    NewBooking {
        user_id: buyer.id,
        schedule_id,
        passengers: (0..passengers).map(passenger).collect(),
        contact: Some(Contact { email: "kim@example.com".to_owned(), phone: "010-1234-5678".to_owned() }),
        payment_method: "card".to_owned(),
        total: Some(Money::won(PRICE * i64::try_from(passengers).unwrap())),
    }
}
