//! A booking service in a world of its own, people to use it, and a payment provider.

use std::ops::Deref;
use std::sync::Arc;

use booking_service::{App, router};
use bootpay::simulator;
use chrono::TimeDelta;
use common::http::Envelope;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use testkit::desk::Desk;
use testkit::{Client, World, seed};

/// A booking service, its order desk, and a client that isn't signed in.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    desk: Desk,
    pub(crate) client: Client,
}

impl Deref for Service {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}

impl Service {
    /// Without a payment provider.
    pub(crate) fn start(database: MySqlConnectOptions) -> Self {
        Self::with(World::with_connections(database, 32), None)
    }

    /// With the payment provider at hand.
    pub(crate) fn with(world: World, provider: Option<bootpay::Client>) -> Self {
        Self::of(Desk::new(world, provider))
    }

    fn of(desk: Desk) -> Self {
        let app = App {
            orders: desk.orders.clone(),
            db: desk.world.db.clone(),
            tokens: desk.world.tokens.clone(),
            clock: desk.world.clock.clone(),
        };
        // The envelope is part of every answer's shape.
        let envelope =
            Envelope { service: "booking-service", timeout: std::time::Duration::from_mins(1), trusted_proxy_hops: 0 };
        let client = Client::anonymous(common::http::wrap(router(app), envelope));
        Self { desk, client }
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

impl From<&Traveller> for i64 {
    fn from(traveller: &Traveller) -> Self {
        traveller.id
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
    pub(crate) provider: Arc<simulator::Running>,
}

impl Deref for Shop {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

impl Shop {
    pub(crate) async fn open(database: MySqlConnectOptions) -> Self {
        let desk = Desk::with_provider(World::with_connections(database, 32)).await;
        let provider = Arc::clone(desk.provider());
        Self { service: Service::of(desk), provider }
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

/// Where the tests' Redis is.
pub(crate) fn redis() -> (String, u16) {
    let variables = common::config::environment();
    let host = variables.get("REDIS_HOST").cloned().unwrap_or_else(|| "127.0.0.1".to_owned());
    (host, variables.get("REDIS_PORT").and_then(|port| port.parse().ok()).unwrap_or(6379))
}
