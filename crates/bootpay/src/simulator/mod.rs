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
//! A [script](script) written into a payment's name says how it goes: `[decline]`, `[cancel-lost]`, `[account:5]`.
//!
//! A `cancel_id` that was used is refused, as the provider documents. It can be made [kind](Config::is_kind) and answer
//! with the first result, as the provider may; the trap is to build on that. And what is to happen later is remembered
//! in memory only: a restart forgets it.

mod calls;
mod chance;
mod config;
mod control;
mod ledger;
mod outage;
mod page;
mod provider;
mod script;
mod store;
mod telling;
mod totals;
mod webhook;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
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
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, info};

pub use calls::{Call, Calls};
pub use config::{Config, StartError};
pub use ledger::Outcome;
pub use outage::{Outage, Trouble};
pub use script::{UnknownScript, table as scripts_table};
pub use totals::Day;
pub use webhook::{Delivery, Format, Mode};

pub use crate::Operation;
use crate::{ReceiptId, Status};
use ledger::{Cancelled, Entry, Ledger, No, Opening, Wish};
use outage::{Fate, Ongoing};
use script::Script;
use store::Store;
use webhook::Event;

/// The longest that an unanswered call is kept open.
const PATIENCE: Duration = Duration::from_mins(2);

/// Why a payment can't be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PaymentError {
    /// There is no order id, or one of more than 255 bytes.
    #[error("order_id must have 1 to 255 bytes")]
    BadOrderId,
    /// The price is not positive.
    #[error("price must be a positive number of won")]
    BadPrice,
    /// Its script isn't one.
    #[error(transparent)]
    UnknownScript(#[from] UnknownScript),
}

/// A payment that a buyer makes, or tries to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// The order, as our server named it.
    pub order_id: String,
    /// The amount in won.
    pub price: i64,
    /// What is bought. A [script](self::script) in brackets is followed.
    #[serde(default)]
    pub order_name: Option<String>,
    /// Who pays. A script in brackets is followed here, too.
    #[serde(default)]
    pub username: Option<String>,
    /// Scripts to follow, separated by blanks. They go before those in names.
    #[serde(default)]
    pub script: String,
    /// How it ends, unless a script says it.
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
            username: None,
            script: String::new(),
            outcome: Outcome::default(),
            webhook: Mode::default(),
            webhook_format: Format::default(),
        }
    }

    /// The same payment, which follows these scripts as well.
    #[must_use]
    pub fn scripted(self, script: impl Into<String>) -> Self {
        Self { script: script.into(), ..self }
    }
}

