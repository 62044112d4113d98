//! Driving calls to their end. The receipt is looked up first, unless that was just done; so a call that was heard
//! though its answer got lost isn't made again, and one that wasn't is.

use std::time::Duration;

use bootpay::{Cancel, Receipt, ReceiptId};
use common::db;
use common::error::Chain;
use common::events::Cause;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::begin::void;
use super::{ApproveError, Asked, Call, CallKind, CallState, end, store, waits};
use crate::Orders;
use crate::bookings;
use crate::charges::{self, Facts, Outcome};
use crate::payments;
use crate::refunds::{self, Purpose, reason};
use crate::side_by_side::side_by_side;

/// How long a job waits for the provider, all questions of one call together: less than it may have the call.
const PATIENCE: Duration = Duration::from_secs(25);

/// How often the provider may refuse to let a payment go before it is left to lapse by itself.
const REFUSALS: i32 = 5;

/// How a call ends that isn't ended by the facts of its receipt.
#[derive(Clone, Copy, Debug)]
enum Ending<'a> {
    /// The provider said no.
    Refused(&'a bootpay::Error),
    /// The booking can't take the payment any more, or the receipt is over another amount than before.
    Unwanted,
    /// The provider doesn't know the receipt any more, or says now that it is for another order.
    NotOurs(Option<&'a Facts>),
}

impl Orders {
    /// Goes on with at most `limit` calls whose outcome isn't known. Answers whether there was anything to do.
    ///
    /// Safe in all replicas at once, beside clients that ask again: each takes a call by a guarded update.
    pub async fn resume_calls_once(&self, limit: u32) -> sqlx::Result<bool> {
        let Some(provider) = self.provider.as_ref().map(bootpay::Client::undeterred) else { return Ok(false) };
        let due = store::due(&mut *self.db.acquire().await?, limit).await?;
        side_by_side(due, |call_id| self.resume_call(&provider, call_id)).await
    }

    /// Does one step of a call, if it can be taken. Answers whether it could.
    async fn resume_call(&self, provider: &bootpay::Client, call_id: Uuid) -> sqlx::Result<bool> {
        let Some(call) = self.take_call(call_id).await? else { return Ok(false) };
        let span = tracing::info_span!("provider call", otel.name = %call.kind);
        if let Some(origin) = &call.origin {
            origin.continue_in(&span);
        }
        let asked = Asked { provider, deadline: Instant::now() + PATIENCE };
        self.drive(&call, None, asked).instrument(span).await?;
        Ok(true)
    }

    /// Does one step of a call that we have taken. `receipt` is what the provider said of it a moment ago.
    pub(super) async fn drive(&self, call: &Call, receipt: Option<Receipt>, asked: Asked<'_>) -> sqlx::Result<()> {
        let Ok(receipt_id) = ReceiptId::parse(call.receipt_id.as_str()) else {
            return self.finish(call, Ending::NotOurs(None)).await;
        };
        let receipt = match receipt {
            Some(receipt) => receipt,
            None => match asked.receipt(&receipt_id).await {
                Ok(Some(receipt)) => receipt,
                Ok(None) => return self.finish(call, Ending::NotOurs(None)).await,
                Err(error) => return self.postpone_call(call, &reason_of(&error)).await,
            },
        };
        match call.kind {
            CallKind::Confirm => self.confirm(call, receipt, asked).await,
            CallKind::Void => self.release_at_provider(call, receipt, asked).await,
        }
    }

    async fn confirm(&self, call: &Call, receipt: Receipt, asked: Asked<'_>) -> sqlx::Result<()> {
        if !call.fits(&receipt) || !waits(&receipt) {
            return self.hear(call, &receipt).await;
        }
        if !self.is_wanted(call).await? {
            return self.finish(call, Ending::Unwanted).await;
        }
        let error = match asked.confirm(&receipt.receipt_id).await {
            Ok(receipt) => return self.hear(call, &receipt).await,
            Err(error) => error,
        };
        // Also after a refusal: it may be refused because it is done.
        match asked.receipt(&receipt.receipt_id).await {
            Ok(Some(receipt)) if !waits(&receipt) => self.hear(call, &receipt).await,
            Ok(Some(_)) if matches!(error, bootpay::Error::Refused { .. }) => {
                self.finish(call, Ending::Refused(&error)).await
            }
            _ => self.postpone_call(call, &reason_of(&error)).await,
        }
    }

    /// Believes what the provider says of a receipt, if it says it of ours.
    async fn hear(&self, call: &Call, receipt: &Receipt) -> sqlx::Result<()> {
        let facts = Facts::from(receipt);
        match facts.outcome {
            _ if facts.order_id != call.order_id => self.finish(call, Ending::NotOurs(Some(&facts))).await,
            Outcome::Open if call.fits(receipt) => self.postpone_call(call, "neither paid nor failed").await,
            Outcome::Open => self.finish(call, Ending::Unwanted).await,
            // This ends the call, too.
            Outcome::Paid | Outcome::Failed => self.apply(&Cause::provider(None), &facts).await.map(drop),
        }
    }

    async fn is_wanted(&self, call: &Call) -> sqlx::Result<bool> {
        let mut tx = self.db.begin().await?;
        let booking = bookings::store::lock(&mut tx, call.booking_id).await?;
        let payment = payments::store::lock(&mut tx, call.payment_id).await?;
        let (Some(booking), Some(payment)) = (booking, payment) else { return Ok(false) };
        match self.may_approve(&mut tx, &booking, &payment).await {
            Ok(()) => Ok(true),
            Err(ApproveError::Database(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    async fn finish(&self, call: &Call, ending: Ending<'_>) -> sqlx::Result<()> {
        self.transact(|| self.finish_once(call, ending)).await
    }

    async fn finish_once(&self, call: &Call, ending: Ending<'_>) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        let booking = bookings::store::lock(&mut tx, call.booking_id).await?;
        payments::store::lock(&mut tx, call.payment_id).await?;
        let Some(open) = store::lock(&mut tx, call.id).await? else { return Ok(()) };
        let cause = Cause::provider(None);
        let (state, error) = match ending {
            Ending::Refused(error) => (CallState::Refused, Some(error.to_string())),
            Ending::Unwanted => (CallState::Abandoned, None),
            Ending::NotOurs(_) => (CallState::Abandoned, Some("the receipt is not for this payment".to_owned())),
        };
        end(&mut tx, &cause, &open, state, error.as_deref(), booking.as_ref()).await?;
        match ending {
            _ if call.kind == CallKind::Void => {}
            Ending::Refused(_) | Ending::Unwanted => {
                void(&mut tx, &cause, call.booking_id, call.payment_id, &call.receipt_id).await?;
            }
            Ending::NotOurs(Some(facts)) if facts.outcome == Outcome::Paid => {
                charges::store::note(&mut tx, None, facts).await?;
                let purpose = Purpose { payment_id: None, booking_id: None, reason: reason::UNKNOWN_ORDER };
                refunds::queue(&mut tx, &cause, &facts.receipt_id, purpose).await?;
            }
            Ending::NotOurs(_) => {}
        }
        db::commit(tx).await
    }

    /// Has the provider let go of a payment that waits for our approval. One that was taken after all is applied,
    /// which pays it back or confirms the booking it is for.
    async fn release_at_provider(&self, call: &Call, receipt: Receipt, asked: Asked<'_>) -> sqlx::Result<()> {
        let receipt = if waits(&receipt) {
            let cancel = Cancel {
                receipt_id: receipt.receipt_id,
                cancel_id: call.id.to_string(),
                price: receipt.price,
                username: "CloudJet".to_owned(),
                message: "CloudJet void".to_owned(),
            };
            match asked.cancel(&cancel).await {
                Ok(receipt) => receipt,
                Err(error @ bootpay::Error::Refused { .. }) if call.attempts >= REFUSALS => {
                    return self.finish(call, Ending::Refused(&error)).await;
                }
                Err(error) => return self.postpone_call(call, &reason_of(&error)).await,
            }
        } else {
            receipt
        };
        let status = receipt.status;
        if !(status.is_paid() || status.is_cancelled() || status.is_failure()) {
            return self.postpone_call(call, "neither taken nor let go").await;
        }
        let facts = Facts::from(&receipt);
        self.apply(&Cause::provider(None), &facts).await?;
        self.transact(|| self.write_down_release(call)).await
    }

    async fn write_down_release(&self, call: &Call) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        let Some(open) = store::lock(&mut tx, call.id).await? else { return Ok(()) };
        end(&mut tx, &Cause::provider(None), &open, CallState::Done, None, None).await?;
        db::commit(tx).await
    }

    async fn postpone_call(&self, call: &Call, why: &str) -> sqlx::Result<()> {
        let (kind, payment_id, attempts) = (call.kind, call.payment_id, call.attempts);
        tracing::warn!(%kind, payment_id, attempts, error = why, "it isn't known yet what became of a payment");
        db::retry(async || store::postpone(&mut *self.db.acquire().await?, call.id, why).await).await
    }
}

fn reason_of(error: &bootpay::Error) -> String {
    Chain(error).to_string()
}

impl Call {
    /// Whether a receipt is for its payment, and over the same amount.
    fn fits(&self, receipt: &Receipt) -> bool {
        receipt.order_id == self.order_id && receipt.price == self.amount.as_won()
    }
}
