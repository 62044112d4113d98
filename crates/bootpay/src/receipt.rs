//! What the provider says of one payment, parsed tolerantly where its form varies and strictly where money is meant.
//!
//! Numbers come as integers, as floats with `.0` and as strings; fields come and go between versions. Unknown fields
//! are ignored, and so are the buyer's card and name: they never enter our memory. What decides (id, order, price,
//! status) must be there and make sense, else the answer is [`Error::Unreadable`].
//!
//! The trap is a missing `cancelled_price`. It means that nothing was cancelled, *unless* the status says cancelled
//! (20): a sender that gives no amount then means all of it. See [`Receipt::cancelled_price`].

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error as ThisError;

use crate::{Error, Status};

/// The provider's id of one payment: 24 hexadecimal digits from the real one, up to 64 visible ASCII characters here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ReceiptId(String);

impl ReceiptId {
    /// The longest id, which is what the `payments` table has room for.
    pub const MAX_LEN: usize = 64;

    /// Takes `text` for an id, if it can be one.
    pub fn parse(text: impl Into<String>) -> Result<Self, ReceiptIdError> {
        let text = text.into();
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        // Dots alone would climb the path of the address they are put into.
        if fits && text.bytes().all(|b| b.is_ascii_graphic()) && text != "." && text != ".." {
            Ok(Self(text))
        } else {
            Err(ReceiptIdError)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ReceiptId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ReceiptId {
    type Error = ReceiptIdError;

    fn try_from(text: String) -> Result<Self, ReceiptIdError> {
        Self::parse(text)
    }
}

impl std::str::FromStr for ReceiptId {
    type Err = ReceiptIdError;

    fn from_str(text: &str) -> Result<Self, ReceiptIdError> {
        Self::parse(text)
    }
}

/// The text can't be the id of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("a receipt id is 1 to 64 visible ASCII characters")]
pub struct ReceiptIdError;

/// One payment as the provider sees it at the moment of asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The provider's id of the payment.
    pub receipt_id: ReceiptId,
    /// Our id of the order, as the browser gave it to the provider. Compare it: a buyer can change it.
    pub order_id: String,
    /// What the buyer paid, or is to pay, in won. Compare it, too.
    pub price: i64,
    /// What was given back so far, in won, all cancels together: 0 to [`price`](Self::price).
    ///
    /// Where the provider gives no amount: everything if the status is [`Cancelled`](Status::Cancelled), else nothing.
    /// An amount that is given counts as it stands, also a 0 beside a cancelled status: should that be wrong, our
    /// refund is refused and an operator looks, while the opposite error would keep a buyer's money unseen.
    pub cancelled_price: i64,
    /// Where the payment stands.
    pub status: Status,
    /// How it was paid, in the provider's words, like `카드` or `card`.
    pub method: Option<String>,
    /// The same as a symbol, like `card` or `vbank`.
    pub method_symbol: Option<String>,
    /// Who processed it, in the provider's words, like `나이스페이먼츠`.
    pub pg: Option<String>,
    /// When it was asked for, for information.
    pub requested_at: Option<DateTime<Utc>>,
    /// When it was paid; `None`: it never was, whatever was cancelled of it. The instant is for information.
    pub purchased_at: Option<DateTime<Utc>>,
    /// When it was last cancelled, for information.
    pub cancelled_at: Option<DateTime<Utc>>,
}

impl Receipt {
    /// Reads a receipt from the provider's JSON, or says what made it [`Unreadable`](Error::Unreadable).
    pub fn from_json(json: &Value) -> Result<Self, Error> {
        let fields = json.as_object().ok_or(Error::Unreadable("a receipt that is no object"))?;
        let field = |name: &str| fields.get(name).filter(|value| !value.is_null());

        let receipt_id = field("receipt_id")
            .and_then(text)
            .and_then(|id| ReceiptId::parse(id).ok())
            .ok_or(Error::Unreadable("a receipt without a usable receipt_id"))?;
        let order_id = field("order_id").and_then(text).ok_or(Error::Unreadable("a receipt without an order_id"))?;
        let status = field("status")
            .and_then(whole_number)
            .and_then(|code| i32::try_from(code).ok())
            .map(Status::from_code)
            .ok_or(Error::Unreadable("a receipt without a numeric status"))?;
        let price = field("price")
            .and_then(whole_number)
            .filter(|price| *price >= 0)
            .ok_or(Error::Unreadable("a receipt without a price in whole won"))?;
        let cancelled_price = match field("cancelled_price") {
            Some(value) => whole_number(value)
                .filter(|cancelled| (0..=price).contains(cancelled))
                .ok_or(Error::Unreadable("a cancelled_price that is not between nothing and the price"))?,
            None if status.is_cancelled() => price,
            None => 0,
        };

        Ok(Self {
            receipt_id,
            order_id,
            price,
            cancelled_price,
            status,
            method: field("method").and_then(text),
            method_symbol: field("method_symbol").and_then(text),
            pg: field("pg").and_then(text),
            requested_at: field("requested_at").and_then(instant),
            purchased_at: field("purchased_at").and_then(instant),
            cancelled_at: field("cancelled_at").and_then(instant),
        })
    }

    /// What is left of the price, in won: the most that can still be cancelled.
    pub fn remaining(&self) -> i64 {
        self.price - self.cancelled_price
    }

    /// Whether it was paid by a transfer to a virtual account: it can only be given back to a bank account of the buyer's.
    pub fn is_virtual_account(&self) -> bool {
        let said = [&self.method, &self.method_symbol];
        said.into_iter().flatten().any(|method| matches!(method.as_str(), "가상계좌" | "vbank" | "virtual_account"))
    }

    /// Whether all of the price was given back.
    pub fn is_fully_cancelled(&self) -> bool {
        self.status.is_cancelled() && self.remaining() == 0
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A whole number that is written as 1000, 1000.0, "1000" or "1000.0".
pub(crate) fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole_float)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse().ok().and_then(whole_float))
        }
        _ => None,
    }
}

