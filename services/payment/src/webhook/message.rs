//! What a message says, read tolerantly where senders differ and strictly where money is meant.
//!
//! Names come in two spellings and numbers also as texts. Of a message that isn't signed only the receipt's id is
//! used, so what else it says is looked at only when it [counts](Message::facts).

use bootpay::{ReceiptId, Status};
use common::error::ApiError;
use common::http::wire::required;
use common::money::Money;
use orders::charges::{Facts, Outcome};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::notification::malformed;

/// The deepest a message may be nested. The provider's has one level; a database stops at 32.
const DEEPEST: usize = 16;

/// What the provider says of a payment. Every number may also be a text.
#[derive(Deserialize, ToSchema)]
pub(crate) struct WebhookMessage {
    /// Our id of the order.
    #[schema(value_type = Option<String>, example = "CJ-ORD-7-10000001-0f3a9c2e")]
    order_id: Option<Scalar>,
    /// Its other spelling.
    #[serde(rename = "orderId")]
    #[schema(value_type = Option<String>)]
    order_id_in_camel_case: Option<Scalar>,
    /// The provider's id of the payment.
    #[schema(value_type = Option<String>, example = "624c1c5c1fc19202e4746ce5")]
    receipt_id: Option<Scalar>,
    /// Its other spelling.
    #[serde(rename = "receiptId")]
    #[schema(value_type = Option<String>)]
    receipt_id_in_camel_case: Option<Scalar>,
    /// Where it stands: the provider's number, or a word (`PAID`, `CANCELLED`, `FAILED`).
    #[schema(value_type = Option<i32>, example = 1)]
    status: Option<Scalar>,
    /// The same as a word, where `status` is absent.
    #[schema(value_type = Option<String>)]
    status_en: Option<Scalar>,
    /// What was to be paid, in won.
    #[schema(value_type = Option<i64>, example = 640_000)]
    price: Option<Scalar>,
    /// Its other name.
    #[schema(value_type = Option<i64>)]
    amount: Option<Scalar>,
    /// What was given back so far, in won.
    #[schema(value_type = Option<i64>, example = 0)]
    cancelled_price: Option<Scalar>,
    /// Its other name.
    #[schema(value_type = Option<i64>)]
    cancel_price: Option<Scalar>,
    /// What happened: `PAYMENT_COMPLETED`, `PAYMENT_CANCELLED`, `PAYMENT_PARTIAL_CANCELLED`, …
    #[schema(value_type = Option<String>, example = "PAYMENT_COMPLETED")]
    webhook_type: Option<Scalar>,
}

/// A number or a text. Anything else says nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(Number),
    Text(String),
    Other(IgnoredAny),
}

impl Scalar {
    /// What it says, unless that is blank.
    fn said(&self) -> Option<String> {
        let text = match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
            Self::Other(_) => return None,
        };
        (!text.is_empty()).then_some(text)
    }
}

/// A message that was read: it names an order.
pub(super) struct Message {
    pub(super) order_id: String,
    /// What happened, as the provider calls it.
    pub(super) kind: Option<String>,
    /// The message as JSON, but for what must not be kept.
    pub(super) payload: Value,
    receipt_id: Option<String>,
    fields: WebhookMessage,
}

impl Message {
    pub(super) fn new(mut said: Map<String, Value>) -> Result<Self, ApiError> {
        // Old senders tell the merchant their own key.
        said.remove("private_key");
        let payload = Value::Object(said);
        if depth(&payload) > DEEPEST {
            return Err(malformed());
        }
        let fields = WebhookMessage::deserialize(&payload).map_err(|_| malformed())?;
        let order_id = either([&fields.order_id, &fields.order_id_in_camel_case]);
        let receipt_id = either([&fields.receipt_id, &fields.receipt_id_in_camel_case]);
        let kind = fields.webhook_type.as_ref().and_then(Scalar::said);
        Ok(Self { order_id: required(order_id, "order_id")?, kind, payload, receipt_id, fields })
    }

    /// The receipt it names, if that can be one.
    pub(super) fn receipt_id(&self) -> Option<ReceiptId> {
        self.receipt_id.clone().and_then(|id| ReceiptId::parse(id).ok())
    }

