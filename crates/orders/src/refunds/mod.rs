//! Refunds: money on its way back. A refund is queued in the transaction that owes it, and driven until the provider
//! has paid it or an operator must; then it is tried anew, or settled by hand.
//!
//! Its id is the provider's `cancel_id`, for ever: a call that is repeated because its answer got lost has one
//! effect. A receipt may be given back in parts, by us and in the provider's console, and only tells the total. So one
//! refund of a receipt is tried at a time, and what is cancelled beyond what was before is taken for this refund's.

mod drive;
mod operator;
mod part;
pub mod rule;
pub(crate) mod store;

use chrono::{DateTime, Utc};
use common::events::{self, Cause, Subject};
use common::money::Money;
use serde::Serialize;
use serde_json::json;
use sqlx::MySqlConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::charges;
pub use operator::OperatorError;
pub use part::{NewRefund, Queued, RefundError};

common::text_enum! {
    /// Where a refund stands.
    pub enum RefundState {
        /// Queued.
        Pending = "PENDING",
        /// The provider was asked at least once.
        Sent = "SENT",
        /// Paid.
        Succeeded = "SUCCEEDED",
        /// The provider won't pay it, and isn't asked any more: somebody of the airline has to look.
        NeedsOperator = "NEEDS_OPERATOR",
    }
}

/// Why money goes back, beyond a booking's [`CancelReason`](crate::bookings::CancelReason).
pub(crate) mod reason {
    /// Paid twice: the order was paid on another receipt, or the booking by another payment.
    pub(crate) const SURPLUS: &str = "SURPLUS";
    /// Another amount than ordered.
    pub(crate) const WRONG_AMOUNT: &str = "WRONG_AMOUNT";
    /// It came when the booking was over and its seats were gone.
    pub(crate) const TOO_LATE: &str = "TOO_LATE";
    /// Paid, and never booked.
    pub(crate) const UNBOOKED: &str = "UNBOOKED";
    /// For an order nobody made.
    pub(crate) const UNKNOWN_ORDER: &str = "UNKNOWN_ORDER";
    /// An administrator gives it back; the refund's note says why.
    pub(crate) const BY_HAND: &str = "BY_HAND";
}

/// What a refund is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose<'a> {
    pub(crate) payment_id: Option<i64>,
    pub(crate) booking_id: Option<i64>,
    pub(crate) reason: &'a str,
}

/// How much of a charge is to go back, and on what grounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) amount: Money,
    /// The version of the rule that says so.
    pub(crate) rule: Option<i32>,
    /// What an administrator says of it.
    pub(crate) note: Option<&'a str>,
}

/// A refund as administrators see it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow, ToSchema)]
pub struct Refund {
    /// Its id, also the provider's `cancel_id`.
    pub refund_id: Uuid,
    /// Of which payment; null where nobody made the order.
    #[schema(required, example = 1)]
    pub payment_id: Option<i64>,
    /// For which booking, where there is one.
    #[schema(required, example = 1)]
    pub booking_id: Option<i64>,
    /// How much.
    #[sqlx(try_from = "i32")]
    pub amount: Money,
    /// Where it stands.
    pub state: RefundState,
    /// Why, in a word.
    #[schema(example = "BY_HAND")]
    pub reason: String,
    /// Why, in an administrator's words.
    #[schema(required, example = "기내식 미제공")]
    pub note: Option<String>,
    /// How often the provider was asked.
    pub attempts: i32,
    /// What the provider last said instead of paying.
    #[schema(required, example = json!(null))]
    pub last_error: Option<String>,
    /// When it was queued.
    #[schema(example = "2026-11-24T03:00:00Z")]
    pub created_at: DateTime<Utc>,
    /// When it was paid.
    #[schema(required, example = json!(null))]
    pub settled_at: Option<DateTime<Utc>>,
    /// The administrator who ended it, where the provider didn't.
    #[schema(required, example = json!(null))]
    pub settled_by: Option<i64>,
    /// How they did.
    #[schema(required, example = json!(null))]
    pub settled_note: Option<String>,
    /// How much of it they paid by other means than the provider.
    #[sqlx(try_from = "i32")]
    #[schema(example = 0)]
    pub paid_outside: Money,
}

/// Queues a refund of all that is left of a charge, and answers how much that is.
pub(crate) async fn queue(
    connection: &mut MySqlConnection,
    cause: &Cause,
    receipt_id: &str,
    purpose: Purpose<'_>,
) -> sqlx::Result<Money> {
    let rest = charges::store::lock(connection, receipt_id).await?.map_or(Money::ZERO, |standing| standing.rest());
    let part = Part { amount: rest, rule: None, note: None };
    let queued = queue_part(connection, cause, receipt_id, purpose, part).await?;
    Ok(queued.map_or(Money::ZERO, |_| rest))
}

/// Queues a refund of a part of a charge, and answers its id; `None` if so much isn't left, or if it is nothing.
pub(crate) async fn queue_part(
    connection: &mut MySqlConnection,
    cause: &Cause,
    receipt_id: &str,
    purpose: Purpose<'_>,
    part: Part<'_>,
) -> sqlx::Result<Option<Uuid>> {
    let Some(standing) = charges::store::lock(connection, receipt_id).await? else { return Ok(None) };
    if part.amount == Money::ZERO || !charges::store::reserve(connection, receipt_id, &standing, part.amount).await? {
        return Ok(None);
    }
    let refund_id = Uuid::now_v7();
    store::insert(connection, refund_id, receipt_id, purpose, part).await?;
    let new = json!({
        "amount": part.amount, "reason": purpose.reason, "payment_id": purpose.payment_id, "booking_id": purpose.booking_id,
        "rule": part.rule, "note": part.note,
    });
    events::record(connection, cause, Subject::Refund, refund_id, "queued", &(), &new).await?;
    Ok(Some(refund_id))
}
