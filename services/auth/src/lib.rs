//! People and their sessions: signing up, logging in, and the profile.
//!
//! This service is the only writer of `users`. Every other service trusts the tokens it issues, and asks the
//! database whether their account still is. The one thing to know: passwords are hashed on purpose slowly, so all
//! hashing goes through `passwords::hashing`, which bounds how much of the machine it may take.

mod config;
mod health;
mod login;
mod metrics;
mod passwords;
mod people;
mod profile;
mod signup;
mod throttle;

use axum::Router;
use axum::extract::FromRef;
use common::auth::Tokens;
use common::cache::Cache;
use common::clock::Clock;
use common::config::{Http, Telemetry};
use common::db;
use common::health::Dependencies;
use common::http::openapi::{self, Bearer};
use common::metrics::Registry;
use common::service::{Running, Service, StartError};
use sqlx::MySqlPool;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

pub use crate::config::{Limits, Settings};
pub use crate::metrics::Metrics;
use crate::passwords::hashing::Hashing;
use crate::throttle::Throttle;

/// What the handlers share; each asks only for the part it needs.
#[derive(Clone, Debug, FromRef)]
pub struct App {
    db: MySqlPool,
    tokens: Tokens,
    clock: Clock,
    hashing: Hashing,
    throttle: Throttle,
    metrics: Metrics,
}

impl App {
    /// The service's state around what it depends on.
    pub fn new(db: MySqlPool, cache: Cache, tokens: Tokens, clock: Clock, limits: &Limits, metrics: Metrics) -> Self {
        let throttle = Throttle::new(cache, clock.clone(), limits.login_attempts);
        let hashing = Hashing::new(limits.hashing_concurrency, limits.hashing_wait());
        Self { db, tokens, clock, hashing, throttle, metrics }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "CloudJet auth service", description = "Accounts and sessions."),
    modifiers(&Bearer)
)]
struct Description;

/// Every route, described from its types.
pub fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(signup::sign_up))
        .routes(routes!(login::log_in))
        .routes(also_at("/api/user/profile", routes!(profile::show, profile::change)))
        .routes(also_at("/api/health", routes!(health::health)))
}

/// The same operations at a second address, which some clients know them by.
fn also_at(address: &str, (schemas, mut paths, handlers): UtoipaMethodRouter<App>) -> UtoipaMethodRouter<App> {
    for mut item in paths.paths.values().cloned().collect::<Vec<_>>() {
        for operation in [&mut item.get, &mut item.put].into_iter().flatten() {
            // Operation ids are unique in a description.
            operation.operation_id = operation.operation_id.take().map(|id| format!("{id}_alias"));
        }
        paths.paths.insert(address.to_owned(), item);
    }
    (schemas, paths, handlers)
}

/// The public routes, and their description at `/openapi.json`.
pub fn router(app: App) -> Router {
    openapi::serve(api(), app)
}

/// The auth service.
#[derive(Debug)]
pub struct Auth;

impl Service for Auth {
    type Settings = Settings;

    const NAME: &'static str = health::SERVICE;

    fn port(settings: &Settings) -> u16 {
        settings.port
    }

    fn shared(settings: &Settings) -> (&Http, &Telemetry) {
        (&settings.http, &settings.telemetry)
    }

    fn openapi() -> utoipa::openapi::OpenApi {
        api().into_openapi()
    }

    fn build(settings: Settings, metrics: &Registry) -> Result<Running, StartError> {
        let clock = Clock::system();
        let tokens = Tokens::of(&settings.secret, clock.clone());
        let db = db::pool(&settings.database);
        let cache = Cache::new(&settings.redis)?.measured(metrics)?;
        let dependencies = Dependencies { database: Some(db.clone()), cache: Some(cache.clone()) };
        let router = router(App::new(db, cache, tokens, clock, &settings.limits, Metrics::new(metrics)?));
        Ok(Running { router, dependencies, ..Running::default() })
    }
}
