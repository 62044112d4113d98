//! A booking service in a world of its own.

use booking_service::{App, router};
use orders::{Orders, Terms};
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use testkit::{Client, World};

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
        let envelope = common::http::Envelope {
            service: "booking-service",
            timeout: std::time::Duration::from_secs(60),
            trusted_proxy_hops: 0,
        };
        let client = Client::anonymous(common::http::wrap(router(app), envelope));
        Self { world, orders, client }
    }

    /// A new passenger's client.
    pub(crate) async fn traveller(&self) -> Client {
        let user = testkit::seed::user(&self.world.db).await;
        self.client.signed_in(&self.world.token(user))
    }

    /// How many seats of a schedule nobody holds, by its counter.
    pub(crate) async fn available(&self, schedule: i64) -> i64 {
        sqlx::query_scalar("select cast(available_seats as signed) from flight_schedules where schedule_id = ?")
            .bind(schedule)
            .fetch_one(&self.world.db)
            .await
            .unwrap()
    }

    /// How many seats of a schedule are claimed.
    pub(crate) async fn claimed(&self, schedule: i64) -> i64 {
        sqlx::query_scalar("select cast(coalesce(sum(quantity), 0) as signed) from claims where pool_id = ?")
            .bind(schedule)
            .fetch_one(&self.world.db)
            .await
            .unwrap()
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
