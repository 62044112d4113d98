//! The payment provider: a client of Bootpay's REST v2 API, and a simulator that speaks the same API.
//!
//! Money moves at the provider and nowhere else, so everything CloudJet believes about a payment it has read from a
//! [`Receipt`] that [`Client`] fetched. Webhooks only say *when* to look.
//!
//! The one trap: a call that failed may still have had its effect. The card was charged, the refund was made, and only
//! the answer was lost. [`Error::is_definite`] says which failures are certain; after any other one, look the receipt
//! up before calling again.
//!
//! | Module | What it is for |
//! |---|---|
//! | [`Client`], [`Config`] | the calls: look up a receipt or an order, confirm, cancel |
//! | [`Error`] | what a call that failed means for the money |
//! | [`Receipt`], [`Status`] | what the provider says of one payment, parsed |
//! | [`signature`] | the webhook's HMAC |
//! | `simulator` | the provider on your own machine (cargo feature `simulator`) |

mod answer;
mod breaker;
mod call;
mod client;
mod config;
mod error;
mod operation;
mod receipt;
pub mod signature;
#[cfg(feature = "simulator")]
pub mod simulator;
mod status;
mod token;
mod trace;

pub use client::{Called, Cancel, Client};
pub use config::{Config, ConfigError, Credentials};
pub use error::Error;
pub use operation::Operation;
pub use receipt::{Receipt, ReceiptId, ReceiptIdError};
pub use status::Status;
