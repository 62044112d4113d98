//! Payments as their owners and the airline's desk see them: what was to be paid, what became of it, and what goes back.
//!
//! Two queries make a page of a list, however long it is. What went back *of a payment* went back of its own receipt;
//! a refund of anything else (paid twice, a wrong amount) is listed, but makes no payment look refunded.

mod store;
mod timeline;
mod words;

use chrono::{DateTime, Utc};
use common::language::Language;
use common::money::Money;
use common::page::Page;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Method, PaymentStatus};
use crate::Orders;
use crate::bookings::{self, BookingRef};
use crate::charges::Outcome;
use crate::refunds::RefundState;

pub use timeline::Moment;
pub(crate) use words::reason as words_of_reason;

/// A payment and its refunds, as its owner sees it; of the owner, only others need to be told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Payment {
    /// Its id.
    #[schema(example = 1)]
    pub payment_id: i64,
    /// What the provider calls it. Payments of the original may have none.
    #[schema(required, example = "CJ-ORD-7-10000001-0f3a9c2e")]
    pub order_id: Option<String>,
    /// What the payment window called it.
    #[schema(required, example = "CJ101 ICN→NRT (2명)")]
    pub order_name: Option<String>,
    /// Whose it is.
    #[serde(skip)]
    #[schema(ignore)]
    pub user_id: i64,
    /// The owner's name.
    #[serde(skip)]
    #[schema(ignore)]
    pub user_name: String,
    /// The owner's e-mail address.
    #[serde(skip)]
    #[schema(ignore)]
    pub user_email: String,
    /// The booking it is for, once that is known.
    #[schema(required, example = 1)]
    pub booking_id: Option<i64>,
    /// The number of that booking.
    #[schema(required, example = "CJ4K7Q2M9X")]
    pub booking_number: Option<String>,
    /// Where it stands.
    pub status: PaymentStatus,
    /// How much was to be paid.
    pub amount: Money,
    /// How much of it went back.
    #[schema(example = 0)]
    pub refunded_amount: Money,
    /// How much of it is on its way back.
    #[schema(example = 0)]
    pub refund_pending_amount: Money,
    /// The currency of every amount (ISO 4217).
    #[schema(example = "KRW")]
    pub currency: String,
    /// How it is paid.
    pub method: Method,
    /// The provider's receipt, once something was paid.
    #[schema(required, example = "624c1c5c1fc19202e4746ce5")]
    pub receipt_id: Option<String>,
    /// When it was begun.
    #[schema(example = "2026-11-24T03:00:00Z")]
    pub created_at: DateTime<Utc>,
    /// When we learned that it is paid.
    #[schema(required, example = "2026-11-24T03:01:00Z")]
    pub paid_at: Option<DateTime<Utc>>,
    /// What goes back, or went, in the order it was decided.
    pub refunds: Vec<Refund>,
}

/// Money on its way back to whoever paid it, or there.
#[derive(Clone, Debug, Serialize, sqlx::FromRow, ToSchema)]
#[schema(as = PaymentRefund)]
pub struct Refund {
    /// Its id.
    pub refund_id: Uuid,
    /// Of which payment.
    #[serde(skip)]
    #[schema(ignore)]
    pub payment_id: i64,
    /// How much.
    #[sqlx(try_from = "i32")]
    pub amount: Money,
    /// Of which receipt.
    #[schema(example = "624c1c5c1fc19202e4746ce5")]
    pub receipt_id: String,
    /// Why, for programs.
    #[schema(example = "OWNER")]
    pub reason: String,
    /// Why, for people, in the language asked for.
    #[sqlx(skip)]
    #[schema(example = "고객 요청으로 예약 취소")]
    pub reason_text: String,
    /// Where it stands.
    pub state: RefundState,
    /// When it was decided.
    #[schema(example = "2026-11-25T03:00:00Z")]
    pub created_at: DateTime<Utc>,
    /// When it was paid back.
    #[schema(required, example = "2026-11-25T03:00:02Z")]
    pub settled_at: Option<DateTime<Utc>>,
}

