//! Payment service: payments are begun here, the provider tells of them here, and money goes back from here.
//!
//! What a payment is and may become is decided in [`orders`]; here is how the world asks for it, and who is believed
//! about money: the provider, by its signature or by its own answer, and nobody else. The service also runs the jobs
//! that pay refunds and find out what nobody told.

mod attach;
mod booking_name;
mod config;
mod confirm;
mod detail;
mod health;
mod init;
mod list;
mod news;
mod reconcile;
mod webhook;

use std::process::ExitCode;

use ::news::{Metrics, Outbox, Relay};
use axum::Router;
use axum::extract::FromRef;
use common::auth::Tokens;
use common::cache::Cache;
use common::chance::Chance;
use common::clock::Clock;
use common::config::{Http, Telemetry};
use common::health::Dependencies;
use common::http::openapi::{self, Bearer};
use common::metrics::Registry;
use common::service::{self, Running, Service, StartError};
use common::{db, idempotency, jobs};
use orders::reconcile::Rounds;
use orders::{Backlog, Orders};
use secrecy::SecretString;
use sqlx::MySqlPool;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use self::news::{NewsPauses, with_news};
pub use config::{BrowserSettings, Pauses, Settings};
pub use reconcile::Settings as ReconcileSettings;

/// What the handlers work with.
#[derive(Clone, Debug, FromRef)]
pub struct App {
    /// Where payments are kept.
    pub orders: Orders,
    /// The truth.
    pub db: MySqlPool,
    /// Who is asking.
    pub tokens: Tokens,
    /// What browsers are handed.
    pub application_id: ApplicationId,
    /// What webhooks are signed with.
    pub webhook_key: WebhookKey,
}

/// The provider's application id for browsers. Without one nobody can pay, so no payment is begun.
#[derive(Clone, Debug, Default)]
pub struct ApplicationId(pub Option<String>);

/// The key of the webhook's signatures. An empty one verifies nothing.
#[derive(Clone, Debug, Default)]
pub struct WebhookKey(pub SecretString);

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "CloudJet payment service", description = "Payments, and what the payment provider tells of them."),
    modifiers(&Bearer)
)]
struct Description;

/// The public routes and their description. A route that isn't described can't be added.
pub fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(init::init))
        .routes(routes!(webhook::webhook))
        .routes(routes!(attach::attach))
        .routes(routes!(confirm::confirm))
        .routes(routes!(list::list))
        .routes(routes!(detail::detail))
        .routes(routes!(health::health))
}

/// The public routes, and their description at `/openapi.json`.
pub fn router(app: App) -> Router {
    openapi::serve(api(), app)
}

/// The service.
#[derive(Clone, Copy, Debug)]
pub struct Payment;

impl Service for Payment {
    type Settings = Settings;

    const NAME: &'static str = "payment-service";

    fn port(settings: &Settings) -> u16 {
        settings.port
    }

    fn shared(settings: &Settings) -> (&Http, &Telemetry) {
        (&settings.http, &settings.telemetry)
    }

    fn openapi() -> utoipa::openapi::OpenApi {
        api().into_openapi()
    }

    fn command(name: &str, arguments: &[String]) -> Option<ExitCode> {
        (name == "reconcile").then(|| service::run_command(Self::NAME, arguments, reconcile::run))
    }

    fn build(settings: Settings, metrics: &Registry) -> Result<Running, StartError> {
        let clock = Clock::system();
        let db = db::pool(&settings.database);
        let cache = Cache::new(&settings.redis)?.measured(metrics)?;
        let orders = settings.orders.desk(&db, &cache, &clock, metrics)?;
        let app = App {
            orders: orders.clone(),
            db: db.clone(),
            tokens: Tokens::of(&settings.secret, clock.clone()),
            application_id: ApplicationId(settings.browser.application_id()),
            webhook_key: WebhookKey(settings.orders.provider.private_key.unwrap_or_default()),
        };
        let (outbox, counted) = (Outbox { db: db.clone() }, Metrics::new(metrics)?);
        let relay = |subscriber| Relay::new(outbox.db.clone(), subscriber, clock, Chance::system(), counted.clone());
        let relay = settings.news.subscriber()?.map(relay);
        let running = Running {
            router: router(app),
            dependencies: Dependencies { database: Some(db.clone()), cache: Some(cache) },
            ..Running::default()
        }
        .job(idempotency::forgetting(db));
        let backlog = Backlog::new(metrics)?;
        let running = with_jobs(running, &orders, backlog, Pauses::of(&settings.orders.terms));
        Ok(with_news(running, &outbox, relay, counted, NewsPauses::default()))
    }
}

/// How much a job does at a time.
const AT_A_TIME: u32 = 50;

/// How much is forgotten at a time.
const FORGOTTEN_AT_A_TIME: u32 = 500;

/// Adds the jobs that pay refunds, find out what nobody told, measure what waits, and forget what is done with.
pub fn with_jobs(running: Running, orders: &Orders, backlog: Backlog, pauses: Pauses) -> Running {
    let [calls, refunds, questions, unbooked, inbox, waiting, past] = std::array::from_fn(|_| orders.clone());
    let rounds = Rounds::new(orders, &backlog);
    running
        .job(move |shift| jobs::every(pauses.calls, "resume provider calls", shift, move || resume(calls.clone())))
        .job(move |shift| jobs::every(pauses.refunds, "pay refunds", shift, move || pay_refunds(refunds.clone())))
        .job(move |shift| jobs::every(pauses.questions, "ask about payments", shift, move || ask(questions.clone())))
        .job(move |shift| jobs::every(pauses.unbooked, "refund unbooked", shift, move || refund(unbooked.clone())))
        .job(move |shift| jobs::every(pauses.inbox, "tidy the inbox", shift, move || tidy_inbox(inbox.clone())))
        .job(move |shift| {
            jobs::every(pauses.backlog, "look at the backlog", shift, move || look(waiting.clone(), backlog.clone()))
        })
        .job(move |shift| jobs::every(pauses.rounds, "reconcile", shift, move || go_on(rounds.clone())))
        .job(move |shift| jobs::every(pauses.forget, "forget calls and messages", shift, move || forget(past.clone())))
}

async fn resume(orders: Orders) -> sqlx::Result<bool> {
    orders.resume_calls_once(AT_A_TIME).await
}

async fn pay_refunds(orders: Orders) -> sqlx::Result<bool> {
    orders.drive_refunds_once(AT_A_TIME).await
}

async fn ask(orders: Orders) -> sqlx::Result<bool> {
    orders.ask_about_payments_once(AT_A_TIME).await
}

async fn refund(orders: Orders) -> sqlx::Result<bool> {
    orders.refund_unbooked_once(AT_A_TIME).await
}

async fn look(orders: Orders, backlog: Backlog) -> sqlx::Result<bool> {
    orders.look_at_backlog(&backlog).await
}

async fn go_on(rounds: Rounds) -> sqlx::Result<bool> {
    rounds.go_on().await
}

async fn forget(orders: Orders) -> sqlx::Result<bool> {
    orders.forget_once(FORGOTTEN_AT_A_TIME).await
}

async fn tidy_inbox(orders: Orders) -> sqlx::Result<bool> {
    orders.tidy_inbox_once(AT_A_TIME).await
}
