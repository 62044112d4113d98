//! The cache: Redis (or Valkey) for speed, never for the truth.
//!
//! It may vanish at any moment: a read then misses, a write is dropped, and after a failure it is left alone for a
//! moment, then asked by one request while the others go on without it, so that a dead cache costs next to nothing.
//! What stands there that isn't ours, in whatever form, is a miss. The one trap is the slow reader who loads a value, is
//! overtaken by a change, and would store the old value after it: a [`Ticket`] taken before loading is refused
//! when the key was [forgotten](Cache::forget) since. Each key's generation stands beside it, in the same hash
//! slot, so that this also holds on a cluster. A key that couldn't be forgotten because the cache was away is owed
//! and forgotten as soon as it is back.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, IntoConnectionInfo, RedisResult, Script};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{Instrument, field};
use uuid::Uuid;

use crate::config::Redis;
use crate::metrics::Registry;

crate::metrics! {
    /// What is counted about the cache.
    struct Metrics {
        /// Reads, by kind of key and outcome: hit, miss, or away (the cache couldn't be asked).
        reads: IntCounterVec = "cloudjet_cache_reads_total" by ["kind", "outcome"],
        /// Operations that failed. After a failure the cache is left alone for a second.
        failures: IntCounterVec = "cloudjet_cache_failures_total" by ["operation"],
        /// Seconds an operation took.
        duration: HistogramVec = "cloudjet_cache_operation_duration_seconds" by ["operation"],
    }
}

/// How long the cache is left alone after it failed.
const REST: Duration = Duration::from_secs(1);
/// How long a generation is remembered: much longer than any slow reader reads.
const GENERATION_SECONDS: u64 = 86_400;
/// A fast cache or none: a cache slower than this is slower than the database.
const PATIENCE: Duration = Duration::from_millis(250);

/// A handle on the cache; clones share one connection.
#[derive(Clone)]
pub struct Cache {
    server: Option<Arc<Server>>,
    prefix: Arc<str>,
    started: Instant,
    /// Milliseconds after `started` until which the cache rests.
    rests_until: Arc<AtomicI64>,
    /// Keys that are still to be forgotten.
    owed: Arc<Mutex<BTreeSet<String>>>,
    metrics: Option<Metrics>,
}

/// The right to store a key's value if it wasn't forgotten since it was read.
#[derive(Clone, Debug)]
pub struct Ticket {
    key: String,
    generation: Option<Vec<u8>>,
}

/// Where the cache is, and the connection in use. The driver's manager keeps one that was refused while it was made,
/// or whose other end is silently gone; so after a failure it is given up with its connection.
struct Server {
    client: redis::Client,
    manner: ConnectionManagerConfig,
    connection: Mutex<ConnectionManager>,
}

impl Server {
    fn new(client: redis::Client, manner: ConnectionManagerConfig) -> RedisResult<Self> {
        let connection = Mutex::new(ConnectionManager::new_lazy_with_config(client.clone(), manner.clone())?);
        Ok(Self { client, manner, connection })
    }

    fn connection(&self) -> ConnectionManager {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the next one who asks connect anew.
    fn give_up_connection(&self) {
        if let Ok(anew) = ConnectionManager::new_lazy_with_config(self.client.clone(), self.manner.clone()) {
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = anew;
        }
    }
}

impl Cache {
    /// The cache of `settings`, connected when first used.
    ///
    /// # Errors
    /// When the settings make no address.
    pub fn new(settings: &Redis) -> RedisResult<Self> {
        Self::patient(settings, PATIENCE)
    }