/// What the provider took, or tried to take, on one receipt.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PaymentCharge)]
pub struct ChargedReceipt {
    /// The provider's id of it.
    #[schema(example = "624c1c5c1fc19202e4746ce5")]
    pub receipt_id: String,
    /// Over how much.
    pub amount: Money,
    /// How much of it the provider gave back.
    #[schema(example = 0)]
    pub cancelled_amount: Money,
    /// How much of it was promised back.
    #[schema(example = 0)]
    pub refund_reserved_amount: Money,
    /// Whether money was taken.
    pub outcome: Outcome,
    /// The last status the provider told, in its own numbers.
    #[schema(example = 1)]
    pub provider_status: i32,
    /// When we first heard of it.
    #[schema(example = "2026-11-24T03:01:00Z")]
    pub created_at: DateTime<Utc>,
    /// When we last heard of it.
    #[schema(example = "2026-11-24T03:01:00Z")]
    pub updated_at: DateTime<Utc>,
}

/// A payment with its receipts, and what happened to it in plain words.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentDetail {
    /// The payment.
    #[serde(flatten)]
    pub payment: Payment,
    /// Its receipts, in the order we heard of them.
    pub charges: Vec<ChargedReceipt>,
    /// What happened to it, its booking and its refunds, the oldest first.
    pub timeline: Vec<Moment>,
}

/// How a request names a payment: clients know both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRef(String);

impl PaymentRef {
    /// By its order id, or by `payment_id` in digits. Where digits are both, they are an order id.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

/// Which payments: those that fit all that is said.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Which stand there.
    pub status: Option<PaymentStatus>,
    /// Of this account.
    pub user_id: Option<i64>,
    /// For this booking.
    pub booking: Option<BookingRef>,
    /// Under this order id.
    pub order_id: Option<String>,
    /// For which the provider has this receipt.
    pub receipt_id: Option<String>,
    /// Begun then or later.
    pub from: Option<DateTime<Utc>>,
    /// Begun then or earlier.
    pub to: Option<DateTime<Utc>>,
}

impl Orders {
    /// The payments that fit, newest first: as many queries as ever, however many there are.
    pub async fn payments(&self, filter: &Filter, page: Page, language: Language) -> sqlx::Result<Vec<Payment>> {
        let mut connection = self.db.acquire().await?;
        let booking_id = match &filter.booking {
            Some(reference) => match bookings::store::find(&mut connection, reference).await? {
                Some((booking_id, _)) => Some(booking_id),
                None => return Ok(Vec::new()),
            },
            None => None,
        };
        let mut payments = store::fitting(&mut connection, filter, booking_id, page).await?;
        store::add_refunds(&mut connection, &mut payments, language).await?;
        Ok(payments)
    }

    /// One payment, whoever asks: the caller decides who may see it.
    pub async fn payment(&self, reference: &PaymentRef, language: Language) -> sqlx::Result<Option<PaymentDetail>> {
        let mut connection = self.db.acquire().await?;
        let Some(payment_id) = store::find(&mut connection, &reference.0).await? else { return Ok(None) };
        let mut payments = store::by_id(&mut connection, payment_id).await?;
        store::add_refunds(&mut connection, &mut payments, language).await?;
        let Some(payment) = payments.pop() else { return Ok(None) };
        let charges = store::charges_of(&mut connection, payment_id).await?;
        let timeline = timeline::of(&mut connection, &payment, language).await?;
        Ok(Some(PaymentDetail { payment, charges, timeline }))
    }
}

impl Payment {
    /// Tells, from its refunds, how much of it went back and is still to go. `gone` is what of
    /// its receipt the provider says went back, or an operator.
    fn add_up(&mut self, gone: Money) {
        let own = || self.refunds.iter().filter(|refund| Some(&refund.receipt_id) == self.receipt_id.as_ref());
        let sum = |settled: bool| {
            own().filter(|r| (r.state == RefundState::Succeeded) == settled).map(|r| r.amount.as_won()).sum::<i64>()
        };
        let (paid_back, open) = (Money::won(sum(true)), Money::won(sum(false)));
        self.refunded_amount = gone.max(paid_back);
        // The provider may have paid back what we haven't written down yet.
        self.refund_pending_amount = open.min(self.amount.less(self.refunded_amount));
    }
}
