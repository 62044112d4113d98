//! The calls. Each takes a deadline for all it does: the token, the call, and one more try where that is harmless.
//!
//! What moves money is repeated after a refused token only, which is certain to have had no effect: whether to call
//! again is for those who keep the record of what was asked. What only asks is tried once more if its connection
//! failed.
//!
//! The trap is a provider that is away: everybody would wait out the same time-out. So a [breaker](crate::breaker)
//! refuses calls for a while, and work that waits for nobody's answer is [undeterred](Client::undeterred).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, debug, field, info_span};

use crate::answer::Answer;
use crate::breaker::Breaker;
use crate::call::{Call, Proof};
use crate::config::is_loopback;
use crate::token::Token;
use crate::{Config, ConfigError, Credentials, Error, Operation, Receipt, ReceiptId, trace};

/// A client of the provider's REST API. Clones share connections, the access token, and what they know of its health.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    watch: Option<Arc<Watch>>,
    is_undeterred: bool,
}

struct Shared {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
    timeout: Duration,
    cancel_timeout: Duration,
    token: Mutex<Option<Token>>,
    breaker: Breaker,
}

type Watch = dyn Fn(&Called) + Send + Sync;

/// How one request to the provider ended, for whoever counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called {
    /// What was asked.
    pub operation: Operation,
    /// `answered`, or the [word](Error::word) for what went wrong.
    pub outcome: &'static str,
    /// How long it took; `None` if nothing was sent.
    pub took: Option<Duration>,
}

/// What is to be given back, in full or in part.
#[derive(Clone, PartialEq, Eq)]
pub struct Cancel {
    /// Of which payment.
    pub receipt_id: ReceiptId,
    /// Our id of this refund, the same for every try of it: the provider acts on it once.
    pub cancel_id: String,
    /// How much, in won: more than nothing, and no more than [`Receipt::remaining`].
    pub price: i64,
    /// Who asks, for the provider's records.
    pub username: String,
    /// Why, for the provider's records.
    pub message: String,
}

