//! Booking service: bookings, their passengers and seats.
//!
//! What a booking is and may become is decided in [`orders`]; here is how the world asks for it. The service also
//! runs the jobs that write down what has expired and what was flown, and that finish what the airline cancelled.

mod book;
mod cancel;
mod cancellation;
mod choose;
mod chosen;
mod config;
mod detail;
mod health;
mod list;
mod occupied;
mod seat_map;

use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use common::auth::Tokens;
use common::cache::Cache;
use common::clock::Clock;
use common::config::{Http, Telemetry};
use common::health::Dependencies;
use common::http::openapi::{self, Bearer};
use common::metrics::Registry;
use common::service::{Running, Service, StartError};
use common::{db, idempotency, jobs};
use orders::{Orders, Shelf};
use sqlx::MySqlPool;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use config::Settings;

/// What the handlers work with.
#[derive(Clone, Debug, FromRef)]
pub struct App {
    /// Where bookings are made.
    pub orders: Orders,
    /// The truth.
    pub db: MySqlPool,
    /// Who is asking.
    pub tokens: Tokens,
    /// What day it is.
    pub clock: Clock,
}

#[derive(utoipa::OpenApi)]
#[openapi(info(title = "CloudJet booking service", description = "Bookings, their passengers and seats."), modifiers(&Bearer))]
struct Description;

/// The public routes and their description. A route that isn't described can't be added.
pub fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(book::book, list::list))
        .routes(routes!(detail::detail))
        .routes(routes!(cancel::cancel))
        .routes(routes!(cancellation::quote))
        .routes(routes!(choose::choose))
        .routes(routes!(seat_map::seat_map))
        .routes(routes!(occupied::occupied_seats))
        .routes(routes!(health::health))
}

/// The public routes, and their description at `/openapi.json`.
pub fn router(app: App) -> Router {
    openapi::serve(api(), app)
}

/// The service.
#[derive(Clone, Copy, Debug)]
pub struct Booking;

impl Service for Booking {
    type Settings = Settings;

    const NAME: &'static str = "booking-service";

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
        let [bookings, seats, grounded, flown, sale] = std::array::from_fn(|_| orders.clone());
        let shelf = Shelf::new(metrics)?;
        let tokens = Tokens::of(&settings.secret, clock.clone());
        let app = App { orders, db: db.clone(), tokens, clock };
        Ok(Running {
            router: router(app),
            dependencies: Dependencies { database: Some(db.clone()), cache: Some(cache) },
            ..Running::default()
        }
        .job(idempotency::forgetting(db))
        .job(|shift| jobs::every(TIDYING, "expire bookings", shift, move || expire_bookings(bookings.clone())))
        .job(|shift| jobs::every(TIDYING, "give back seats", shift, move || give_back_seats(seats.clone())))
        .job(|shift| jobs::every(TIDYING, "cancel grounded bookings", shift, move || ground(grounded.clone())))
        .job(|shift| jobs::every(COMPLETING, "complete bookings", shift, move || complete(flown.clone())))
        .job(|shift| jobs::every(LOOKING, "look at the seats", shift, move || look(sale.clone(), shelf.clone()))))
    }
}

/// How often what has expired is looked for. Nobody waits for it: what has lapsed is free before it is tidied.
const TIDYING: Duration = Duration::from_secs(5);

/// How often bookings whose flight has left are looked for: it is days ago then.
const COMPLETING: Duration = Duration::from_mins(10);

/// How often what is on sale is looked at. It is read by people, from graphs.
const LOOKING: Duration = Duration::from_mins(1);

/// How much is tidied at a time.
const AT_A_TIME: u32 = 100;

async fn expire_bookings(orders: Orders) -> sqlx::Result<bool> {
    orders.expire_bookings_once(AT_A_TIME).await
}

async fn give_back_seats(orders: Orders) -> sqlx::Result<bool> {
    orders.sweep_seats_once(AT_A_TIME).await
}

async fn ground(orders: Orders) -> sqlx::Result<bool> {
    orders.ground_once(AT_A_TIME).await
}

async fn complete(orders: Orders) -> sqlx::Result<bool> {
    orders.complete_departed_once(AT_A_TIME).await
}

async fn look(orders: Orders, shelf: Shelf) -> sqlx::Result<bool> {
    orders.look_at_shelf(&shelf).await
}
