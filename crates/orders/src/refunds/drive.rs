//! Driving refunds to their end. Before every call the receipt is looked up: what was cancelled of it beyond the
//! refund's baseline is paid already, whether the answer of our own call got lost or somebody used the provider's
//! console, and only what is missing is asked for.

use common::db;
use common::error::Chain;
use common::events::{self, Cause, Subject};
use common::money::Money;
use common::telemetry::trace::Origin;
use serde_json::json;
use tracing::Instrument;
use uuid::Uuid;

use super::store;
use crate::Orders;
use crate::charges::{self, Facts};
use crate::payments;
use crate::side_by_side::side_by_side;

/// How often the provider may refuse a refund in so many words before an operator is asked.
const REFUSALS: i32 = 5;

/// A refund whose turn it is.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) refund_id: Uuid,
    pub(super) receipt_id: String,
    pub(super) payment_id: Option<i64>,
    pub(super) booking_id: Option<i64>,
    pub(super) amount: Money,
    pub(super) attempts: i32,
    pub(super) refusals: i32,
    /// The request that queued it.
    pub(super) origin: Option<Origin>,
}

/// Why a refund isn't paid yet.
#[derive(Debug, thiserror::Error)]
enum NotPaid {
    /// The provider couldn't be asked, or said no.
    #[error(transparent)]
    Provider(#[from] bootpay::Error),
    /// Nothing can be paid back of what was never there.
    #[error("the payment provider doesn't know the receipt")]
    UnknownReceipt,
    /// It said yes, and its receipt says no.
    #[error("the payment provider accepted the refund, but its receipt doesn't show it")]
    NotShown,
    /// It can only be paid to a bank account, which we don't know.
    #[error("it was paid through a virtual account: the refund needs the buyer's bank account")]
    VirtualAccount,
    /// The database failed.
    #[error("could not write it down")]
    Database(#[from] sqlx::Error),
}

impl NotPaid {
    /// Whether the same again is unlikely to end otherwise. An outage, or trouble with our credentials, will be over.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Provider(error) => matches!(error, bootpay::Error::Refused { .. } | bootpay::Error::NotAnAmount(_)),
            Self::UnknownReceipt | Self::NotShown | Self::VirtualAccount => true,
            Self::Database(_) => false,
        }
    }

    /// What programs may call it.
    fn code(&self) -> Option<&str> {
        match self {
            Self::Provider(error) => error.code(),
            Self::UnknownReceipt => Some("UNKNOWN_RECEIPT"),
            Self::NotShown => Some("NOT_SHOWN"),
            Self::VirtualAccount => Some("VIRTUAL_ACCOUNT"),
            Self::Database(_) => None,
        }
    }
}

impl Orders {
    /// Drives at most `limit` refunds one step. Answers whether there was anything to do.
    ///
    /// Safe in all replicas at once: each takes a refund by a guarded update before it calls anybody.
    pub async fn drive_refunds_once(&self, limit: u32) -> sqlx::Result<bool> {
        let Some(provider) = self.provider.as_ref().map(bootpay::Client::undeterred) else { return Ok(false) };
        let due = store::due(&mut *self.db.acquire().await?, limit).await?;
        side_by_side(due, |refund_id| self.drive_refund(&provider, refund_id)).await
    }

    /// Drives a refund one step. Answers whether it was its turn.
    async fn drive_refund(&self, provider: &bootpay::Client, refund_id: Uuid) -> sqlx::Result<bool> {
        let taken = db::retry(async || store::take(&mut *self.db.acquire().await?, refund_id).await).await?;
        let Some(refund) = taken else { return Ok(false) };
        let span = tracing::info_span!("refund", %refund_id);
        if let Some(origin) = &refund.origin {
            origin.continue_in(&span);
        }
        self.try_refund(provider, &refund).instrument(span).await?;
        Ok(true)
    }

    async fn try_refund(&self, provider: &bootpay::Client, refund: &Due) -> sqlx::Result<()> {
        match self.pay_back(provider, refund).await {
            Ok((receipt, paid)) => self.settle_refund(refund, paid, &Facts::from(&receipt)).await,
            Err(NotPaid::Database(error)) => Err(error),
            Err(reason) => self.postpone_refund(refund, &reason).await,
        }
    }

