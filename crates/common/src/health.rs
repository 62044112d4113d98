//! Whether a process lives and whether it can work: the public health body the original's clients know, and the
//! probes on the internal port that a cluster asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use sqlx::MySqlPool;
use utoipa::ToSchema;

use crate::cache::{Cache, Condition};

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

/// Whether the service takes requests; shared with the server, which closes it when it is asked to stop.
#[derive(Clone, Debug)]
pub struct Gate(Arc<AtomicBool>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Gate {
    /// From now on the service says it isn't ready.
    pub fn close(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<Condition>,
}

/// The internal port's routes: `/livez` and `/readyz`.
pub fn probes(gate: Gate, dependencies: Dependencies) -> Router {
    Router::new().route("/livez", get(async || "alive")).route("/readyz", get(readyz)).with_state((gate, dependencies))
}

async fn readyz(State((gate, dependencies)): State<(Gate, Dependencies)>) -> (StatusCode, Json<Readiness>) {
    let database = match &dependencies.database {
        None => None,
        Some(pool) => {
            let asked = tokio::time::timeout(Duration::from_secs(1), sqlx::query("select 1").execute(pool)).await;
            Some(if matches!(asked, Ok(Ok(_))) { "ok" } else { "unreachable" })
        }
    };
    let cache = match &dependencies.cache {
        None => None,
        Some(cache) => Some(cache.condition().await),
    };
    let ready = gate.is_open() && database != Some("unreachable");
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, database, cache }))
}
