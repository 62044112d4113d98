//! A process of the system: all services and jobs over one pool, on a runtime of its own, so that it can be killed.
//!
//! Killing drops the runtime, and with it whatever its tasks are waiting for: no destructor of ours runs on, no error is
//! handled, and what it had open is closed. That is as near to `kill -9` as one gets without a second program. The one trap
//! is that a request's work outlives its caller, on a task of its own; dropping the request alone would let it finish.

use std::pin::Pin;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bootpay::Config;
use common::auth::Tokens;
use common::cache::Cache;
use common::chance::Chance;
use common::db;
use common::http::{Envelope, wrap};
use common::metrics::Registry;
use news::{Relay, Secrets, Subscriber};
use orders::{Orders, Terms};
use payment_service::{ApplicationId, WebhookKey};
use sqlx::mysql::MySqlConnectOptions;
use testkit::{Client, NearEnd};
use tokio::runtime::{self, Runtime};
use tokio::sync::{mpsc as asynchronous, oneshot};

use crate::conductor::Conductor;

/// Who we are at the provider.
pub(crate) const REST_ID: &str = "rest-id";
/// The key that belongs to it, which signs webhooks.
pub(crate) const KEY: &str = "private-key";
/// What sessions are signed with.
pub(crate) const TOKENS: &str = "a-key-for-simulations-that-nobody-else-uses";
/// What news is signed with.
const NEWS: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What runs in a process.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    pub(crate) booking: Client,
    pub(crate) payment: Client,
    pub(crate) admin: Client,
    pub(crate) orders: Orders,
    pub(crate) relay: Relay,
}

/// What a process needs to find the rest of the world.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) database: MySqlConnectOptions,
    pub(crate) provider: String,
    pub(crate) subscriber: String,
    pub(crate) chance: Chance,
    pub(crate) conductor: Conductor,
}

type Work = Box<dyn FnOnce(Services) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A process, which does one thing at a time.
#[derive(Debug)]
pub(crate) struct Process {
    number: usize,
    conductor: Conductor,
    work: asynchronous::UnboundedSender<Work>,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _wire: NearEnd,
}

impl Process {
    /// Starts the process numbered `number`, which finds its database by `wire`.
    pub(crate) fn start(number: usize, wire: NearEnd, around: Surroundings) -> Result<Self> {
        let conductor = around.conductor.clone();
        let (work, to_do) = asynchronous::unbounded_channel();
        let (kill, killed) = oneshot::channel();
        let database = wire.reach(around.database.clone());
        let (started, start) = mpsc::channel();
        let thread = std::thread::Builder::new().name(format!("process {number}")).spawn(move || {
            let (runtime, services) = match prepare(database, &around) {
                Ok(ready) => ready,
                Err(error) => return drop(started.send(Err(error))),
            };
            // Whoever starts it waits for this.
            let _ = started.send(Ok(()));
            runtime.block_on(live(services, to_do, killed));
            runtime.shutdown_background();
        })?;
        start.recv().context("a process that ended before it began")??;
        Ok(Self { number, conductor, work, kill: Some(kill), thread: Some(thread), _wire: wire })
    }

    /// Has it do something. What comes of it is told, unless it dies before.
    pub(crate) fn give<T, F>(&self, work: impl FnOnce(Services) -> F + Send + 'static) -> oneshot::Receiver<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let (number, conductor) = (self.number, self.conductor.clone());
        conductor.busy(number, true);
        let work: Work = Box::new(move |services| {
            Box::pin(async move {
                let done = work(services).await;
                // Nobody listens to who is to die.
                let _ = tell.send(done);
                conductor.busy(number, false);
            })
        });
        if self.work.send(work).is_err() {
            self.conductor.busy(number, false);
        }
        told
    }

    /// Ends it at once, wherever it is. What it has open is the conductor's to break.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(kill) = self.kill.take() {
            let _ = kill.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a process needs before it can do anything.
fn prepare(database: MySqlConnectOptions, around: &Surroundings) -> Result<(Runtime, Services)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    // A pool begins with a task of its own.
    let services = runtime.block_on(async { Services::new(database, around) })?;
    Ok((runtime, services))
}

/// Does one thing after the other, until it is killed.
async fn live(services: Services, mut to_do: asynchronous::UnboundedReceiver<Work>, mut killed: oneshot::Receiver<()>) {
    loop {
        let work = tokio::select! {
            _ = &mut killed => return,
            work = to_do.recv() => work,
        };
        let Some(work) = work else { return };
        tokio::select! {
            _ = &mut killed => return,
            () = work(services.clone()) => {}
        }
    }
}

impl Services {
    fn new(database: MySqlConnectOptions, around: &Surroundings) -> Result<Self> {
        let clock = around.conductor.clock().clone();
        let db =
            db::pool_options().max_connections(4).acquire_timeout(Duration::from_secs(20)).connect_lazy_with(database);
        // Real time has no say here: no call is refused because others failed a moment ago.
        let config = Config { outages: u32::MAX, ..Config::new(around.provider.clone(), REST_ID, KEY.into()) };
        let metrics = Registry::default();
        let orders = Orders {
            db: db.clone(),
            cache: Cache::absent(),
            clock: clock.clone(),
            chance: around.chance.clone(),
            provider: Some(bootpay::Client::new(config)?),
            terms: Terms::default(),
            metrics: orders::Metrics::new(&metrics)?,
        };
        let tokens = Tokens::new(&TOKENS.into(), clock.clone());
        let subscriber = Subscriber::new(&around.subscriber, Secrets::parse(&NEWS.into())?)?;
        let counted = news::Metrics::new(&metrics)?;
        let relay = Relay::new(db.clone(), subscriber, clock.clone(), around.chance.clone(), counted);
        let serve = |service, router| {
            let envelope = Envelope { service, timeout: Duration::from_mins(1), trusted_proxy_hops: 0 };
            Client::anonymous(wrap(router, envelope))
        };
        let booking = booking_service::App { orders: orders.clone(), db: db.clone(), tokens: tokens.clone(), clock };
        let payment = payment_service::App {
            orders: orders.clone(),
            db,
            tokens: tokens.clone(),
            application_id: ApplicationId(Some("browser-id".to_owned())),
            webhook_key: WebhookKey(KEY.into()),
        };
        Ok(Self {
            booking: serve("booking-service", booking_service::router(booking)),
            payment: serve("payment-service", payment_service::router(payment)),
            admin: serve("admin-service", admin_service::router(admin_service::App::new(orders.clone(), tokens))),
            orders,
            relay,
        })
    }
}