    /// Sees to it that the provider pays a refund, and answers how much of it we had it pay.
    async fn pay_back(&self, provider: &bootpay::Client, refund: &Due) -> Result<(bootpay::Receipt, Money), NotPaid> {
        let receipt_id = bootpay::ReceiptId::parse(refund.receipt_id.as_str()).map_err(|_| NotPaid::UnknownReceipt)?;
        let receipt = provider.receipt(&receipt_id).await?.ok_or(NotPaid::UnknownReceipt)?;
        let cancelled = Money::won(receipt.cancelled_price);
        let baseline = store::baseline(&mut *self.db.acquire().await?, refund, cancelled).await?;
        let missing =
            |receipt: &bootpay::Receipt| refund.amount.less(Money::won(receipt.cancelled_price).less(baseline));
        let owed = missing(&receipt);
        if owed == Money::ZERO {
            return Ok((receipt, refund.amount));
        }
        if receipt.is_virtual_account() {
            return Err(NotPaid::VirtualAccount);
        }
        let cancel = bootpay::Cancel {
            receipt_id,
            cancel_id: refund.refund_id.to_string(),
            price: owed.as_won(),
            username: "CloudJet".to_owned(),
            message: "CloudJet refund".to_owned(),
        };
        let receipt = provider.cancel(&cancel).await?;
        if missing(&receipt) == Money::ZERO { Ok((receipt, owed)) } else { Err(NotPaid::NotShown) }
    }

    /// The payment learns of it before the refund is done with: a crash in between repeats both, and skips neither.
    async fn settle_refund(&self, refund: &Due, paid: Money, facts: &Facts) -> sqlx::Result<()> {
        self.apply(&Cause::provider(None), facts).await?;
        self.transact(|| self.write_down_success(refund, paid, facts)).await
    }

    async fn write_down_success(&self, refund: &Due, paid: Money, facts: &Facts) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        if store::succeed(&mut tx, refund.refund_id, paid).await? {
            let in_console = refund.amount.less(paid);
            charges::store::gave_back(&mut tx, &refund.receipt_id, facts.cancelled, in_console).await?;
            let came_here = payments::store::came_by(&mut tx, refund.payment_id, &refund.receipt_id).await?;
            let new = json!({
                "amount": paid, "in_console": in_console, "came_here": came_here, "payment_id": refund.payment_id,
                "booking_id": refund.booking_id,
            });
            let cause = Cause::provider(None);
            events::record(&mut tx, &cause, Subject::Refund, refund.refund_id, "succeeded", &(), &new).await?;
            if let Some(payment_id) = refund.payment_id {
                payments::notice_console(&mut tx, &cause, payment_id, &refund.receipt_id, in_console).await?;
            }
        }
        db::commit(tx).await
    }

    async fn postpone_refund(&self, refund: &Due, reason: &NotPaid) -> sqlx::Result<()> {
        let refused = reason.is_refusal();
        let give_up = refused && refund.refusals + 1 >= REFUSALS || matches!(reason, NotPaid::VirtualAccount);
        tracing::warn!(refund_id = %refund.refund_id, attempts = refund.attempts, give_up, error = %Chain(reason), "refund not paid yet");
        self.transact(|| self.write_down_delay(refund, reason, refused, give_up)).await
    }

    async fn write_down_delay(&self, refund: &Due, reason: &NotPaid, refused: bool, give_up: bool) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        let error = reason.to_string();
        let postponed = store::postpone(&mut tx, refund.refund_id, &error, refused, give_up).await?;
        if postponed && give_up {
            let new = json!({
                "amount": refund.amount, "error": error, "code": reason.code(), "payment_id": refund.payment_id,
                "booking_id": refund.booking_id,
            });
            events::record(&mut tx, &Cause::system(), Subject::Refund, refund.refund_id, "needs-operator", &(), &new)
                .await?;
        }
        db::commit(tx).await
    }
}
