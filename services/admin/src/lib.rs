//! Admin service: the airline's own desk. What is flown and at what price, and everybody's bookings.
//!
//! What a flight and a booking may become is decided in [`catalogue`] and [`orders`]; here is how administrators ask
//! for it. Every operation but health takes [`common::auth::Admin`], which asks the database who the caller is now.

mod bookings;
mod config;
mod discounts;
mod done;
mod events;
mod flights;
mod grounding;
mod health;
mod outbox;
mod payments;
mod refunding;
mod reports;
mod schedules;

use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use catalogue::Catalogue;
use common::auth::Tokens;
use common::cache::Cache;
use common::clock::Clock;
use common::config::{Http, Telemetry};
use common::health::Dependencies;
use common::http::openapi::{self, Bearer};
use common::metrics::Registry;
use common::service::{Running, Service, StartError};
use common::{db, idempotency, jobs};
use news::Outbox;
use orders::Orders;
use sqlx::MySqlPool;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use config::Settings;

/// What the handlers work with.
#[derive(Clone, Debug, FromRef)]
pub struct App {
    /// Where bookings are kept.
    pub orders: Orders,
    /// Where flights, schedules and discounts are kept.
    pub catalogue: Catalogue,
    /// Where news for the outside waits.
    pub outbox: Outbox,
    /// The truth.
    pub db: MySqlPool,
    /// Who is asking.
    pub tokens: Tokens,
    /// What day it is.
    pub clock: Clock,
}

impl App {
    /// The desk around `orders`, whose database, cache and clock it shares.
    pub fn new(orders: Orders, tokens: Tokens) -> Self {
        let (db, cache, clock) = (orders.db.clone(), orders.cache.clone(), orders.clock.clone());
        let catalogue = Catalogue { db: db.clone(), cache, clock: clock.clone() };
        Self { orders, catalogue, outbox: Outbox { db: db.clone() }, db, tokens, clock }
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "CloudJet admin service",
        description = "Flights, schedules, discounts, and everybody's bookings. For administrators."
    ),
    modifiers(&Bearer)
)]
struct Description;

/// The public routes and their description. A route that isn't described can't be added.
pub fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(flights::list::list, flights::create::create))
        .routes(routes!(flights::publish::publish))
        .routes(routes!(flights::deactivate::deactivate))
        .routes(routes!(schedules::list))
        .routes(routes!(discounts::list::list, discounts::create::create))
        .routes(routes!(discounts::remove::remove))
        .routes(routes!(bookings::list::list))
        .routes(routes!(bookings::search::search))
        .routes(routes!(bookings::cancel::cancel))
        .routes(routes!(grounding::cancel))
        .routes(routes!(refunding::part::refund))
        .routes(routes!(refunding::retry::retry))
        .routes(routes!(refunding::settle::settle))
        .routes(routes!(events::list))
        .routes(routes!(payments::list::list))
        .routes(routes!(payments::detail::detail))
        .routes(routes!(payments::refunds::list))
        .routes(routes!(payments::events::list))
        .routes(routes!(payments::replay::replay))
        .routes(routes!(outbox::list))
        .routes(routes!(outbox::retry))
        .routes(routes!(reports::money))
        .routes(routes!(health::health))
}

/// The public routes, and their description at `/openapi.json`.
pub fn router(app: App) -> Router {
    openapi::serve(api(), app)
}

/// The service.
#[derive(Clone, Copy, Debug)]
pub struct Administration;

impl Service for Administration {
    type Settings = Settings;

    const NAME: &'static str = "admin-service";

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
        let db = db::pool(&settings.database);
        let cache = Cache::new(&settings.redis)?.measured(metrics)?;
        let orders = settings.orders.desk(&db, &cache, &clock, metrics)?;
        let app = App::new(orders, Tokens::of(&settings.secret, clock));
        let catalogue = app.catalogue.clone();
        Ok(Running {
            router: router(app),
            dependencies: Dependencies { database: Some(db.clone()), cache: Some(cache) },
            ..Running::default()
        }
        .job(idempotency::forgetting(db))
        .job(|shift| jobs::every(TIDYING, "expire discounts", shift, move || expire_discounts(catalogue.clone()))))
    }
}

/// How often discounts of flights that have left are looked for. Nobody waits for it: what has left isn't sold.
const TIDYING: Duration = Duration::from_mins(1);

/// How much is tidied at a time.
const AT_A_TIME: u32 = 100;

async fn expire_discounts(catalogue: Catalogue) -> sqlx::Result<bool> {
    catalogue.expire_discounts_once(AT_A_TIME).await
}
