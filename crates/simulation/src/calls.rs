//! What clients ask for, and what an answer promises them.

use std::fmt;

use axum::body::Bytes;
use axum::http::{HeaderName, Method};
use serde_json::Value;
use testkit::Client;

use crate::process::{KEY, Services};
use crate::town::What;

/// Which service is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    Booking,
    Payment,
    Admin,
}

/// What somebody wants by a call.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    Book { person: usize, passengers: i64 },
    Begin { person: usize, amount: i64, what: What },
    Confirm,
    Attach,
    Cancel { number: String },
    RefundPart { amount: i64 },
    Ground { schedule: i64 },
    Tell,
}

/// A request, as its client keeps it to ask again.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) session: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) purpose: Purpose,
    /// What it is, in words.
    pub(crate) words: String,
}

/// An answer, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) bytes: Bytes,
}

impl Call {
    /// Makes the call.
    pub(crate) async fn make(self, services: Services) -> Reply {
        let client = match self.service {
            Service::Booking => &services.booking,
            Service::Payment => &services.payment,
            Service::Admin => &services.admin,
        };
        let client = self.dressed(client);
        let (content_type, body) = match &self.body {
            Some(body) => (Some("application/json"), body.to_string()),
            None => (None, String::new()),
        };
        let answer = client.send(self.method, &self.path, content_type, body.into()).await;
        Reply { status: answer.status.as_u16(), bytes: answer.bytes }
    }

    fn dressed(&self, client: &Client) -> Client {
        let mut client = client.clone();
        if let Some(session) = &self.session {
            client = client.signed_in(session);
        }
        if let Some(key) = &self.key {
            client = client.keyed(key);
        }
        if let (Purpose::Tell, Some(body)) = (&self.purpose, &self.body) {
            let signature = bootpay::signature::sign(&KEY.into(), body.to_string().as_bytes()).unwrap_or_default();
            client = client.with(HeaderName::from_static("bootpay-signature"), &signature);
        }
        client
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

impl Reply {
    /// Whether it says that it was done.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.status, 200 | 201)
    }

    /// Whether its client knows no more than before, and asks again.
    pub(crate) fn is_open(&self) -> bool {
        self.status == 202 || self.status >= 500 || self.code() == "idempotency-key-in-flight"
    }

    /// Its body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// Its code, where it is a refusal.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// What an answer promised.
#[derive(Clone, Debug)]
pub(crate) enum Promise {
    /// A booking exists, with so many passengers.
    Booked { booking_id: i64, number: String, passengers: i64 },
    /// A payment exists.
    Begun { order_id: String },
    /// A payment was made.
    Paid { order_id: String },
    /// A booking is over, and so much goes back, where it was said.
    Cancelled { number: String, refund: Option<i64> },
    /// So much goes back, under this id.
    Refunded { refund_id: String, amount: i64 },
    /// A schedule isn't flown.
    Grounded { schedule: i64 },
}

impl Promise {
    /// What an answer to a call promises.
    pub(crate) fn of(purpose: &Purpose, reply: &Reply) -> Option<Self> {
        let body = reply.json();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match purpose {
            _ if !reply.is_done() => None,
            Purpose::Book { passengers, .. } => Some(Self::Booked {
                booking_id: body["booking_id"].as_i64()?,
                number: text(&body["booking_number"])?,
                passengers: *passengers,
            }),
            Purpose::Begin { .. } => Some(Self::Begun { order_id: text(&body["order_id"])? }),
            Purpose::Confirm => Some(Self::Paid { order_id: text(&body["payment"]["order_id"])? }),
            Purpose::Cancel { number } => {
                Some(Self::Cancelled { number: number.clone(), refund: body["refund_amount"].as_i64() })
            }
            Purpose::RefundPart { amount } => {
                Some(Self::Refunded { refund_id: text(&body["refund"]["refund_id"])?, amount: *amount })
            }
            Purpose::Ground { schedule } => Some(Self::Grounded { schedule: *schedule }),
            Purpose::Attach | Purpose::Tell => None,
        }
    }
}