/// Without the two texts, which may name a person.
impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel")
            .field("receipt_id", &self.receipt_id)
            .field("cancel_id", &self.cancel_id)
            .field("price", &self.price)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client for these settings. Connects to nothing yet.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let base = config.checked_url()?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("cloudjet/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .redirect(redirect::Policy::none());
        if is_loopback(&base) {
            http = http.no_proxy();
        }
        if base.scheme() == "http" {
            // No TLS will be spoken, so the machine's root certificates need not be found and kept in memory.
            http = http.tls_certs_only([]);
        }
        let shared = Shared {
            http: http.build().map_err(ConfigError::Http)?,
            base,
            credentials: config.credentials.checked()?,
            timeout: config.timeout,
            cancel_timeout: config.cancel_timeout,
            token: Mutex::new(None),
            breaker: Breaker::new(config.outages, config.rest),
        };
        Ok(Self { shared: Arc::new(shared), watch: None, is_undeterred: false })
    }

    /// The same client, which tells `watch` how each of its requests ended.
    #[must_use]
    pub fn watched(self, watch: impl Fn(&Called) + Send + Sync + 'static) -> Self {
        Self { watch: Some(Arc::new(watch)), ..self }
    }

    /// The same client for work that must get done and that nobody waits for: it calls also while others
    /// [fail fast](Self::is_failing_fast), and so finds out early that the provider is back.
    #[must_use]
    pub fn undeterred(&self) -> Self {
        Self { is_undeterred: true, ..self.clone() }
    }

    /// Whether calls fail at once ([`Error::NotTried`]) because the provider has been away lately.
    pub fn is_failing_fast(&self) -> bool {
        self.shared.breaker.is_open()
    }

    /// What the provider says of one payment now, or `None` if it says that there is no such payment.
    pub async fn receipt(&self, receipt_id: &ReceiptId) -> Result<Option<Receipt>, Error> {
        let call = Call::get(Operation::Receipt, "receipt/{receipt_id}", &["receipt", receipt_id.as_str()]);
        let found = match self.perform(&call, self.shared.timeout).await {
            Err(error) if error.says_not_found() => return Ok(None),
            answer => Receipt::from_json(&answer?)?,
        };
        same_receipt(found, receipt_id).map(Some)
    }

    /// All payments that were made for one order; none if the provider doesn't know the order.
    ///
    /// More than one is normal: a declined card and a second try, or two tabs paying at once.
    pub async fn order(&self, order_id: &str) -> Result<Vec<Receipt>, Error> {
        if matches!(order_id, "" | "." | "..") {
            // Such a name would change the address; no order has one.
            return Ok(Vec::new());
        }
        let call = Call::get(Operation::Order, "lookup/order/{order_id}", &["lookup", "order", order_id]);
        let found = match self.perform(&call, self.shared.timeout).await {
            Err(error) if error.says_not_found() => return Ok(Vec::new()),
            answer => answer?,
        };
        let Value::Array(found) = found else {
            return Err(Error::Unreadable("an order look-up that is no array"));
        };
        let mut receipts = Vec::with_capacity(found.len());
        for receipt in &found {
            receipts.push(Receipt::from_json(receipt)?);
        }
        receipts.retain(|receipt| receipt.order_id == order_id);
        Ok(receipts)
    }

    /// Approves a payment that waits for us ([`AwaitingApproval`](crate::Status::AwaitingApproval)), and answers with
    /// the receipt as it is then. Compare its status, price and order id before believing that it is paid.
    pub async fn confirm(&self, receipt_id: &ReceiptId) -> Result<Receipt, Error> {
        let call = Call::post(Operation::Confirm, "confirm", json!({ "receipt_id": receipt_id }));
        self.settle(&call, receipt_id).await
    }

    /// Gives money back, and answers with the receipt as it is then.
    ///
    /// The same `cancel_id` takes effect once. A repeated one may be answered with the first result or be refused,
    /// depending on the provider's mood: so after any error that is not [definite](Error::is_definite), and before any
    /// repetition, look the receipt up and compare [`Receipt::cancelled_price`].
    pub async fn cancel(&self, cancel: &Cancel) -> Result<Receipt, Error> {
        if cancel.price <= 0 {
            return Err(Error::NotAnAmount(cancel.price));
        }
        let body = json!({
            "receipt_id": cancel.receipt_id,
            "cancel_id": cancel.cancel_id,
            "cancel_price": cancel.price,
            "cancel_tax_free": 0,
            "cancel_username": cancel.username,
            "cancel_message": cancel.message,
        });
        let call = Call::post(Operation::Cancel, "cancel", body);
        self.settle(&call, &cancel.receipt_id).await
    }

    /// Performs a call that moves money. If it succeeded with an answer that is no whole receipt, a look-up tells the
    /// rest; should that fail, too, the outcome stays in doubt.
    async fn settle(&self, call: &Call, receipt_id: &ReceiptId) -> Result<Receipt, Error> {
        let outcome = self
            .perform(call, self.shared.cancel_timeout)
            .await
            .and_then(|answer| Receipt::from_json(&answer))
            .and_then(|receipt| same_receipt(receipt, receipt_id));
        match outcome {
            Err(Error::Unreadable(what)) => match self.receipt(receipt_id).await {
                Ok(Some(receipt)) => Ok(receipt),
                Ok(None) | Err(_) => Err(Error::Unreadable(what)),
            },
            outcome => outcome,
        }
    }

    /// One call of the API, all of it within `patience`; none while the provider is known to be away.
    async fn perform(&self, call: &Call, patience: Duration) -> Result<Value, Error> {
        let started = Instant::now();
        let Some(pass) = self.shared.breaker.admit(self.is_undeterred, started) else {
            self.tell(call, Error::NotTried.word(), None);
            return Err(Error::NotTried);
        };
        let span = info_span!(
            "bootpay",
            otel.kind = "client",
            otel.name = format!("{} {}", call.method, call.template),
            otel.status_code = field::Empty,
            server.address = self.shared.base.host_str(),
            http.request.method = %call.method,
            url.template = call.template,
            http.response.status_code = field::Empty,
        );
        let outcome = self.authorised(call, started + patience).instrument(span).await;
        pass.ended(outcome.as_ref().is_err_and(Error::is_outage), Instant::now());
        outcome
    }

    /// One call with our credentials; with a token of them and, should that be refused, with a fresh one.
    async fn authorised(&self, call: &Call, deadline: Instant) -> Result<Value, Error> {
        let (id, private_key) = match &self.shared.credentials {
            Credentials::Client { key, secret } => {
                return self.exchange(call, Proof::Client { key, secret }, deadline).await;
            }
            Credentials::Application { id, private_key } => (id, private_key),
        };
        let token = self.token(id, private_key, None, deadline).await?;
        match self.exchange(call, Proof::Token(&token.value), deadline).await {
            Err(error) if error.refuses_the_token() => {
                let token = self.token(id, private_key, Some(token.number), deadline).await?;
                self.exchange(call, Proof::Token(&token.value), deadline).await
            }
            outcome => outcome,
        }
    }

    /// A token that is good, and is not the one numbered `refused`.
    async fn token(
        &self,
        application_id: &str,
        private_key: &SecretString,
        refused: Option<u64>,
        deadline: Instant,
    ) -> Result<Token, Error> {
        let mut kept = timeout_at(deadline, self.shared.token.lock()).await.map_err(|_| Error::TimedOut)?;
        let now = Instant::now();
        if let Some(token) = kept.as_ref().filter(|token| token.is_good(now, refused)) {
            return Ok(token.clone());
        }
        let body = json!({ "application_id": application_id, "private_key": private_key.expose_secret() });
        let call = Call::post(Operation::Token, "request/token", body);
        let number = kept.as_ref().map_or(1, |token| token.number + 1);
        let answer = self.exchange(&call, Proof::Nothing, deadline).await?;
        let token = Token::from_json(&answer, number, now)?;
        *kept = Some(token.clone());
        Ok(token)
    }

    /// One request and its answer; twice if the connection failed and nothing can have moved.
    async fn exchange(&self, call: &Call, proof: Proof<'_>, deadline: Instant) -> Result<Value, Error> {
        match self.send(call, proof, deadline).await {
            Err(Error::Unreachable(_) | Error::AnswerLost(_)) if !call.operation.moves_money() => {
                self.send(call, proof, deadline).await
            }
            outcome => outcome,
        }
    }

    /// One request and its answer, with its line in the log: never a body, an id or a secret.
    async fn send(&self, call: &Call, proof: Proof<'_>, deadline: Instant) -> Result<Value, Error> {
        let url = call.url(&self.shared.base)?;
        let mut request = proof.on(self.shared.http.request(call.method.clone(), url).headers(trace::headers()));
        if let Some(body) = &call.body {
            request = request.json(body);
        }

        let started = Instant::now();
        let answer =
            timeout_at(deadline, async { Answer::read(request.send().await.map_err(Error::from_http)?).await })
                .await
                .unwrap_or(Err(Error::TimedOut));

        let status = answer.as_ref().ok().map(Answer::status);
        let outcome = answer.and_then(Answer::into_json);
        let span = Span::current();
        span.record("http.response.status_code", status);
        if status.is_none_or(|status| status >= 500) {
            span.record("otel.status_code", "ERROR");
        }
        let took = started.elapsed();
        debug!(
            method = %call.method,
            path = call.template,
            status,
            duration_ms = took.as_millis(),
            error = outcome.as_ref().err().map(field::display),
            "called the payment provider"
        );
        self.tell(call, outcome.as_ref().map_or_else(Error::word, |_| "answered"), Some(took));
        outcome
    }

    fn tell(&self, call: &Call, outcome: &'static str, took: Option<Duration>) {
        if let Some(watch) = &self.watch {
            watch(&Called { operation: call.operation, outcome, took });
        }
    }
}

fn same_receipt(receipt: Receipt, asked: &ReceiptId) -> Result<Receipt, Error> {
    if receipt.receipt_id == *asked { Ok(receipt) } else { Err(Error::Unreadable("the receipt of another payment")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_no_person_and_no_secret() {
        let cancel = Cancel {
            receipt_id: ReceiptId::parse("624c1c5c1fc19202e4746ce5").unwrap(),
            cancel_id: "refund-1".to_owned(),
            price: 1000,
            username: "홍길동".to_owned(),
            message: "홍길동 님의 요청".to_owned(),
        };
        let config = Config::new("http://127.0.0.1:1/v2", "id", SecretString::from("hush"));
        let printed = format!("{cancel:?} {:?}", Client::new(config).unwrap());

        assert!(!printed.contains('홍') && !printed.contains("hush"), "{printed}");
    }
}
