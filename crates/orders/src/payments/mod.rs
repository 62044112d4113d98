//! Payments: what somebody is to pay, or has paid, under one order id.
//!
//! A payment's state is a function of its charges' facts. It meets its booking by a link, made by `init`, by the
//! booking call's guess, or by an explicit attach; once it is paid the link is final.

mod apply;
mod ask;
mod attach;
mod console;
mod derive;
mod give_back;
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
pub(crate) use console::notice_console;
pub(crate) use derive::{Derived, derive, set_right};
pub(crate) use give_back::{Owed, give_up, refund, refund_linked};
pub use inbox::{Delivery, Replayed};
pub(crate) use inbox::{forget_applied, measure_unapplied};
pub use init::{InitError, NewPayment, Requested, Target};
pub use ledger::{ProviderEvent, ProviderEventFilter, RefundEntry, RefundFilter};
pub(crate) use linked::lock_linked;
pub use view::{ChargedReceipt, Filter, Moment, Payment, PaymentDetail, PaymentRef, Refund};
pub(crate) use waiting::{Waiting, WaitingPayment, link_waiting, lock_waiting, take_up_paid};

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