    /// What it says, for one whose word counts.
    pub(super) fn facts(&self) -> Result<Facts, ApiError> {
        let status = either([&self.fields.status, &self.fields.status_en]);
        let (change, code) = Change::read(&required(status, "status")?);
        let price = won(either([&self.fields.price, &self.fields.amount]), "price")?;
        let cancelled = won(either([&self.fields.cancelled_price, &self.fields.cancel_price]), "cancelled_price")?;
        let (receipt_id, amount, cancelled, outcome) = match (change, cancelled.filter(|won| *won > 0)) {
            (Change::Paid, cancelled) => (self.receipt()?, required(price, "price")?, cancelled, Outcome::Paid),
            // How much was cancelled it can't say.
            (Change::Cancelled, None) if self.is_partial() => (self.receipt()?, 0, None, Outcome::Open),
            (Change::Cancelled, cancelled) => {
                let price = required(price, "price")?;
                (self.receipt()?, price, cancelled.or(Some(price)), Outcome::Paid)
            }
            (Change::Failed, _) => (self.receipt_or_stand_in(), price.unwrap_or_default(), None, Outcome::Failed),
            (Change::Nothing, _) => (self.receipt_or_stand_in(), price.unwrap_or_default(), None, Outcome::Open),
        };
        let cancelled = cancelled.unwrap_or_default();
        if cancelled > amount {
            return Err(not_an_amount("cancelled_price"));
        }
        Ok(Facts {
            receipt_id,
            order_id: self.order_id.clone(),
            amount: Money::won(amount),
            cancelled: Money::won(cancelled),
            outcome,
            was_charged: (code == Status::Paid.code()).then_some(true),
            raw_status: code,
        })
    }

    /// The receipt that money was taken on: without one there is none.
    fn receipt(&self) -> Result<String, ApiError> {
        let receipt_id = required(self.receipt_id.clone(), "receipt_id")?;
        let refused = |_| ApiError::invalid("receipt_id", "영수증 번호가 올바르지 않습니다.", "Is no receipt's id.");
        ReceiptId::parse(receipt_id).map(|id| id.as_str().to_owned()).map_err(refused)
    }

    /// The receipt, or what stands for it where no money was taken: one for each order.
    fn receipt_or_stand_in(&self) -> String {
        let stand_in = || format!("none-{}", digest(&self.order_id));
        self.receipt_id().map_or_else(stand_in, |id| id.as_str().to_owned())
    }

    fn is_partial(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("PAYMENT_PARTIAL_CANCELLED"))
    }
}

/// What a status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Paid,
    Cancelled,
    Failed,
    Nothing,
}

impl Change {
    /// What `status` means, a number or a word in any case, and the provider's number for it.
    fn read(status: &str) -> (Self, i32) {
        match whole(status).map(|code| i32::try_from(code).unwrap_or_default()) {
            Some(code) => match Status::from_code(code) {
                // Two are negative, but of a payment that was made: its money isn't back.
                Status::Paid | Status::CancelFailed | Status::Cancelling => (Self::Paid, code),
                Status::Cancelled => (Self::Cancelled, code),
                _ if code < 0 => (Self::Failed, code),
                _ => (Self::Nothing, code),
            },
            None => match status.to_ascii_uppercase().as_str() {
                "PAID" | "COMPLETE" | "SUCCESS" | "DONE" => (Self::Paid, Status::Paid.code()),
                "CANCELLED" => (Self::Cancelled, Status::Cancelled.code()),
                "FAILED" | "ERROR" => (Self::Failed, Status::ApprovalFailed.code()),
                _ => (Self::Nothing, Status::Waiting.code()),
            },
        }
    }
}

/// What the first of two fields says, else the second.
fn either(fields: [&Option<Scalar>; 2]) -> Option<String> {
    fields.into_iter().flatten().find_map(Scalar::said)
}

/// A whole number written as 1000 or 1000.0.
fn whole(text: &str) -> Option<i64> {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if zeros.bytes().all(|b| b == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    digits.parse().ok()
}

/// An amount, if there is one.
fn won(text: Option<String>, field: &'static str) -> Result<Option<i64>, ApiError> {
    let read = |text: String| whole(&text).filter(|won| *won >= 0).ok_or_else(|| not_an_amount(field));
    text.map(read).transpose()
}

/// 400: no amount that was ever paid.
pub(super) fn not_an_amount(field: &'static str) -> ApiError {
    ApiError::invalid(field, "올바른 금액이 아닙니다.", "Is not an amount that can be.")
}

fn depth(value: &Value) -> usize {
    let below = match value {
        Value::Array(values) => values.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        _ => return 0,
    };
    1 + below.unwrap_or_default()
}

/// A short text that stands for a long one: 32 hexadecimal digits.
pub(super) fn digest(text: &str) -> String {
    let hash = Sha256::digest(text);
    format!("{:032x}", u128::from_be_bytes(*hash.first_chunk().unwrap_or(&[0; 16])))
}
