//! The simulator's receipts and the provider's rules for them: no HTTP, no clock.
//!
//! The rule worth knowing: a cancel takes effect once per `cancel_id`, and its repetition gets the first answer again.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::webhook::{Delivery, Format, Mode};
use crate::{ReceiptId, Status};

/// One payment, with what only the simulator knows of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) receipt_id: ReceiptId,
    pub(super) order_id: String,
    pub(super) order_name: String,
    pub(super) price: i64,
    pub(super) cancelled_price: i64,
    pub(super) status: Status,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) purchased_at: Option<DateTime<Utc>>,
    pub(super) cancelled_at: Option<DateTime<Utc>>,
    /// How its webhooks are sent.
    pub(super) webhook: Mode,
    pub(super) webhook_format: Format,
    /// How the last attempt to deliver one ended.
    pub(super) last_delivery: Option<Delivery>,
    cancels: Vec<Done>,
}

/// A cancel that took effect.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    cancel_id: Option<String>,
    price: i64,
    /// What was cancelled in total once it had taken effect.
    total: i64,
    at: DateTime<Utc>,
}

impl Entry {
    pub(super) fn remaining(&self) -> i64 {
        self.price - self.cancelled_price
    }

    /// The receipt as the provider's API shows it.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "receipt_id": self.receipt_id,
            "order_id": self.order_id,
            "price": self.price,
            "tax_free": 0,
            "cancelled_price": self.cancelled_price,
            "cancelled_tax_free": 0,
            "order_name": self.order_name,
            "company_name": "CloudJet",
            "sandbox": true,
            "pg": "나이스페이먼츠",
            "method": "카드",
            "method_symbol": "card",
            "method_origin": "카드",
            "method_origin_symbol": "card",
            "currency": "KRW",
            "requested_at": seoul(self.requested_at),
            "purchased_at": self.purchased_at.map(seoul),
            "cancelled_at": self.cancelled_at.map(seoul),
            "status": self.status,
            "status_locale": locale(self.status),
        })
    }
}

/// How the buyer's side of a payment ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The card is charged: status 1.
    #[default]
    Approve,
    /// The card is declined: status −2.
    Decline,
    /// The buyer agreed, and the payment waits for `confirm`: status 2.
    Separate,
}

/// A payment that a buyer makes.
pub(super) struct Opening {
    pub(super) receipt_id: ReceiptId,
    pub(super) order_id: String,
    pub(super) order_name: String,
    pub(super) price: i64,
    pub(super) outcome: Outcome,
    pub(super) webhook: Mode,
    pub(super) webhook_format: Format,
}

/// A cancel that somebody asks for.
pub(super) struct Wish<'a> {
    pub(super) receipt_id: &'a str,
    pub(super) cancel_id: Option<&'a str>,
    /// In won; all that is left if it isn't given.
    pub(super) price: Option<i64>,
}

/// What became of a [`Wish`].
pub(super) struct Cancelled {
    /// The receipt right after the cancel took effect.
    pub(super) entry: Entry,
    /// Whether this very request had the effect.
    pub(super) is_new: bool,
}

/// Why the provider says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum No {
    UnknownReceipt,
    NotWaitingForApproval,
    NothingLeft,
    MoreThanIsLeft,
    NotAnAmount,
    NotPaid,
    OtherAmountBefore,
}

/// All receipts, oldest first.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    by_id: HashMap<ReceiptId, usize>,
    by_order: HashMap<String, Vec<usize>>,
}

