//! The provider on your own machine: the same REST API under `/v2`, knobs under `/simulator`, and a page for people.
//!
//! Development and tests use it as a program (`bootpay-simulator`) or in process:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use bootpay::simulator::{Config, Payment, Simulator};
//!
//! let provider = Simulator::new(Config::new("rest-id", "private-key".into()))?.spawn().await?;
//! provider.set_webhook_url(Some("http://127.0.0.1:5005/api/payments/webhook".to_owned()));
//! let client = bootpay::Client::new(bootpay::Config::new(provider.api_url(), "rest-id", "private-key".into()))?;
//! let paid = provider.pay(Payment::new("CJ-ORD-1", 50_000)).await?;
//! assert!(client.receipt(&paid.receipt_id).await?.is_some_and(|receipt| receipt.status.is_paid()));
//! # Ok(())
//! # }
//! ```
//!
//! The trap is to build on its kindness: it answers a repeated `cancel_id` with the first result, while the provider's
//! own documentation says that it refuses one.

mod calls;
mod chance;
mod control;
mod ledger;
mod outage;
mod page;
mod provider;
mod store;
mod webhook;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{error, info};

pub use calls::{Call, Calls};
pub use ledger::Outcome;
pub use outage::{Outage, Trouble};
pub use webhook::{Delivery, Format, Mode};

pub use crate::Operation;
use crate::{ReceiptId, Status};
use ledger::{Cancelled, Entry, Ledger, No, Opening, Wish};
use outage::Ongoing;
use webhook::Event;

/// The longest that an unanswered call is kept open.
const PATIENCE: Duration = Duration::from_mins(2);

/// The settings of a [`Simulator`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The REST application id that callers must know.
    pub rest_application_id: String,
    /// The private key that callers must know, and that signs webhooks.
    pub private_key: SecretString,
    /// Where webhooks go; nowhere if not given.
    pub webhook_url: Option<String>,
    /// Where receipts are kept; only in memory if not given.
    pub state_file: Option<PathBuf>,
    /// How long an access token lives.
    pub token_lifetime: Duration,
    /// The pauses before each repetition of an undelivered webhook.
    pub webhook_pauses: Vec<Duration>,
}

impl Config {
    /// Settings with tokens that live half an hour, webhooks that are repeated after 1, 3, 10, 30 and 60 seconds,
    /// nowhere to send them, and no file.
    pub fn new(rest_application_id: impl Into<String>, private_key: SecretString) -> Self {
        Self {
            rest_application_id: rest_application_id.into(),
            private_key,
            webhook_url: None,
            state_file: None,
            token_lifetime: Duration::from_mins(30),
            webhook_pauses: [1, 3, 10, 30, 60].map(Duration::from_secs).to_vec(),
        }
    }
}

/// Why a simulator can't start.
#[derive(Debug, Error)]
pub enum StartError {
    /// One of the two credentials is empty.
    #[error("the simulator needs a REST application id and a private key")]
    NoCredentials,
    /// The file with the receipts is there but can't be used. Deleting it starts over.
    #[error("can't use the receipts in {}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The client for webhooks can't be built.
    #[error("can't build the HTTP client for webhooks")]
    Http(#[source] reqwest::Error),
}

/// Why a payment can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PaymentError {
    /// There is no order id, or one of more than 255 bytes.
    #[error("order_id must have 1 to 255 bytes")]
    BadOrderId,
    /// The price is not positive.
    #[error("price must be a positive number of won")]
    BadPrice,
}

/// A payment that a buyer makes, or tries to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// The order, as our server named it.
    pub order_id: String,
    /// The amount in won.
    pub price: i64,
    /// What is bought.
    #[serde(default)]
    pub order_name: Option<String>,
    /// How it ends.
    #[serde(default)]
    pub outcome: Outcome,
    /// Whether and how webhooks are sent for it, now and when it is confirmed or cancelled.
    #[serde(default)]
    pub webhook: Mode,
    /// What their bodies look like.
    #[serde(default)]
    pub webhook_format: Format,
}

impl Payment {
    /// An approved payment that tells of itself by unsigned JSON webhooks.
    pub fn new(order_id: impl Into<String>, price: i64) -> Self {
        Self {
            order_id: order_id.into(),
            price,
            order_name: None,
            outcome: Outcome::default(),
            webhook: Mode::default(),
            webhook_format: Format::default(),
        }
    }
}

