//! The calls. Each takes a deadline for all it does: the token, the call, and one more try with a fresh token.
//!
//! Nothing is repeated here except after a 401, which is certain to have had no effect: whether to call again is for
//! those who keep the record of what was asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, debug, field, info_span};

use crate::answer::Answer;
use crate::config::is_loopback;
use crate::token::Token;
use crate::{Config, ConfigError, Error, Receipt, ReceiptId, trace};

/// A client of the provider's REST API. Clones share connections and the access token.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    base: Url,
    rest_application_id: String,
    private_key: SecretString,
    timeout: Duration,
    cancel_timeout: Duration,
    token: Mutex<Option<Token>>,
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
            rest_application_id: config.rest_application_id.trim().to_owned(),
            private_key: config.private_key,
            timeout: config.timeout,
            cancel_timeout: config.cancel_timeout,
            token: Mutex::new(None),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What the provider says of one payment now, or `None` if it says that there is no such payment.
    pub async fn receipt(&self, receipt_id: &ReceiptId) -> Result<Option<Receipt>, Error> {
        let call = Call::get("receipt/{receipt_id}", &["receipt", receipt_id.as_str()]);
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
        let call = Call::get("lookup/order/{order_id}", &["lookup", "order", order_id]);
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
        let call = Call::post("confirm", &["confirm"], json!({ "receipt_id": receipt_id }));
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
        let call = Call::post("cancel", &["cancel"], body);
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

    /// One call of the API, all of it within `patience`.
    async fn perform(&self, call: &Call, patience: Duration) -> Result<Value, Error> {
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
        let deadline = Instant::now() + patience;
        async {
            let token = self.token(None, deadline).await?;
            match self.exchange(call, Some(&token), deadline).await {
                Err(error) if error.refuses_the_token() => {
                    let token = self.token(Some(token.number), deadline).await?;
                    self.exchange(call, Some(&token), deadline).await
                }
                outcome => outcome,
            }
        }
        .instrument(span)
        .await
    }

    /// A token that is good, and is not the one numbered `refused`.
    async fn token(&self, refused: Option<u64>, deadline: Instant) -> Result<Token, Error> {
        let mut kept = timeout_at(deadline, self.shared.token.lock()).await.map_err(|_| Error::TimedOut)?;
        let now = Instant::now();
        if let Some(token) = kept.as_ref().filter(|token| token.is_good(now, refused)) {
            return Ok(token.clone());
        }
        let body = json!({
            "application_id": self.shared.rest_application_id,
            "private_key": self.shared.private_key.expose_secret(),
        });
        let call = Call::post("request/token", &["request", "token"], body);
        let number = kept.as_ref().map_or(1, |token| token.number + 1);
        let answer = self.exchange(&call, None, deadline).await?;
        let token = Token::from_json(&answer, number, now)?;
        *kept = Some(token.clone());
        Ok(token)
    }

    /// One request and its answer, with its line in the log: never a body, an id or a secret.
    async fn exchange(&self, call: &Call, token: Option<&Token>, deadline: Instant) -> Result<Value, Error> {
        let url = call.url(&self.shared.base)?;
        let mut request = self.shared.http.request(call.method.clone(), url).headers(trace::headers());
        if let Some(token) = token {
            request = request.bearer_auth(token.value.expose_secret());
        }
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
        debug!(
            method = %call.method,
            path = call.template,
            status,
            duration_ms = started.elapsed().as_millis(),
            error = outcome.as_ref().err().map(field::display),
            "called the payment provider"
        );
        outcome
    }
}

fn same_receipt(receipt: Receipt, asked: &ReceiptId) -> Result<Receipt, Error> {
    if receipt.receipt_id == *asked { Ok(receipt) } else { Err(Error::Unreadable("the receipt of another payment")) }
}

/// A call before it is sent.
struct Call {
    method: Method,
    /// The path with its placeholders, for logs.
    template: &'static str,
    /// The path's parts, not yet encoded.
    path: Vec<String>,
    body: Option<Value>,
}

impl Call {
    fn get(template: &'static str, path: &[&str]) -> Self {
        Self { method: Method::GET, template, path: path.iter().copied().map(str::to_owned).collect(), body: None }
    }

    fn post(template: &'static str, path: &[&str], body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(template, path) }
    }

    /// The address below `base`, each part of the path percent-encoded.
    fn url(&self, base: &Url) -> Result<Url, Error> {
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Unreadable("an address without a path"))?
            .pop_if_empty()
            .extend(&self.path);
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_every_part_of_the_path() {
        let call = Call::get("lookup/order/{order_id}", &["lookup", "order", "a/b?c#d%e f"]);
        for base in ["https://api.bootpay.co.kr/v2", "https://api.bootpay.co.kr/v2/"] {
            let url = call.url(&Url::parse(base).unwrap()).unwrap();
            assert_eq!(url.as_str(), "https://api.bootpay.co.kr/v2/lookup/order/a%2Fb%3Fc%23d%25e%20f");
        }
    }

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
