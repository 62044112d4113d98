//! An outbox, a subscriber, and what happens in between.

use std::ops::Deref;
use std::time::Duration;

use chrono::TimeDelta;
use common::events::{self, Cause, Subject};
use common::metrics::Registry;
use common::page::Page;
use news::{Kept, Metrics, Outbox, Relay, Secrets, State};
use serde_json::{Value, json};
use sqlx::MySqlConnection;
use sqlx::mysql::MySqlConnectOptions;
use testkit::{Subscriber, World};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A world in which news is made, and a relay that brings it to a subscriber.
pub(crate) struct Post {
    pub(crate) world: World,
    pub(crate) subscriber: Subscriber,
    pub(crate) relay: Relay,
    pub(crate) outbox: Outbox,
    pub(crate) metrics: Metrics,
}

impl Deref for Post {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Post {
    pub(crate) async fn open(database: MySqlConnectOptions) -> Self {
        let (world, subscriber) = (World::new(database), Subscriber::listen().await);
        let metrics = Metrics::new(&world.metrics).unwrap();
        let relay = relay(&world, &subscriber.url, &metrics);
        Self { outbox: Outbox { db: world.db.clone() }, world, subscriber, relay, metrics }
    }

    /// Another replica.
    pub(crate) fn another_relay(&self) -> Relay {
        relay(&self.world, &self.subscriber.url, &Metrics::new(&Registry::default()).unwrap())
    }

    /// A relay to nowhere that answers.
    pub(crate) fn relay_to(&self, url: &str) -> Relay {
        relay(&self.world, url, &self.metrics)
    }

    /// Lets a booking be confirmed.
    pub(crate) async fn confirm(&self, booking_id: i64) {
        confirm(&mut self.db.acquire().await.unwrap(), booking_id).await;
    }

    /// Lets a confirmed booking be cancelled.
    pub(crate) async fn cancel(&self, booking_id: i64) {
        let (old, new) = (json!({ "status": "CONFIRMED" }), json!({ "status": "CANCELLED", "reason": "OWNER" }));
        self.happen(booking_id, "cancelled", &old, &new).await;
    }

    /// Lets the flight of a booking leave.
    pub(crate) async fn complete(&self, booking_id: i64) {
        self.happen(booking_id, "completed", &Value::Null, &Value::Null).await;
    }

    async fn happen(&self, booking_id: i64, action: &'static str, old: &Value, new: &Value) {
        let mut connection = self.db.acquire().await.unwrap();
        events::record(&mut connection, &Cause::system(), Subject::Booking, booking_id, action, old, new)
            .await
            .unwrap();
    }

    /// Sends what is due, until nothing is.
    pub(crate) async fn deliver(&self) {
        while self.relay.relay_once(10).await.unwrap() {}
    }

    /// The news in a state, as operators see it.
    pub(crate) async fn kept(&self, state: State) -> Vec<Kept> {
        self.outbox.list(state, Page::default()).await.unwrap()
    }

    /// The one piece of news in a state.
    pub(crate) async fn only(&self, state: State) -> Kept {
        let [only] = self.kept(state).await.try_into().unwrap();
        only
    }

    /// In how many seconds the one piece that waits is tried again.
    pub(crate) async fn due_in(&self) -> i64 {
        (self.only(State::Waiting).await.due_at - self.now()).num_seconds()
    }

    /// What the subscriber has heard: booking and topic, in order.
    pub(crate) fn told(&self) -> Vec<(i64, String)> {
        let told =
            |heard: &testkit::subscriber::Heard| (heard.news()["data"]["booking_id"].as_i64().unwrap(), heard.topic());
        self.subscriber.heard().iter().map(told).collect()
    }

    /// How much an outcome was counted.
    pub(crate) fn outcomes(&self, outcome: &str) -> f64 {
        self.counted(&format!("cloudjet_outbox_deliveries_total{{outcome=\"{outcome}\"}}"))
    }

    /// Waits until the subscriber has heard so much.
    pub(crate) async fn heard(&self, pieces: usize) {
        while self.subscriber.heard().len() < pieces {
            tokio::task::yield_now().await;
        }
    }
}

/// Lets a booking be confirmed in a transaction that may still be rolled back.
pub(crate) async fn confirm(connection: &mut MySqlConnection, booking_id: i64) {
    let (old, new) = (json!({ "status": "PENDING" }), json!({ "status": "CONFIRMED" }));
    events::record(connection, &Cause::system(), Subject::Booking, booking_id, "confirmed", &old, &new).await.unwrap();
}

pub(crate) fn confirmed(booking_id: i64) -> (i64, String) {
    (booking_id, "booking.confirmed".to_owned())
}

pub(crate) fn cancelled(booking_id: i64) -> (i64, String) {
    (booking_id, "booking.cancelled".to_owned())
}

pub(crate) fn secrets() -> Secrets {
    Secrets::parse(&SECRET.into()).unwrap()
}

/// A minute and more: whoever took a piece and died with it has lost it.
pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(61);

fn relay(world: &World, url: &str, metrics: &Metrics) -> Relay {
    let subscriber = news::Subscriber::patient(url, secrets(), Duration::from_secs(30)).unwrap();
    Relay::new(world.db.clone(), subscriber, world.clock.clone(), world.chance.clone(), metrics.clone())
}
