//! Refunds: money on its way back. A refund is queued in the transaction that owes it, and driven until the provider
//! has paid it or an operator must.
//!
//! Its id is the provider's `cancel_id`, for ever: a call that is repeated because its answer got lost has one
//! effect. Before a repetition the receipt is looked up, so that nothing is called twice blindly.

pub(crate) mod store;

use common::db;
use common::error::Chain;
use common::events::{self, Cause, Subject};
use common::money::Money;
use serde_json::json;
use sqlx::MySqlConnection;
use uuid::Uuid;

use crate::Orders;
use crate::charges::{self, Facts};

/// How often the provider may refuse a refund in so many words before an operator is asked.
const REFUSALS: i32 = 5;

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
}

/// What a refund is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose<'a> {
    pub(crate) payment_id: Option<i64>,
    pub(crate) booking_id: Option<i64>,
    pub(crate) reason: &'a str,
}

/// Queues a refund of all that is left of a charge. Nothing left: nothing happens.
pub(crate) async fn queue(
    connection: &mut MySqlConnection,
    cause: &Cause,
    receipt_id: &str,
    purpose: Purpose<'_>,
) -> sqlx::Result<()> {
    let Some(amount) = charges::store::reserve_rest(connection, receipt_id).await? else { return Ok(()) };
    let refund_id = Uuid::now_v7();
    store::insert(connection, refund_id, receipt_id, amount, purpose).await?;
    let new = json!({ "amount": amount, "reason": purpose.reason, "payment_id": purpose.payment_id, "booking_id": purpose.booking_id });
    events::record(connection, cause, Subject::Refund, refund_id, "queued", &(), &new).await
}

/// A refund whose turn it is.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) refund_id: Uuid,
    pub(crate) receipt_id: String,
    pub(crate) amount: Money,
    pub(crate) attempts: i32,
}

impl Orders {
    /// Drives at most `limit` refunds one step. Answers whether there was anything to do.
    ///
    /// Safe in all replicas at once: each takes a refund by a guarded update before it calls anybody.
    pub async fn drive_refunds_once(&self, limit: u32) -> sqlx::Result<bool> {
        let Some(provider) = &self.provider else { return Ok(false) };
        let due = store::due(&mut *self.db.acquire().await?, limit).await?;
        let mut worked = false;
        for refund_id in due {
            let Some(refund) = store::take(&mut *self.db.acquire().await?, refund_id).await? else { continue };
            worked = true;
            match pay_back(provider, &refund).await {
                Ok((receipt, paid)) => self.settle_refund(&refund, paid, &Facts::from(&receipt)).await?,
                Err(error) => self.postpone_refund(&refund, &error).await?,
            }
        }
        Ok(worked)
    }

    /// The payment learns of it before the refund is done with: a crash in between repeats both, and skips neither.
    async fn settle_refund(&self, refund: &Due, paid: Money, facts: &Facts) -> sqlx::Result<()> {
        self.apply(&Cause::provider(None), facts).await?;
        self.transact(|| self.write_down_success(refund, paid)).await
    }

    async fn write_down_success(&self, refund: &Due, paid: Money) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        if store::succeed(&mut tx, refund.refund_id, paid).await? {
            events::record(
                &mut tx,
                &Cause::provider(None),
                Subject::Refund,
                refund.refund_id,
                "succeeded",
                &(),
                &json!({ "amount": paid }),
            )
            .await?;
        }
        db::commit(tx).await
    }

    async fn postpone_refund(&self, refund: &Due, error: &bootpay::Error) -> sqlx::Result<()> {
        let refused = matches!(error, bootpay::Error::Refused { .. } | bootpay::Error::NotAnAmount(_));
        let give_up = refused && refund.attempts >= REFUSALS;
        tracing::warn!(refund_id = %refund.refund_id, attempts = refund.attempts, give_up, error = %Chain(error), "refund not paid yet");
        self.transact(|| self.write_down_delay(refund, error, give_up)).await
    }

    async fn write_down_delay(&self, refund: &Due, error: &bootpay::Error, give_up: bool) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        store::postpone(&mut tx, refund.refund_id, &error.to_string(), give_up).await?;
        if give_up {
            events::record(
                &mut tx,
                &Cause::system(),
                Subject::Refund,
                refund.refund_id,
                "needs-operator",
                &(),
                &json!({ "error": error.to_string() }),
            )
            .await?;
        }
        db::commit(tx).await
    }
}

/// Asks the provider to pay a refund, and answers how much it paid. Unless it is the first try, the receipt is looked
/// up first; it also is when the provider refuses, because it may refuse what it has done already.
///
/// A refund is of all that was left of its receipt. So it is done when nothing is left, and not before; and where a
/// part was cancelled in the provider's console meanwhile, what is left of it is asked for.
async fn pay_back(provider: &bootpay::Client, refund: &Due) -> Result<(bootpay::Receipt, Money), bootpay::Error> {
    let receipt_id = bootpay::ReceiptId::parse(refund.receipt_id.as_str())
        .map_err(|_| bootpay::Error::Unreadable("the receipt's id is not one"))?;
    let done = |receipt: &bootpay::Receipt| receipt.remaining() == 0;
    if refund.attempts > 1
        && let Some(receipt) = provider.receipt(&receipt_id).await?.filter(done)
    {
        return Ok((receipt, refund.amount));
    }
    let cancel = |amount: Money| bootpay::Cancel {
        receipt_id: receipt_id.clone(),
        cancel_id: refund.refund_id.to_string(),
        price: amount.as_won(),
        username: "CloudJet".to_owned(),
        message: "CloudJet refund".to_owned(),
    };
    let refusal = match provider.cancel(&cancel(refund.amount)).await {
        Err(refusal @ bootpay::Error::Refused { .. }) => refusal,
        answer => return answer.map(|receipt| (receipt, refund.amount)),
    };
    let Some(receipt) = provider.receipt(&receipt_id).await? else { return Err(refusal) };
    let left = Money::won(receipt.remaining());
    if left == Money::ZERO {
        Ok((receipt, refund.amount))
    } else if left < refund.amount {
        provider.cancel(&cancel(left)).await.map(|receipt| (receipt, left))
    } else {
        Err(refusal)
    }
}