/// What became of a [`Payment`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paid {
    /// The provider's id of the payment.
    pub receipt_id: ReceiptId,
    /// Where it stands.
    pub status: Status,
    /// How the first attempt to deliver its webhook ended. More follow in the background if it failed.
    pub webhook: Delivery,
}

/// A simulated provider. Clones are the same one.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    http: reqwest::Client,
    state: Mutex<State>,
    outage: watch::Sender<Ongoing>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// Access tokens, and when each expires.
    tokens: HashMap<String, Instant>,
    calls: Calls,
    webhook_url: Option<String>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Simulator {
    /// A simulator with the receipts of its state file, if it has one. It serves nothing yet.
    pub fn new(config: Config) -> Result<Self, StartError> {
        if config.rest_application_id.is_empty() || config.private_key.expose_secret().is_empty() {
            return Err(StartError::NoCredentials);
        }
        let ledger = match &config.state_file {
            None => Ledger::default(),
            Some(path) => store::load(path).map_err(|source| StartError::State { path: path.clone(), source })?,
        };
        let state = State { ledger, webhook_url: config.webhook_url.clone(), ..State::default() };
        let shared = Shared {
            http: webhook::http_client().map_err(StartError::Http)?,
            config,
            state: Mutex::new(state),
            outage: watch::Sender::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Everything it serves: `/v2`, `/simulator`, `/`, `/pay` and `/health`.
    pub fn router(&self) -> Router {
        provider::router(self).merge(control::router()).merge(page::router()).with_state(self.clone())
    }

    /// Serves on a free port of 127.0.0.1 until the answer is dropped.
    pub async fn spawn(self) -> io::Result<Running> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, self.clone()));
        Ok(Running { simulator: self, address, task })
    }

    /// Makes a payment, and waits for the first attempt to deliver its webhook.
    pub async fn pay(&self, payment: Payment) -> Result<Paid, PaymentError> {
        if payment.order_id.is_empty() || payment.order_id.len() > 255 {
            return Err(PaymentError::BadOrderId);
        }
        if payment.price <= 0 {
            return Err(PaymentError::BadPrice);
        }
        let opening = Opening {
            receipt_id: ReceiptId::parse(chance::hex::<12>()).map_err(|_| PaymentError::BadOrderId)?,
            order_name: payment.order_name.unwrap_or_default(),
            order_id: payment.order_id,
            price: payment.price,
            outcome: payment.outcome,
            webhook: payment.webhook,
            webhook_format: payment.webhook_format,
        };
        let entry = self.change(|ledger| ledger.open(opening, chance::now()));
        info!(receipt = %entry.receipt_id, order = entry.order_id, price = entry.price, status = %entry.status, "payment");
        let webhook = if entry.status == Status::AwaitingApproval {
            // The provider has nothing to tell until it is confirmed.
            Delivery::default()
        } else {
            self.tell(&entry).await
        };
        Ok(Paid { receipt_id: entry.receipt_id, status: entry.status, webhook })
    }

    /// Cancels `price` won of a payment in the provider's console, or all that is left. Nobody is told.
    ///
    /// False if the provider's rules forbid it.
    pub fn cancel_in_console(&self, receipt_id: &ReceiptId, price: Option<i64>) -> bool {
        let wish = Wish { receipt_id: receipt_id.as_str(), cancel_id: None, price };
        self.cancel(&wish).is_ok()
    }

    /// Sends the webhook of a payment as it is now, in the form it was made with. `None` if there is no such payment.
    pub async fn send_webhook(&self, receipt_id: &ReceiptId) -> Option<Delivery> {
        let entry = self.find(receipt_id.as_str())?;
        Some(self.tell(&entry).await)
    }

    /// Begins an outage, or ends one ([`Trouble::None`]).
    pub fn set_outage(&self, outage: Outage) {
        self.shared.outage.send_replace(Ongoing::begin(outage));
    }

    /// From now on, sends webhooks there.
    pub fn set_webhook_url(&self, url: Option<String>) {
        self.state().webhook_url = url;
    }

    /// Lets all access tokens expire.
    pub fn expire_tokens(&self) {
        self.state().tokens.clear();
    }

    /// What was called since it started.
    pub fn calls(&self) -> Calls {
        self.state().calls.clone()
    }

    /// All receipts as the provider's API shows them, oldest first.
    pub fn receipts(&self) -> Vec<Value> {
        let state = self.state();
        state.ledger.entries().iter().map(Entry::to_json).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: every change of it is a single step.
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, receipt_id: &str) -> Option<Entry> {
        self.state().ledger.find(receipt_id).cloned()
    }

    fn entries(&self) -> Vec<Entry> {
        self.state().ledger.entries().to_vec()
    }

    fn cancel(&self, wish: &Wish<'_>) -> Result<Cancelled, No> {
        self.change(|ledger| ledger.cancel(wish, chance::now()))
    }

    /// Changes receipts, and writes them down before anybody is told.
    fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut state = self.state();
        let outcome = change(&mut state.ledger);
        if let Some(path) = &self.shared.config.state_file
            && let Err(cause) = store::save(path, &state.ledger)
        {
            error!(path = %path.display(), error = %cause, "can't write the receipts down");
        }
        outcome
    }

    fn issue_token(&self) -> String {
        let token = chance::hex::<32>();
        let now = Instant::now();
        let mut state = self.state();
        state.tokens.retain(|_, expires_at| *expires_at > now);
        let expires_at = now + self.shared.config.token_lifetime;
        state.tokens.insert(token.clone(), expires_at);
        token
    }

    fn accepts_token(&self, token: &str) -> bool {
        let expires_at = self.state().tokens.get(token).copied();
        expires_at.is_some_and(|end| end > Instant::now())
    }

    fn trouble(&self, operation: Operation) -> Trouble {
        self.shared.outage.borrow().trouble(operation)
    }

    /// Waits until `operation` is out of trouble, though not for ever.
    async fn trouble_is_over(&self, operation: Operation) {
        let mut outage = self.shared.outage.subscribe();
        let over = async {
            loop {
                let ongoing = outage.borrow_and_update().clone();
                if ongoing.trouble(operation) == Trouble::None {
                    return;
                }
                let far = Instant::now() + PATIENCE;
                tokio::select! {
                    changed = outage.changed() => if changed.is_err() { return },
                    () = sleep_until(ongoing.ends_at().unwrap_or(far)) => {}
                }
            }
        };
        // Either way it is over for this caller.
        let _ = timeout(PATIENCE, over).await;
    }

    /// Sends the webhook of `entry` the way its payment asked for.
    async fn tell(&self, entry: &Entry) -> Delivery {
        self.tell_as(entry, entry.webhook, entry.webhook_format).await
    }

    /// Sends a webhook, answers with how the first attempt ended, and repeats it in the background if it has to.
    async fn tell_as(&self, entry: &Entry, mode: Mode, format: Format) -> Delivery {
        let key = &self.shared.config.private_key;
        let Some(event) = Event::new(entry, mode, format, key) else {
            return Delivery::default();
        };
        let Some(url) = self.state().webhook_url.clone() else {
            return Delivery::default();
        };
        let (simulator, receipt_id) = (self.clone(), entry.receipt_id.clone());
        // In a task of its own: should the buyer's browser give up waiting, the webhook still arrives.
        let first = tokio::spawn(async move {
            let delivery = simulator.attempt(&event, &url, &receipt_id).await;
            if !delivery.delivered {
                tokio::spawn(async move { simulator.repeat(event, url, receipt_id).await });
            }
            delivery
        });
        first.await.unwrap_or_default()
    }

    async fn attempt(&self, event: &Event, url: &str, receipt_id: &ReceiptId) -> Delivery {
        let delivery = event.send(&self.shared.http, url).await;
        self.change(|ledger| ledger.delivered(receipt_id, delivery));
        delivery
    }

    async fn repeat(&self, event: Event, url: String, receipt_id: ReceiptId) {
        for pause in &self.shared.config.webhook_pauses {
            sleep(*pause).await;
            if self.attempt(&event, &url, &receipt_id).await.delivered {
                return;
            }
        }
    }
}

/// Serves `simulator` on `listener`, for ever.
pub async fn serve(listener: TcpListener, simulator: Simulator) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Answers are small: waiting to fill a packet would only slow them. If it can't be set, they are slow.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, simulator.router()).await
}

/// A simulator that is being served. Dropping it closes its port.
#[derive(Debug)]
pub struct Running {
    simulator: Simulator,
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base address of its REST API, for [`crate::Config::api_url`].
    pub fn api_url(&self) -> String {
        format!("http://{}/v2", self.address)
    }
}

impl Deref for Running {
    type Target = Simulator;

    fn deref(&self) -> &Simulator {
        &self.simulator
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
