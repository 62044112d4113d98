//! The simulator's receipts and the provider's rules for them: no HTTP, no clock.
//!
//! The rule worth knowing: a cancel takes effect once per `cancel_id`. Its repetition is refused, as the provider
//! documents, or where the payment is kind gets the first answer again.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::script::{Confirmation, Happening, Script, UnknownScript};
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
    /// What was written for it, as far as it isn't used up.
    #[serde(default)]
    pub(super) script: Script,
    /// Whether a virtual account takes its money.
    #[serde(default)]
    is_account: bool,
    /// Whether a repeated `cancel_id` gets the first answer again.
    #[serde(default)]
    is_kind: bool,
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
    fn pay(&mut self, at: DateTime<Utc>) {
        self.status = Status::Paid;
        self.purchased_at = Some(at);
    }

    /// Follows more words, as far as they can still tell on it.
    pub(super) fn follow(&mut self, words: &str) -> Result<(), UnknownScript> {
        self.script.follow(words)?;
        self.is_kind = self.script.is_kind.unwrap_or(self.is_kind);
        Ok(())
    }

    pub(super) fn remaining(&self) -> i64 {
        self.price - self.cancelled_price
    }

    /// When money was given back, and how much.
    pub(super) fn cancels(&self) -> impl Iterator<Item = (DateTime<Utc>, i64)> {
        self.cancels.iter().map(|done| (done.at, done.price))
    }

    /// The receipt as the provider's API shows it.
    pub(super) fn to_json(&self) -> Value {
        let (method, symbol) = if self.is_account { ("가상계좌", "vbank") } else { ("카드", "card") };
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
            "method": method,
            "method_symbol": symbol,
            "method_origin": method,
            "method_origin_symbol": symbol,
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
    /// It broke off before the card company was asked: status −1.
    Fail,
    /// The buyer closed the window: status 0.
    Abandon,
    /// A virtual account was issued, which is to be paid into: status 5.
    Account,
}

impl Outcome {
    fn status(self) -> Status {
        match self {
            Self::Approve => Status::Paid,
            Self::Decline => Status::ApprovalFailed,
            Self::Separate => Status::AwaitingApproval,
            Self::Fail => Status::Failed,
            Self::Abandon => Status::Waiting,
            Self::Account => Status::AccountIssued,
        }
    }
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
    pub(super) script: Script,
    pub(super) is_kind: bool,
}

/// A cancel that somebody asks for.
pub(super) struct Wish<'a> {
    pub(super) receipt_id: &'a str,
    pub(super) cancel_id: Option<&'a str>,
    /// In won; all that is left if it isn't given.
    pub(super) price: Option<i64>,
    /// Whether the buyer's bank account is known, to which money of a virtual account goes back.
    pub(super) names_account: bool,
}

impl<'a> Wish<'a> {
    /// A cancel in the provider's console, whose operator knows how.
    pub(super) fn in_console(receipt_id: &'a str, price: Option<i64>) -> Self {
        Self { receipt_id, cancel_id: None, price, names_account: true }
    }
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
    Declined,
    UsedBefore,
    UnknownAccount,
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
    /// Those that somebody may have changed since they were last written down.
    changed: BTreeSet<usize>,
}

impl Ledger {
    pub(super) fn from_entries(entries: Vec<Entry>) -> Self {
        let mut ledger = Self::default();
        for entry in entries {
            ledger.push(entry);
        }
        ledger.mark_written();
        ledger
    }

    /// What may have changed since it was last written down, in the order in which it came.
    pub(super) fn unwritten(&self) -> impl Iterator<Item = &Entry> {
        self.changed.iter().filter_map(|at| self.entries.get(*at))
    }

    /// All that changed was written down.
    pub(super) fn mark_written(&mut self) {
        self.changed.clear();
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
        let status = opening.outcome.status();
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
            script: opening.script,
            is_account: opening.outcome == Outcome::Account,
            is_kind: opening.is_kind,
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
        match entry.script.confirmation {
            Confirmation::Approved => {}
            Confirmation::Declined => {
                entry.status = Status::ApprovalFailed;
                return Err(No::Declined);
            }
            Confirmation::OtherPrice => entry.price += 1000,
            Confirmation::OtherOrder => entry.order_id.push_str("-OTHER"),
        }
        entry.pay(at);
        Ok(entry.clone())
    }

    /// Lets something happen by itself, if it still can.
    pub(super) fn happen(&mut self, receipt_id: &str, event: Happening, at: DateTime<Utc>) -> Option<Entry> {
        let entry = self.find_mut(receipt_id)?;
        let price = match event {
            Happening::Cancelled => None,
            Happening::HalfCancelled => Some((entry.remaining() / 2).max(1)),
            _ if entry.status != Status::AccountIssued => return None,
            Happening::AccountPaid => {
                entry.pay(at);
                return Some(entry.clone());
            }
            Happening::AccountClosed => {
                entry.status = Status::AccountCancelled;
                return Some(entry.clone());
            }
        };
        self.cancel(&Wish::in_console(receipt_id, price), at).ok().map(|done| done.entry)
    }

    /// Changes one payment by hand. `None` if there is none.
    pub(super) fn change<T>(&mut self, receipt_id: &str, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.find_mut(receipt_id).map(change)
    }

    pub(super) fn cancel(&mut self, wish: &Wish<'_>, at: DateTime<Utc>) -> Result<Cancelled, No> {
        let entry = self.find_mut(wish.receipt_id).ok_or(No::UnknownReceipt)?;
        let before = wish.cancel_id.and_then(|id| {
            let same = |done: &&Done| done.cancel_id.as_deref() == Some(id);
            entry.cancels.iter().find(same)
        });
        if let Some(done) = before {
            if !entry.is_kind {
                return Err(No::UsedBefore);
            }
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
            Status::Paid | Status::Cancelled | Status::CancelFailed | Status::AwaitingApproval => {}
            _ => return Err(No::NotPaid),
        }
        if entry.is_account && !wish.names_account {
            return Err(No::UnknownAccount);
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
        let at = *self.by_id.get(&id)?;
        self.changed.insert(at);
        self.entries.get_mut(at)
    }

    fn push(&mut self, entry: Entry) {
        let at = self.entries.len();
        self.by_id.insert(entry.receipt_id.clone(), at);
        self.by_order.entry(entry.order_id.clone()).or_default().push(at);
        self.changed.insert(at);
        self.entries.push(entry);
    }
}

/// The provider writes its instants in Korean time.
fn seoul(at: DateTime<Utc>) -> String {
    in_seoul(at).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// An instant by Seoul's clock, which is never moved.
pub(super) fn in_seoul(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    const AHEAD: i32 = 9 * 3600;
    FixedOffset::east_opt(AHEAD).map_or_else(|| at.fixed_offset(), |zone| at.with_timezone(&zone))
}

pub(super) fn locale(status: Status) -> &'static str {
    match status {
        Status::Waiting => "결제대기",
        Status::Paid => "결제완료",
        Status::AwaitingApproval => "결제승인대기",
        Status::Approving => "결제승인중",
        Status::AccountIssued => "가상계좌 발급",
        Status::BillingKeyIssued => "빌링키 발급",
        Status::IdentityChecked => "본인인증 완료",
        Status::Cancelled => "결제취소",
        Status::Failed => "결제실패",
        Status::ApprovalFailed => "결제승인실패",
        Status::AccountCancelled => "가상계좌 취소",
        Status::BillingKeyCancelled => "빌링키 취소",
        Status::CancelFailed => "결제취소실패",
        Status::Cancelling => "결제취소중",
        Status::Other(_) => "기타",
    }
}
