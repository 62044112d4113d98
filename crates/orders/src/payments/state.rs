//! The one function that says where a payment stands.

use common::money::Money;

use super::PaymentStatus;
use crate::charges::Charge;

/// Where a payment over `amount` stands, from its charges alone, in whatever order they are listed. `given_up`: nobody
/// waits for it any longer.
pub(super) fn of(amount: Money, charges: &[Charge], given_up: bool) -> PaymentStatus {
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
        fn neither_order_nor_repetition_of_charges_decides_anything(
            (charges, shuffled) in prop::collection::vec(charge(), 0..5).prop_flat_map(|charges| {
                let twice = [charges.clone(), charges.clone()].concat();
                (Just(charges), Just(twice).prop_shuffle())
            }),
            given_up in any::<bool>(),
        ) {
            prop_assert_eq!(of(Money::won(1000), &charges, given_up), of(Money::won(1000), &shuffled, given_up));
        }

        #[test]
        fn money_that_came_is_never_called_a_failure(mut charges in prop::collection::vec(charge(), 0..5)) {
            charges.push(Charge { receipt_id: "x".into(), amount: Money::won(1000), was_paid: true, failed: true, cancelled: Money::ZERO });
            prop_assert_eq!(of(Money::won(1000), &charges, true), PaymentStatus::Paid);
        }

        #[test]
        fn another_amount_never_pays(mut charges in prop::collection::vec(charge(), 0..5)) {
            charges.retain(|c| c.amount != Money::won(1000));
            let state = of(Money::won(1000), &charges, false);
            prop_assert!(matches!(state, PaymentStatus::Requested | PaymentStatus::Failed));
        }
    }
}
