//! Whether a process lives and whether it can work: the public health body the original's clients know, and the
//! probes on the internal port that a cluster asks.
//!
//! Whoever isn't ready gets no requests, so requests can't show that nobody is: the last answer is a metric, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use sqlx::{Connection, MySqlConnection, MySqlPool};
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::cache::{Cache, Condition};
use crate::shutdown::Shutdown;

/// The public health body: 200 as long as the process lives, whatever it depends on.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `healthy`.
    #[schema(example = "healthy")]
    pub status: &'static str,
    /// Which service answers.
    #[schema(example = "auth-service")]
    pub service: &'static str,
    /// The service's customary port, not necessarily the one it listens on.
    pub port: u16,
}

impl Health {
    /// The body of `service`, customarily on `port`.
    pub const fn of(service: &'static str, port: u16) -> Self {
        Self { status: "healthy", service, port }
    }
}

/// What readiness depends on. The gateway depends on nothing.
#[derive(Clone, Debug, Default)]
pub struct Dependencies {
    /// Needed: without it the service can't work.
    pub database: Option<MySqlPool>,
    /// Reported only: without it the service is slower.
    pub cache: Option<Cache>,
}

crate::metrics! {
    /// What is told of readiness.
    pub struct Metrics {
        /// 1 while it can work, as /readyz last answered, which a cluster asks every few seconds; 0 before it was asked.
        ready: IntGauge = "cloudjet_ready",
    }
}

/// How long a dependency may take to answer: a cluster waits a second for the whole of it.
const PATIENCE: Duration = Duration::from_millis(700);

/// For how long an answer of the database counts, so that many probes at once are one question.
const FRESH: Duration = Duration::from_secs(1);

/// How a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Ok,
    Unreachable,
}

/// Asks the database over a connection of its own: whether the pool has one free says how busy the service is, not
/// whether it works.
#[derive(Debug)]
struct Database {
    pool: MySqlPool,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    connection: Option<MySqlConnection>,
    last: Option<(Instant, Answer)>,
}

impl Database {
    fn new(pool: MySqlPool) -> Self {
        Self { pool, asked: Mutex::default() }
    }

    /// What it answers now, or answered a moment ago to somebody else.
    async fn answer(&self) -> Answer {
        tokio::time::timeout(PATIENCE, self.ask()).await.unwrap_or(Answer::Unreachable)
    }

    async fn ask(&self) -> Answer {
        let mut asked = self.asked.lock().await;
        if let Some((_, answer)) = asked.last.filter(|(when, _)| when.elapsed() < FRESH) {
            return answer;
        }
        // Taken out while it is in use: given up half-way, it is closed and not asked again.
        let held = asked.connection.take();
        asked.connection = self.ping(held).await.ok();
        let answer = if asked.connection.is_some() { Answer::Ok } else { Answer::Unreachable };
        asked.last = Some((Instant::now(), answer));
        answer
    }

    async fn ping(&self, held: Option<MySqlConnection>) -> sqlx::Result<MySqlConnection> {
        if let Some(mut connection) = held
            && connection.ping().await.is_ok()
        {
            return Ok(connection);
        }
        let mut connection = MySqlConnection::connect_with(&self.pool.connect_options()).await?;
        connection.ping().await?;
        Ok(connection)
    }
}

#[derive(Debug)]
struct Probes {
    shutdown: Shutdown,
    database: Option<Database>,
    cache: Option<Cache>,
    started: AtomicBool,
    metrics: Metrics,
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<Condition>,
}

#[derive(Debug, Serialize)]
struct Startup {
    started: bool,
}

/// The internal port's routes: `/livez`, `/readyz` and `/startupz`. Serve them when the service listens. What `/readyz`
/// answers is told in `metrics`.
pub fn probes(shutdown: Shutdown, dependencies: Dependencies, metrics: Metrics) -> Router {
    let probes = Probes {
        shutdown,
        database: dependencies.database.map(Database::new),
        cache: dependencies.cache,
        started: AtomicBool::new(false),
        metrics,
    };
    Router::new()
        .route("/livez", get(async || "alive"))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .with_state(Arc::new(probes))
}

async fn readyz(State(probes): State<Arc<Probes>>) -> (StatusCode, Json<Readiness>) {
    let (database, cache) = tokio::join!(probes.database(), probes.cache());
    let ready = !probes.shutdown.is_announced() && database != Some(Answer::Unreachable);
    probes.metrics.ready.set(ready.into());
    (status(ready), Json(Readiness { ready, database, cache }))
}

/// Whether the service has once been able to work. What becomes of it later is readiness.
async fn startupz(State(probes): State<Arc<Probes>>) -> (StatusCode, Json<Startup>) {
    let started = probes.started.load(Ordering::Relaxed) || probes.database().await != Some(Answer::Unreachable);
    probes.started.fetch_or(started, Ordering::Relaxed);
    (status(started), Json(Startup { started }))
}

impl Probes {
    async fn database(&self) -> Option<Answer> {
        match &self.database {
            Some(database) => Some(database.answer().await),
            None => None,
        }
    }

    async fn cache(&self) -> Option<Condition> {
        let condition = tokio::time::timeout(PATIENCE, self.cache.as_ref()?.condition()).await;
        Some(condition.unwrap_or(Condition::Degraded))
    }
}

fn status(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