/// What became of a [`Payment`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paid {
    /// The provider's id of the payment.
    pub receipt_id: ReceiptId,
    /// Where it stands.
    pub status: Status,
    /// The scripts that it follows.
    pub script: String,
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
    /// Where receipts are written down, if they are.
    store: Option<Store>,
    /// Access tokens, and when each expires.
    tokens: HashMap<String, Instant>,
    calls: Calls,
    webhook_url: Option<String>,
    receipt_ids: chance::Ids,
    /// First webhooks that wait to be overtaken; `None` once one was.
    kept_back: HashMap<ReceiptId, Option<Event>>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Simulator {
    /// A simulator with the receipts of its state file, if it has one. It serves nothing yet.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let is_empty = |(id, secret): (&String, &SecretString)| id.is_empty() || secret.expose_secret().is_empty();
        let client = config.client.as_ref().map(|(key, secret)| (key, secret));
        if is_empty((&config.rest_application_id, &config.private_key)) || client.is_some_and(is_empty) {
            return Err(StartError::NoCredentials);
        }
        let (store, ledger) = match &config.state_file {
            None => (None, Ledger::default()),
            Some(path) => {
                let opened = Store::open(path).map_err(|source| StartError::State { path: path.clone(), source });
                let (store, ledger) = opened?;
                (Some(store), ledger)
            }
        };
        let receipt_ids = chance::Ids::of(config.seed);
        let state = State { ledger, store, webhook_url: config.webhook_url.clone(), receipt_ids, ..State::default() };
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
        let mut script = Script::default();
        for name in [&payment.username, &payment.order_name].into_iter().flatten() {
            script.follow_name(name);
        }
        script.follow(&payment.script)?;
        let opening = Opening {
            receipt_id: ReceiptId::parse(self.state().receipt_ids.draw()).map_err(|_| PaymentError::BadOrderId)?,
            order_name: payment.order_name.unwrap_or_default(),
            order_id: payment.order_id,
            price: payment.price,
            outcome: script.outcome.unwrap_or(payment.outcome),
            webhook: script.telling.mode.unwrap_or(payment.webhook),
            webhook_format: script.telling.format.unwrap_or(payment.webhook_format),
            is_kind: script.is_kind.unwrap_or(self.shared.config.is_kind),
            script,
        };
        let entry = self.change(|ledger| ledger.open(opening, chance::now()));
        let script = entry.script.words();
        info!(receipt = %entry.receipt_id, order = entry.order_id, price = entry.price, status = %entry.status, script, "payment");
        let webhook = match entry.status {
            // The provider has nothing to tell until it is confirmed, or of a window that was closed.
            Status::AwaitingApproval | Status::Waiting => Delivery::default(),
            _ => self.tell(&entry).await,
        };
        self.begin_sequels(&entry);
        Ok(Paid { receipt_id: entry.receipt_id, status: entry.status, script, webhook })
    }

    /// Cancels `price` won of a payment in the provider's console, or all that is left. Nobody is told.
    ///
    /// False if the provider's rules forbid it.
    pub fn cancel_in_console(&self, receipt_id: &ReceiptId, price: Option<i64>) -> bool {
        self.cancel(&Wish::in_console(receipt_id.as_str(), price)).is_ok()
    }

    /// Lets a payment that was made follow scripts from now on: those of calls about it, and of a repeated cancel.
    /// False if there is no such payment.
    pub fn script(&self, receipt_id: &ReceiptId, script: &str) -> Result<bool, UnknownScript> {
        Script::default().follow(script)?;
        let followed = self.change(|ledger| ledger.change(receipt_id.as_str(), |entry| entry.follow(script)));
        followed.map_or(Ok(false), |followed| followed.map(|()| true))
    }

    /// Gives a payment any status, whether or not it makes sense, and tells nobody. False if there is no such payment.
    pub fn set_status(&self, receipt_id: &ReceiptId, status: Status) -> bool {
        self.change(|ledger| ledger.change(receipt_id.as_str(), |entry| entry.status = status)).is_some()
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

    /// What was charged and given back, day by day, oldest first.
    pub fn totals(&self) -> Vec<Day> {
        totals::by_day(self.state().ledger.entries())
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
        let State { ledger, store, .. } = &mut *self.state();
        let outcome = change(ledger);
        if let Some(store) = store
            && let Err(cause) = store.save(ledger)
        {
            error!(error = %cause, file = %store.path().display(), "can't write the receipts down");
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

    fn accepts_client(&self, key: &str, secret: &str) -> bool {
        let known = self.shared.config.client.as_ref();
        known.is_some_and(|(known, its_secret)| known == key && its_secret.expose_secret() == secret)
    }

    /// What the outage does to a call of `operation` now.
    fn fate(&self, operation: Operation) -> Fate {
        self.shared.outage.borrow().fate(operation)
    }

    /// What the script of a payment does to the next call of `operation` about it.
    fn scripted_fate(&self, operation: Operation, receipt_id: &str) -> Fate {
        let next = |entry: &mut Entry| entry.script.next_fate(operation);
        self.change(|ledger| ledger.change(receipt_id, next)).flatten().unwrap_or_default()
    }

    /// The longest that any payment of an order lets its look-up wait.
    fn scripted_fate_of_order(&self, order_id: &str) -> Fate {
        let ids: Vec<_> = self.state().ledger.of_order(order_id).iter().map(|entry| entry.receipt_id.clone()).collect();
        let fates = ids.iter().map(|id| self.scripted_fate(Operation::Order, id.as_str()));
        fates.max_by_key(|fate| fate.pause).unwrap_or_default()
    }

    /// Waits until `operation` is out of trouble, though not for ever.
    async fn trouble_is_over(&self, operation: Operation) {
        let mut outage = self.shared.outage.subscribe();
        let over = async {
            loop {
                let ongoing = outage.borrow_and_update().clone();
                if ongoing.fate(operation).trouble == Trouble::None {
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
