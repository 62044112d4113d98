//! The webhook, as the provider sends it: until the answer is 200 with `{"success": true}`, and some times at most.
//!
//! A repetition carries the very same bytes. It may arrive after newer ones, as it may from the provider.

use std::time::Duration;

use reqwest::{Url, header, redirect};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{info, warn};

use super::ledger::Entry;
use crate::{ReceiptId, Status, signature};

/// Whether webhooks are sent, and with a signature or without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Without a signature, as the provider documents it.
    #[default]
    Unsigned,
    /// With a `Bootpay-Signature` header.
    Signed,
    /// Not at all: a webhook that got lost.
    None,
}

/// What a webhook's body looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `application/json`.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// How an attempt to deliver a webhook ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Whether the answer was 200 with `{"success": true}`.
    pub delivered: bool,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
}

/// One webhook, ready to be sent as often as it takes.
#[derive(Clone)]
pub(super) struct Event {
    /// The payment it tells of.
    pub(super) receipt_id: ReceiptId,
    url: String,
    body: String,
    content_type: &'static str,
    signature: Option<String>,
}

impl Event {
    /// The event that tells `url` of `entry` as it is now; `None` if none is wanted.
    pub(super) fn new(entry: &Entry, mode: Mode, format: Format, key: &SecretString, url: String) -> Option<Self> {
        if mode == Mode::None {
            return None;
        }
        let mut fields = entry.to_json();
        if let Some(kind) = kind(entry).filter(|_| !entry.script.telling.is_untyped) {
            fields["webhook_type"] = kind.into();
        }
        let (body, content_type) = match format {
            Format::Json => (fields.to_string(), "application/json"),
            Format::Form => (form(&fields), "application/x-www-form-urlencoded"),
        };
        let signature = match mode {
            Mode::Signed => signature::sign(key, body.as_bytes()),
            Mode::Unsigned | Mode::None => None,
        };
        Some(Self { receipt_id: entry.receipt_id.clone(), url, body, content_type, signature })
    }

    /// One attempt.
    pub(super) async fn send(&self, http: &reqwest::Client) -> Delivery {
        let url = &self.url;
        let mut request = http.post(url).header(header::CONTENT_TYPE, self.content_type).body(self.body.clone());
        if let Some(signature) = &self.signature {
            request = request.header("Bootpay-Signature", signature);
        }
        match request.send().await {
            Err(error) => {
                warn!(url, error = %error.without_url(), "webhook not delivered");
                Delivery::default()
            }
            Ok(response) => {
                let status = response.status().as_u16();
                let answer: Option<Value> = response.json().await.ok();
                let success = answer.and_then(|json| json.get("success")?.as_bool());
                let delivered = status == 200 && success == Some(true);
                info!(url, status, delivered, "webhook");
                Delivery { delivered, status: Some(status) }
            }
        }
    }
}

/// A client for webhooks. They go to services on this machine or network, so no proxy is used.
pub(super) fn http_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(Duration::from_secs(15)).build()
}

/// The provider documents types for what went well; of a decline only the status tells.
fn kind(entry: &Entry) -> Option<&'static str> {
    match entry.status {
        Status::Paid => Some("PAYMENT_COMPLETED"),
        Status::AccountIssued => Some("PAYMENT_VIRTUAL_ACCOUNT_ISSUED"),
        Status::Cancelled if entry.remaining() == 0 => Some("PAYMENT_CANCELLED"),
        Status::Cancelled => Some("PAYMENT_PARTIAL_CANCELLED"),
        _ => None,
    }
}

fn form(fields: &Value) -> String {
    let pairs = fields.as_object().into_iter().flatten();
    let pairs = pairs.filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::String(text) => Some((name.as_str(), text.clone())),
        other => Some((name.as_str(), other.to_string())),
    });
    // The query of an address is written in the very form that is wanted.
    Url::parse_with_params("http://form.invalid/", pairs)
        .ok()
        .and_then(|url| url.query().map(str::to_owned))
        .unwrap_or_default()
}
