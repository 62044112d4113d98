//! Charges: what the provider says it took, one per receipt. Facts only, each of them only ever growing, so that it
//! doesn't matter in which order they are told.

pub(crate) mod store;

use common::money::Money;

use crate::payments::PaymentStatus;

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

/// Where a payment over `amount` stands, from its charges alone, in whatever order they are listed. `given_up`: nobody
/// waits for it any longer.
pub(crate) fn state(amount: Money, charges: &[Charge], given_up: bool) -> PaymentStatus {
    let ours = || charges.iter().filter(|c| c.was_paid && c.amount == amount);
    if ours().any(|c| c.cancelled == Money::ZERO) {
        PaymentStatus::Paid
    } else if ours().any(Charge::is_live) {
        PaymentStatus::PartiallyRefunded
    } else if ours().next().is_some() {
        PaymentStatus::Cancelled
    } else if charges.iter().any(|c| c.failed && !c.was_paid) {
        PaymentStatus::Failed
    } else if given_up {
        PaymentStatus::Expired
    } else {
        PaymentStatus::Requested
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn charge() -> impl Strategy<Value = Charge> {
        (0u8..4, prop_oneof![Just(1000), Just(2000)], any::<bool>(), any::<bool>(), 0i64..=2000).prop_map(
            |(id, amount, was_paid, failed, cancelled)| Charge {
                receipt_id: id.to_string(),
                amount: Money::won(amount),
                was_paid,
                failed,
                cancelled: Money::won(cancelled.min(amount)),
            },
        )
    }

    proptest! {
        #[test]
        fn the_order_of_charges_decides_nothing(charges in prop::collection::vec(charge(), 0..5), given_up in any::<bool>()) {
            let forwards = state(Money::won(1000), &charges, given_up);
            let backwards: Vec<Charge> = charges.into_iter().rev().collect();
            prop_assert_eq!(forwards, state(Money::won(1000), &backwards, given_up));
        }

        #[test]
        fn money_that_came_is_never_called_a_failure(mut charges in prop::collection::vec(charge(), 0..5)) {
            charges.push(Charge { receipt_id: "x".into(), amount: Money::won(1000), was_paid: true, failed: true, cancelled: Money::ZERO });
            prop_assert_eq!(state(Money::won(1000), &charges, true), PaymentStatus::Paid);
        }

        #[test]
        fn another_amount_never_pays(mut charges in prop::collection::vec(charge(), 0..5)) {
            charges.retain(|c| c.amount != Money::won(1000));
            let state = state(Money::won(1000), &charges, false);
            prop_assert!(matches!(state, PaymentStatus::Requested | PaymentStatus::Failed));
        }
    }
}
