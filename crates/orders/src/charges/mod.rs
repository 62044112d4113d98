//! Charges: what the provider says it took, one per receipt. Facts only, each of them only ever growing, so that it
//! doesn't matter in which order they are told.

pub(crate) mod store;

use common::money::Money;

/// What the provider says of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which receipt.
    pub receipt_id: String,
    /// For which order of ours.
    pub order_id: String,
    /// Over how much.
    pub amount: Money,
    /// How much of it was given back.
    pub cancelled: Money,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether it was charged before any of it was cancelled; `None`: that isn't said.
    pub was_charged: Option<bool>,
    /// The provider's own number for that.
    pub raw_status: i32,
}

common::text_enum! {
    /// What became of a receipt, as far as it matters to us.
    pub enum Outcome {
        /// Nothing yet.
        Open = "OPEN",
        /// Money was taken; `cancelled` of it went back.
        Paid = "PAID",
        /// No money was taken, and none will be on this receipt.
        Failed = "FAILED",
    }
}

impl From<&bootpay::Receipt> for Facts {
    fn from(receipt: &bootpay::Receipt) -> Self {
        let status = receipt.status;
        let taken = status.is_paid()
            || status.is_cancelled()
            || matches!(status, bootpay::Status::CancelFailed | bootpay::Status::Cancelling);
        Self {
            receipt_id: receipt.receipt_id.as_str().to_owned(),
            order_id: receipt.order_id.clone(),
            amount: Money::won(receipt.price),
            cancelled: Money::won(receipt.cancelled_price.clamp(0, receipt.price.max(0))),
            outcome: match (taken, status.is_failure()) {
                (true, _) => Outcome::Paid,
                (_, true) => Outcome::Failed,
                _ => Outcome::Open,
            },
            // What is let go of while it waits for our approval is called cancelled in total, and was never purchased.
            was_charged: match (status.is_paid() || receipt.purchased_at.is_some(), status.is_cancelled()) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            raw_status: status.code(),
        }
    }
}

/// A charge as we have it on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) receipt_id: String,
    pub(crate) amount: Money,
    pub(crate) was_paid: bool,
    pub(crate) failed: bool,
    pub(crate) cancelled: Money,
}

impl Charge {
    /// Whether we have money of it.
    pub(crate) fn is_live(&self) -> bool {
        self.was_paid && self.cancelled < self.amount
    }
}