impl Ledger {
    pub(super) fn from_entries(entries: Vec<Entry>) -> Self {
        let mut ledger = Self::default();
        for entry in entries {
            ledger.push(entry);
        }
        ledger
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn find(&self, receipt_id: &str) -> Option<&Entry> {
        let id = ReceiptId::parse(receipt_id).ok()?;
        self.entries.get(*self.by_id.get(&id)?)
    }

    pub(super) fn of_order(&self, order_id: &str) -> Vec<&Entry> {
        let found = self.by_order.get(order_id).into_iter().flatten();
        found.filter_map(|at| self.entries.get(*at)).collect()
    }

    pub(super) fn open(&mut self, opening: Opening, at: DateTime<Utc>) -> Entry {
        let status = match opening.outcome {
            Outcome::Approve => Status::Paid,
            Outcome::Decline => Status::ApprovalFailed,
            Outcome::Separate => Status::AwaitingApproval,
        };
        let entry = Entry {
            receipt_id: opening.receipt_id,
            order_id: opening.order_id,
            order_name: opening.order_name,
            price: opening.price,
            cancelled_price: 0,
            status,
            requested_at: at,
            purchased_at: status.is_paid().then_some(at),
            cancelled_at: None,
            webhook: opening.webhook,
            webhook_format: opening.webhook_format,
            last_delivery: None,
            cancels: Vec::new(),
        };
        self.push(entry.clone());
        entry
    }

    pub(super) fn confirm(&mut self, receipt_id: &str, at: DateTime<Utc>) -> Result<Entry, No> {
        let entry = self.find_mut(receipt_id).ok_or(No::UnknownReceipt)?;
        if entry.status != Status::AwaitingApproval {
            return Err(No::NotWaitingForApproval);
        }
        entry.status = Status::Paid;
        entry.purchased_at = Some(at);
        Ok(entry.clone())
    }

    pub(super) fn cancel(&mut self, wish: &Wish<'_>, at: DateTime<Utc>) -> Result<Cancelled, No> {
        let entry = self.find_mut(wish.receipt_id).ok_or(No::UnknownReceipt)?;
        let before = wish.cancel_id.and_then(|id| {
            let same = |done: &&Done| done.cancel_id.as_deref() == Some(id);
            entry.cancels.iter().find(same)
        });
        if let Some(done) = before {
            if wish.price.is_some_and(|price| price != done.price) {
                return Err(No::OtherAmountBefore);
            }
            let entry = Entry { cancelled_price: done.total, cancelled_at: Some(done.at), ..entry.clone() };
            return Ok(Cancelled { entry, is_new: false });
        }

        let price = wish.price.unwrap_or_else(|| entry.remaining());
        match entry.status {
            Status::Paid | Status::Cancelled if entry.remaining() == 0 => {
                return Err(No::NothingLeft);
            }
            Status::Paid | Status::Cancelled | Status::AwaitingApproval => {}
            _ => return Err(No::NotPaid),
        }
        if price <= 0 {
            return Err(No::NotAnAmount);
        }
        if price > entry.remaining() {
            return Err(No::MoreThanIsLeft);
        }
        if entry.status == Status::AwaitingApproval && price != entry.price {
            return Err(No::NotPaid);
        }
        entry.cancelled_price += price;
        entry.status = Status::Cancelled;
        entry.cancelled_at = Some(at);
        entry.cancels.push(Done {
            cancel_id: wish.cancel_id.map(str::to_owned),
            price,
            total: entry.cancelled_price,
            at,
        });
        Ok(Cancelled { entry: entry.clone(), is_new: true })
    }

    pub(super) fn delivered(&mut self, receipt_id: &ReceiptId, delivery: Delivery) {
        if let Some(entry) = self.find_mut(receipt_id.as_str()) {
            entry.last_delivery = Some(delivery);
        }
    }

    fn find_mut(&mut self, receipt_id: &str) -> Option<&mut Entry> {
        let id = ReceiptId::parse(receipt_id).ok()?;
        self.entries.get_mut(*self.by_id.get(&id)?)
    }

    fn push(&mut self, entry: Entry) {
        let at = self.entries.len();
        self.by_id.insert(entry.receipt_id.clone(), at);
        self.by_order.entry(entry.order_id.clone()).or_default().push(at);
        self.entries.push(entry);
    }
}

/// The provider writes its instants in Korean time.
fn seoul(at: DateTime<Utc>) -> String {
    FixedOffset::east_opt(9 * 3600).map_or_else(
        || at.to_rfc3339(),
        |zone| {
            let at = at.with_timezone(&zone);
            at.to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
        },
    )
}

pub(super) fn locale(status: Status) -> &'static str {
    match status {
        Status::Waiting => "결제대기",
        Status::Paid => "결제완료",
        Status::AwaitingApproval => "결제승인대기",
        Status::Cancelled => "결제취소",
        Status::ApprovalFailed => "결제승인실패",
        _ => "기타",
    }
}