fn whole_float(number: f64) -> Option<i64> {
    /// Beyond this, 2^53, floats skip whole numbers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        // Without a conversion that could cut: `f64` prints every whole number below 2^53 exactly.
        format!("{number:.0}").parse().ok()
    } else {
        None
    }
}

/// An instant with its offset. Another form is ignored: instants inform, and only that one is there ever decides.
fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn receipt(changes: &Value) -> Result<Receipt, Error> {
        let mut json = json!({
            "receipt_id": "624c1c5c1fc19202e4746ce5",
            "order_id": "CJ-ORD-1-10000001-0a1b2c3d",
            "price": 150_000,
            "status": 1,
            "method": "카드",
            "pg": "나이스페이먼츠",
            "purchased_at": "2026-11-21T16:00:00+09:00",
            "card_data": {"card_no": "5365********1234"},
        });
        for (name, value) in changes.as_object().unwrap() {
            json[name] = value.clone();
        }
        Receipt::from_json(&json)
    }

    #[test]
    fn reads_what_decides() {
        let receipt = receipt(&json!({})).unwrap();

        assert_eq!(receipt.receipt_id.as_str(), "624c1c5c1fc19202e4746ce5");
        assert_eq!(receipt.order_id, "CJ-ORD-1-10000001-0a1b2c3d");
        assert_eq!((receipt.price, receipt.cancelled_price), (150_000, 0));
        assert_eq!(receipt.status, Status::Paid);
        assert_eq!(receipt.purchased_at.unwrap().to_rfc3339(), "2026-11-21T07:00:00+00:00");
    }

    #[test]
    fn takes_numbers_in_every_form() {
        for price in [json!(150_000), json!(150_000.0), json!("150000"), json!("150000.0")] {
            assert_eq!(receipt(&json!({ "price": price })).unwrap().price, 150_000);
        }
        for status in [json!(-2), json!(-2.0), json!("-2"), json!(" -2 ")] {
            let status = receipt(&json!({ "status": status })).unwrap().status;
            assert_eq!(status, Status::ApprovalFailed);
        }
        assert_eq!(receipt(&json!({"status": 77})).unwrap().status, Status::Other(77));
    }

    #[test]
    fn a_virtual_account_is_known_by_either_of_its_names() {
        let virtual_account = |changes| receipt(&changes).unwrap().is_virtual_account();

        assert!(virtual_account(json!({"method": "가상계좌"})));
        assert!(virtual_account(json!({"method": "vbank"})));
        assert!(virtual_account(json!({"method": null, "method_symbol": "vbank"})));
        assert!(!virtual_account(json!({"method": "카드", "method_symbol": "card"})));
        assert!(!virtual_account(json!({"method": null})));
    }

    #[test]
    fn a_missing_cancelled_price_means_all_only_if_cancelled() {
        let cancelled = |changes| receipt(&changes).unwrap().cancelled_price;

        assert_eq!(cancelled(json!({"status": 1})), 0);
        assert_eq!(cancelled(json!({"status": 20})), 150_000);
        assert_eq!(cancelled(json!({"status": 20, "cancelled_price": null})), 150_000);
        assert_eq!(cancelled(json!({"status": 20, "cancelled_price": 50_000.0})), 50_000);
        assert_eq!(cancelled(json!({"status": 20, "cancelled_price": 0})), 0);
        assert!(receipt(&json!({"status": 20})).unwrap().is_fully_cancelled());
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for changes in [
            json!({"receipt_id": null}),
            json!({"receipt_id": ""}),
            json!({"receipt_id": "../cancel me"}),
            json!({"receipt_id": ".."}),
            json!({"order_id": null}),
            json!({"order_id": ["x"]}),
            json!({"price": null}),
            json!({"price": 1.5}),
            json!({"price": -1}),
            json!({"price": "much"}),
            json!({"price": u64::MAX}),
            json!({"price": "NaN"}),
            json!({"price": "inf"}),
            json!({"status": "PAID"}),
            json!({"status": 3_000_000_000_u32}),
            json!({"cancelled_price": 150_001}),
            json!({"cancelled_price": -1}),
            json!({"cancelled_price": "x"}),
        ] {
            let read = receipt(&changes);
            assert!(matches!(read, Err(Error::Unreadable(_))), "{changes}");
        }
        assert!(Receipt::from_json(&json!([])).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            "-?[0-9]{1,25}(\\.[0-9]{1,3})?".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map(
                    prop_oneof!["(receipt_id|order_id|price|cancelled_price|status|purchased_at)", "\\PC{0,6}"],
                    inner,
                    0..6
                )
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(json in any_json()) {
            let _ = Receipt::from_json(&json);
        }

        #[test]
        fn any_fields_are_read_or_refused(
            status in any_json(), price in any_json(), cancelled in any_json(), at in any_json(),
        ) {
            let read = receipt(&json!({
                "status": status, "price": price, "cancelled_price": cancelled, "purchased_at": at,
            }));
            if let Ok(receipt) = read {
                prop_assert!(receipt.price >= 0);
                prop_assert!((0..=receipt.price).contains(&receipt.cancelled_price));
            }
        }

        #[test]
        fn every_whole_amount_survives(won in 0_i64..9_007_199_254_740_992) {
            prop_assert_eq!(whole_number(&json!(won)), Some(won));
            prop_assert_eq!(whole_number(&json!(won.to_string())), Some(won));
            prop_assert_eq!(whole_number(&json!(format!("{won}.0"))), Some(won));
        }

        #[test]
        fn any_text_is_an_id_or_refused(text in "\\PC{0,80}") {
            if let Ok(id) = ReceiptId::parse(text.clone()) {
                prop_assert_eq!(id.as_str(), text);
                prop_assert!(id.as_str().len() <= ReceiptId::MAX_LEN);
            }
        }
    }
}
