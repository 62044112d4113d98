//! Flight service: what a traveller sees before booking. Search, airports, featured offers and promotions.
//!
//! It owns no table and writes none; it reads what the others keep. Everything here is public: a token, good or
//! bad, is not looked at, because the browser client sends the one it has with every call.

mod airports;
mod card;
mod config;
mod featured;
mod health;
mod offers;
mod promotions;
mod search;

use axum::Router;
use axum::extract::FromRef;
use common::cache::Cache;
use common::clock::Clock;
use common::config::{Http, Telemetry};
use common::db;
use common::health::Dependencies;
use common::http::openapi;
use common::metrics::Registry;
use common::service::{Running, Service, StartError};
use sqlx::MySqlPool;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use config::{SearchTtl, Settings};

/// What the handlers work with.
#[derive(Clone, Debug, FromRef)]
pub struct App {
    /// The truth.
    pub db: MySqlPool,
    /// Searches, remembered for a while.
    pub cache: Cache,
    /// What time it is.
    pub clock: Clock,
    /// How long a search is remembered.
    pub search_ttl: SearchTtl,
}

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "CloudJet flight service",
    description = "Search, airports, offers. Everything is public; a token is not looked at."
))]
struct Description;

/// The public routes and their description. A route that isn't described can't be added.
pub fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(search::search))
        .routes(routes!(airports::airports))
        .routes(routes!(airports::airports_alias))
        .routes(routes!(featured::featured))
        .routes(routes!(promotions::promotions))
        .routes(routes!(promotions::promotions_alias))
        .routes(routes!(health::health))
}

/// The public routes, and their description at `/openapi.json`.
pub fn router(app: App) -> Router {
    openapi::serve(api(), app)
}

/// The service.
#[derive(Clone, Copy, Debug)]
pub struct Flight;

impl Service for Flight {
    type Settings = Settings;

    const NAME: &'static str = "flight-service";

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
        let app = App {
            db: db::pool(&settings.database),
            cache: Cache::new(&settings.redis)?.measured(metrics)?,
            clock: Clock::system(),
            search_ttl: settings.search_ttl(),
        };
        let dependencies = Dependencies { database: Some(app.db.clone()), cache: Some(app.cache.clone()) };
        Ok(Running { router: router(app), dependencies, ..Running::default() })
    }
}
