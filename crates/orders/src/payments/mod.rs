//! Payments: what somebody is to pay, or has paid, under one order id.
//!
//! A payment's state is a function of its charges' facts. It meets its booking by a link, made by `init`, by the
//! booking call's guess, or by an explicit attach; once it is paid the link is final.

mod apply;
mod attach;
mod inbox;
mod init;
mod reconcile;
mod state;
pub(crate) mod store;
mod waiting;

pub use apply::Applied;
pub use attach::{AttachError, Attached};
pub use inbox::Delivery;
pub use init::{InitError, NewPayment, Requested, Target};
pub(crate) use waiting::{Waiting, WaitingPayment, link_waiting, lock_waiting, take_up_paid};

use common::events::{self, Cause, Subject};
use serde_json::json;
use sqlx::MySqlConnection;

use crate::refunds::{self, Purpose};

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
/// attached or booked any more.
pub(crate) async fn refund_booking(
    connection: &mut MySqlConnection,
    cause: &Cause,
    booking_id: i64,
    reason: &str,
) -> sqlx::Result<()> {
    for payment in store::lock_of_booking(connection, booking_id).await? {
        refund(connection, cause, &payment, reason).await?;
    }
    Ok(())
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
async fn refund(
    connection: &mut MySqlConnection,
    cause: &Cause,
    payment: &store::Locked,
    reason: &str,
) -> sqlx::Result<()> {
    store::close(connection, payment.payment_id).await?;
    for charge in
        crate::charges::store::of_payment(connection, payment.payment_id).await?.iter().filter(|c| c.is_live())
    {
        let purpose = Purpose { payment_id: Some(payment.payment_id), booking_id: payment.booking_id, reason };
        refunds::queue(connection, cause, &charge.receipt_id, purpose).await?;
    }
    Ok(())
}