    /// The same, waited for so long: for tests of what stands in it, which say nothing of how fast it is.
    ///
    /// # Errors
    /// When the settings make no address.
    pub fn patient(settings: &Redis, patience: Duration) -> RedisResult<Self> {
        let Some(host) = &settings.host else { return Ok(Self::absent()) };
        // The address is built from its parts, never from a text: a password may hold any character.
        let address = if settings.ssl {
            redis::ConnectionAddr::TcpTls { host: host.clone(), port: settings.port, insecure: false, tls_params: None }
        } else {
            redis::ConnectionAddr::Tcp(host.clone(), settings.port)
        };
        let mut login = redis::RedisConnectionInfo::default().set_db(settings.db);
        if let Some(password) = &settings.password {
            login = login.set_password(password.expose_secret());
        }
        let client = redis::Client::open(address.into_connection_info()?.set_redis_settings(login))?;
        let manner = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience));
        Ok(Self { server: Some(Arc::new(Server::new(client, manner)?)), ..Self::absent() })
    }

    /// No cache: every read misses.
    pub fn absent() -> Self {
        Self {
            server: None,
            prefix: "".into(),
            started: Instant::now(),
            rests_until: Arc::default(),
            owed: Arc::default(),
            metrics: None,
        }
    }

    /// The same cache, counting in `registry` what is done with it.
    ///
    /// # Errors
    /// When another cache counts there.
    pub fn measured(self, registry: &Registry) -> Result<Self, crate::metrics::Error> {
        Ok(Self { metrics: Some(Metrics::new(registry)?), ..self })
    }

    /// The same cache with `prefix` before every key, so that tests running side by side don't meet.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The value of `key` if there is one that can be read, and the ticket to store one if there isn't.
    pub async fn read<T: DeserializeOwned>(&self, key: &str) -> (Option<T>, Option<Ticket>) {
        let (kind, key) = (kind(key), format!("{}{key}", self.prefix));
        let count = |outcome| {
            if let Some(metrics) = &self.metrics {
                metrics.reads.with_label_values(&[kind, outcome]).inc();
            }
        };
        let read = async |mut connection: ConnectionManager| {
            connection.mget::<_, (Option<Vec<u8>>, Option<Vec<u8>>)>(&[&key, &generation_key(&key)]).await
        };
        let Some((bytes, generation)) = self.attempt("read", read).await else {
            count("away");
            return (None, None);
        };
        // Whatever stands there that isn't ours is a miss.
        let value: Option<T> = bytes.and_then(|b| serde_json::from_slice(&b).ok());
        count(if value.is_some() { "hit" } else { "miss" });
        (value, Some(Ticket { key, generation }))
    }

    /// Stores `value` for `ttl`, unless its key was forgotten after the ticket was taken.
    pub async fn fill<T: Serialize>(&self, ticket: Option<Ticket>, value: &T, ttl: Duration) {
        let (Some(ticket), Ok(bytes)) = (ticket, serde_json::to_vec(value)) else { return };
        let fill = async |mut connection: ConnectionManager| {
            // Read as the ticket was: a generation that is no text is none.
            Script::new(
                "if (redis.call('mget', KEYS[2])[1] or '') == ARGV[1] then \
                     redis.call('set', KEYS[1], ARGV[2], 'EX', ARGV[3]) \
                 end",
            )
            .key(&ticket.key)
            .key(generation_key(&ticket.key))
            .arg(ticket.generation.as_deref().unwrap_or_default())
            .arg(&bytes)
            .arg(ttl.as_secs().max(1))
            .invoke_async::<()>(&mut connection)
            .await
        };
        self.attempt("fill", fill).await;
    }

    /// Drops `key`, and makes every ticket taken for it worthless.
    pub async fn forget(&self, key: &str) {
        let key = format!("{}{key}", self.prefix);
        if self.server.is_none() || self.drop_now(&key).await {
            return;
        }
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let first = owed.is_empty();
        owed.insert(key);
        if first {
            tokio::spawn(self.clone().settle());
        }
    }

    /// Forgets what is owed, and tries until nothing is.
    async fn settle(self) {
        loop {
            tokio::time::sleep(REST).await;
            let owed: Vec<String> = self.owed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
            for key in owed {
                if !self.drop_now(&key).await {
                    break;
                }
                self.owed.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            }
            if self.owed.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
        }
    }

    async fn drop_now(&self, key: &str) -> bool {
        let forget = async |mut connection: ConnectionManager| {
            // Two commands on their own and in this order: a cache with no memory left refuses the first and obeys
            // the second.
            redis::pipe()
                .set_ex(generation_key(key), Uuid::new_v4().to_string(), GENERATION_SECONDS)
                .ignore()
                .del(key)
                .ignore()
                .query_async::<()>(&mut connection)
                .await
        };
        self.attempt("forget", forget).await.is_some()
    }

    /// Counts one more in the `window` that began with the first count under `key`: how many it makes, and how
    /// long the window still lasts. `None` when the cache can't tell.
    pub async fn count(&self, key: &str, window: Duration) -> Option<(u64, Duration)> {
        let key = format!("{}{key}", self.prefix);
        let count = async |mut connection: ConnectionManager| {
            Script::new(
                "local n = redis.call('incr', KEYS[1]) \
                 if n == 1 then redis.call('pexpire', KEYS[1], ARGV[1]) end \
                 return {n, redis.call('pttl', KEYS[1])}",
            )
            .key(&key)
            .arg(u64::try_from(window.as_millis()).unwrap_or(u64::MAX))
            .invoke_async::<(u64, i64)>(&mut connection)
            .await
        };
        let (n, left) = self.attempt("count", count).await?;
        Some((n, Duration::from_millis(u64::try_from(left).unwrap_or_default())))
    }

    /// Lets one more through under `key` if fewer than `limit` were in the `window` before `now`; else says how long
    /// until the next. Unlike [`count`](Self::count), no span of that length ever sees more. `None` when the cache
    /// can't tell.
    pub async fn admit(
        &self,
        key: &str,
        limit: u32,
        window: Duration,
        now: DateTime<Utc>,
    ) -> Option<Result<(), Duration>> {
        let key = format!("{}{key}", self.prefix);
        let admit = async |mut connection: ConnectionManager| {
            Script::new(
                "local now, window = tonumber(ARGV[1]), tonumber(ARGV[2]) \
                 if redis.call('type', KEYS[1]).ok ~= 'zset' then redis.call('del', KEYS[1]) end \
                 redis.call('zremrangebyscore', KEYS[1], '(' .. now + window, '+inf') \
                 redis.call('zremrangebyscore', KEYS[1], '-inf', now - window) \
                 if redis.call('zcard', KEYS[1]) >= tonumber(ARGV[3]) then \
                     return redis.call('zrange', KEYS[1], 0, 0, 'withscores')[2] + window - now \
                 end \
                 redis.call('zadd', KEYS[1], now, ARGV[4]) \
                 redis.call('pexpire', KEYS[1], window) \
                 return 0",
            )
            .key(&key)
            .arg(now.timestamp_millis())
            .arg(u64::try_from(window.as_millis()).unwrap_or(u64::MAX))
            .arg(limit)
            .arg(Uuid::new_v4().to_string())
            .invoke_async::<u64>(&mut connection)
            .await
        };
        let wait = self.attempt("admit", admit).await?;
        Some(if wait == 0 { Ok(()) } else { Err(Duration::from_millis(wait)) })
    }

    /// Drops what was counted or let through under `key`.
    pub async fn reset(&self, key: &str) {
        let key = format!("{}{key}", self.prefix);
        self.attempt("reset", async |mut connection: ConnectionManager| connection.del::<_, ()>(&key).await).await;
    }

    /// How the cache is: for the readiness report, never for a decision.
    pub async fn condition(&self) -> Condition {
        let Some(server) = &self.server else { return Condition::Absent };
        match redis::cmd("PING").query_async::<String>(&mut server.connection()).await {
            Ok(_) => Condition::Ok,
            Err(_) => Condition::Degraded,
        }
    }

    /// Asks the cache if it isn't resting; a failure sends it to rest and is logged once per rest.
    async fn attempt<T, F>(&self, what: &'static str, ask: impl FnOnce(ConnectionManager) -> F) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let server = self.server.as_ref()?;
        let elapsed = || i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let rest_from_now = || elapsed() + i64::try_from(REST.as_millis()).unwrap_or_default();
        let until = self.rests_until.load(Ordering::Relaxed);
        if elapsed() < until {
            return None;
        }
        // After a rest one asks, and the others rest on until it knows.
        let probing = until != 0;
        if probing
            && self.rests_until.compare_exchange(until, rest_from_now(), Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return None;
        }
        match self.observed(what, ask(server.connection())).await {
            Ok(answer) => {
                if probing {
                    self.rests_until.store(0, Ordering::Relaxed);
                }
                Some(answer)
            }
            Err(error) => {
                self.rests_until.store(rest_from_now(), Ordering::Relaxed);
                server.give_up_connection();
                tracing::warn!(what, %error, "cache failed, going on without it");
                None
            }
        }
    }

    /// Measures one question to the server, and makes a span of it.
    async fn observed<T>(&self, what: &'static str, question: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let span = tracing::info_span!(
            "redis",
            otel.name = format!("redis {what}"),
            otel.kind = "client",
            otel.status_code = field::Empty,
            db.system.name = "redis",
            db.operation.name = what,
        );
        let asked = Instant::now();
        let answer = question.instrument(span.clone()).await;
        if let Some(metrics) = &self.metrics {
            metrics.duration.with_label_values(&[what]).observe(asked.elapsed().as_secs_f64());
            if answer.is_err() {
                metrics.failures.with_label_values(&[what]).inc();
            }
        }
        if answer.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        answer
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("configured", &self.server.is_some()).finish_non_exhaustive()
    }
}

/// How the cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It answers.
    Ok,
    /// It is configured and doesn't answer; everything works, slower.
    Degraded,
    /// None is configured.
    Absent,
}

/// What sort of thing a key is of: its first word.
fn kind(key: &str) -> &str {
    key.split(':').next().unwrap_or_default()
}

/// Where a key's generation stands: the braces put it into the key's own hash slot.
fn generation_key(key: &str) -> String {
    format!("{{{key}}}:generation")
}
