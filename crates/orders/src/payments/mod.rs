//! Payments: what somebody is to pay, or has paid, under one order id.
//!
//! A payment's state is a function of its charges' facts. It meets its booking by a link, made by `init`, by the
//! booking call's guess, or by an explicit attach; once it is paid the link is final.

mod apply;
mod ask;
mod attach;
mod derive;
mod inbox;
mod init;
mod ledger;
mod linked;
mod state;
pub(crate) mod store;
mod unbooked;
mod view;
mod waiting;

pub use apply::Applied;
pub use attach::{AttachError, Attached};
pub(crate) use derive::{Derived, derive, set_right};
pub use inbox::{Delivery, Replayed};
pub(crate) use inbox::{forget_applied, measure_unapplied};
pub use init::{InitError, NewPayment, Requested, Target};
pub use ledger::{ProviderEvent, ProviderEventFilter, RefundEntry, RefundFilter};
pub(crate) use linked::lock_linked;
pub use view::{ChargedReceipt, Filter, Moment, Payment, PaymentDetail, PaymentRef, Refund};
pub(crate) use waiting::{Waiting, WaitingPayment, link_waiting, lock_waiting, take_up_paid};

use common::events::{self, Cause, Subject};
use common::money::Money;
use serde_json::json;
use sqlx::MySqlConnection;

use crate::refunds::{self, Part, Purpose};

common::text_enum! {
    /// Where a payment stands.
    pub enum PaymentStatus {
        /// Begun; the provider hasn't told of money.
        Requested = "REQUESTED",
        /// Paid.
        Paid = "PAID",
        /// Declined. A late success is still possible.
        Failed = "FAILED",
        /// All of it went back.
        Cancelled = "CANCELLED",
        /// A part of it went back.
        PartiallyRefunded = "PARTIALLY_REFUNDED",
        /// Nobody finished it in time. A late success is still possible.
        Expired = "EXPIRED",
    }
}

common::text_enum! {
    /// Who tied a payment to its booking.
    pub enum LinkedBy {
        /// `init` was told the booking.
        Init = "INIT",
        /// The booking call found the payment, or `init` the booking: a guess.
        Booking = "BOOKING",
        /// An attach call said so.
        Attach = "ATTACH",
    }
}

common::text_enum! {
    /// How it is paid.
    pub enum Method {
        /// By card.
        Card = "CARD",
        /// By KakaoPay.
        Kakao = "KAKAO",
    }
}

common::text_enum! {
    /// Who processes it for the provider.
    pub enum Processor {
        /// NICE Payments.
        Nicepay = "NICEPAY",
        /// Kakao.
        Kakao = "KAKAO",
    }
}

impl PaymentStatus {
    /// Whether we have money of it.
    pub fn has_money(self) -> bool {
        matches!(self, Self::Paid | Self::PartiallyRefunded)
    }
}

/// Queues refunds of everything that was paid for a locked booking, and closes its payments: none of them can be
/// attached or booked any more. Answers how much goes back.
pub(crate) async fn refund_booking(
    connection: &mut MySqlConnection,
    cause: &Cause,
    booking_id: i64,
    reason: &str,
) -> sqlx::Result<Money> {
    let linked = store::lock_of_booking(connection, booking_id).await?;
    refund_linked(connection, cause, &linked, reason, None).await
}

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
    for charge in
        crate::charges::store::of_payment(connection, payment.payment_id).await?.iter().filter(|c| c.is_live())
    {
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
