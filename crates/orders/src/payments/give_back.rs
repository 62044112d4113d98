//! Giving back: what was paid on a payment is refunded, and the payment is closed: it can be neither booked nor attached
//! any more.

use common::events::{self, Cause, Subject};
use common::money::Money;
use serde_json::json;
use sqlx::MySqlConnection;

use super::{store, waiting};
use crate::charges;
use crate::refunds::{self, Part, Purpose};

/// What is owed of the charge that pays a booking, where it isn't everything.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    pub(crate) receipt_id: String,
    pub(crate) amount: Money,
    /// The version of the refund rule that says so.
    pub(crate) rule: i32,
}

/// Queues refunds of what was paid on a locked booking's payments, of one charge only as much as is `owed`, and closes
/// them. Answers how much goes back.
pub(crate) async fn refund_linked(
    connection: &mut MySqlConnection,
    cause: &Cause,
    linked: &[store::Locked],
    reason: &str,
    owed: Option<&Owed>,
) -> sqlx::Result<Money> {
    let mut back = 0;
    for payment in linked {
        back += refund_owed(connection, cause, payment, reason, owed).await?.as_won();
    }
    Ok(Money::won(back))
}

/// Queues refunds of everything that was paid on a locked payment, and closes it.
pub(crate) async fn refund(
    connection: &mut MySqlConnection,
    cause: &Cause,
    payment: &store::Locked,
    reason: &str,
) -> sqlx::Result<()> {
    refund_owed(connection, cause, payment, reason, None).await.map(drop)
}

async fn refund_owed(
    connection: &mut MySqlConnection,
    cause: &Cause,
    payment: &store::Locked,
    reason: &str,
    owed: Option<&Owed>,
) -> sqlx::Result<Money> {
    store::close(connection, payment.payment_id).await?;
    let purpose = Purpose { payment_id: Some(payment.payment_id), booking_id: payment.booking_id, reason };
    let mut back = 0;
    let charges = charges::store::of_payment(connection, payment.payment_id).await?;
    for charge in charges.iter().filter(|charge| charge.is_live()) {
        let receipt_id = charge.receipt_id.as_str();
        back += match owed.filter(|owed| owed.receipt_id == receipt_id) {
            Some(Owed { amount, rule, .. }) => {
                let part = Part { amount: *amount, rule: Some(*rule), note: None };
                let queued = refunds::queue_part(connection, cause, receipt_id, purpose, part).await?;
                queued.map_or(0, |_| amount.as_won())
            }
            None => refunds::queue(connection, cause, receipt_id, purpose).await?.as_won(),
        };
    }
    Ok(Money::won(back))
}

/// Gives up a locked payment that waits for its booking: what was paid goes back, and so do the seats reserved for it.
pub(crate) async fn give_up(
    connection: &mut MySqlConnection,
    cause: &Cause,
    payment: &store::Locked,
    reason: &str,
) -> sqlx::Result<()> {
    refund(connection, cause, payment, reason).await?;
    let (old, new) = (json!({ "status": payment.status }), json!({ "reason": reason }));
    events::record(connection, cause, Subject::Payment, payment.payment_id, "closed", &old, &new).await?;
    match (payment.schedule_id, payment.hold_id) {
        (Some(schedule_id), Some(reservation)) => {
            waiting::release_reservation(connection, schedule_id, reservation).await
        }
        _ => Ok(()),
    }
}
