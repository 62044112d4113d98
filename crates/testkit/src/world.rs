//! The world a test runs in.
//!
//! It panics when it can't be made: a test without it has nothing to say.
#![expect(clippy::missing_panics_doc, reason = "said once, for all of them")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use common::auth::{Role, Tokens};
use common::cache::Cache;
use common::chance::Chance;
use common::clock::Clock;
use common::config::Redis;
use common::db;
use common::metrics::Registry;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{ConnectOptions, Executor, MySqlConnection, MySqlPool};

/// How long the servers of a test are waited for, however busy the machine: whatever takes longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the tokens of every world are signed with.
pub(crate) const KEY_OF_TOKENS: &str = "a-key-for-tests-that-nobody-else-uses";

/// Where the chance of every world begins.
const SEED: u64 = 20_261_201;

/// A database, a cache and a clock that no other test shares.
#[derive(Clone, Debug)]
pub struct World {
    /// The test's own database, migrated, with connections prepared as in production.
    pub db: MySqlPool,
    /// The shared Redis, under a prefix of this test's own.
    pub cache: Cache,
    /// What time services think it is. Starts at the real time; [`World::pass`] moves it.
    pub clock: Clock,
    /// Chance that repeats itself: every world draws the same, so a second one on a database draws what is taken.
    pub chance: Chance,
    /// Signs sessions the services accept.
    pub tokens: Tokens,
    /// What is counted in it.
    pub metrics: Registry,
    /// Seconds by which the database's time is ahead of the machine's.
    ahead: Arc<AtomicI64>,
}

impl World {
    /// The world around the database of `#[sqlx::test]`, with room for races: up to `connections` at once.
    pub fn with_connections(database: MySqlConnectOptions, connections: u32) -> Self {
        let ahead = Arc::new(AtomicI64::new(0));
        let (on_connect, on_acquire) = (Arc::clone(&ahead), Arc::clone(&ahead));
        let db = MySqlPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let ahead = Arc::clone(&on_connect);
                Box::pin(async move {
                    db::prepare(connection).await?;
                    set_time(connection, &ahead).await
                })
            })
            .before_acquire(move |connection, _| {
                let ahead = Arc::clone(&on_acquire);
                Box::pin(async move { set_time(connection, &ahead).await.map(|()| true) })
            })
            // Tests by `#[sqlx::test]` begin without; services have it.
            .connect_lazy_with(database.log_statements(log::LevelFilter::Debug));
        let clock = Clock::fixed(Clock::system().now());
        let prefix = format!("test:{}:", uuid::Uuid::new_v4().simple());
        Self {
            db,
            cache: Cache::patient(&redis(), PATIENCE)
                .expect("REDIS_HOST and REDIS_PORT name a Redis")
                .with_prefix(&prefix),
            tokens: Self::tokens_at(clock.clone()),
            clock,
            chance: Chance::seeded(SEED),
            metrics: Registry::default(),
            ahead,
        }
    }

    /// The world around the database of `#[sqlx::test]`.
    pub fn new(database: MySqlConnectOptions) -> Self {
        Self::with_connections(database, 16)
    }

    /// Tokens under the key of every world, by another clock than this one's.
    pub(crate) fn tokens_at(clock: Clock) -> Tokens {
        Tokens::new(&KEY_OF_TOKENS.into(), clock)
    }

    /// Lets time pass, for the services and for the database alike. Connections in use learn it when next acquired.
    pub fn pass(&self, time: TimeDelta) {
        self.ahead.fetch_add(time.num_seconds(), Ordering::SeqCst);
        self.clock.advance(time);
    }

    /// Lets time pass until the next day's noon in Seoul, for a test that tells days apart: no midnight comes while it
    /// runs. The database's time goes on, and the clock doesn't.
    pub fn pass_to_noon(&self) {
        let noon = self.day(1).and_hms_opt(3, 0, 0).expect("Seoul's noon, in UTC").and_utc();
        self.pass(noon - self.now());
    }

    /// The current time of this world.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// How much a series has counted, e.g. `cloudjet_logins_total{outcome="success"}`; 0 where it has nothing yet.
    pub fn counted(&self, series: &str) -> f64 {
        let text = self.metrics.text().expect("series that can be written");
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// The calendar day `days` from today in Seoul.
    pub fn day(&self, days: i64) -> NaiveDate {
        self.clock.today_in_seoul() + TimeDelta::days(days)
    }

    /// A session for account `user_id`.
    pub fn token(&self, user_id: i64) -> String {
        self.tokens.issue(user_id, Role::User).expect("a token")
    }
}

async fn set_time(connection: &mut MySqlConnection, ahead: &AtomicI64) -> sqlx::Result<()> {
    let seconds = ahead.load(Ordering::SeqCst);
    let statement = if seconds == 0 {
        "set timestamp = default".to_owned()
    } else {
        let now = Clock::system().now() + TimeDelta::seconds(seconds);
        format!("set timestamp = {}.{:06}", now.timestamp(), now.timestamp_subsec_micros())
    };
    connection.execute(sqlx::AssertSqlSafe(statement)).await.map(drop)
}

/// The Redis that the environment names.
fn redis() -> Redis {
    let variables = common::config::environment();
    Redis {
        host: Some(variables.get("REDIS_HOST").cloned().unwrap_or_else(|| "127.0.0.1".to_owned())),
        port: variables.get("REDIS_PORT").and_then(|p| p.parse().ok()).unwrap_or(6379),
        db: 0,
        password: variables.get("REDIS_PASSWORD").map(|p| p.as_str().into()),
        ssl: false,
    }
}
