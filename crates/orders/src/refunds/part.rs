//! Giving a part back because an administrator says so: the booking stays, and so must something that was paid for it.

use common::events::Cause;
use common::idempotency::{Once, Told, Tx};
use common::money::Money;

use super::{Part, Purpose, Refund, queue_part, reason, store};
use crate::bookings::BookingStatus;
use crate::payments::lock_linked;
use crate::{Orders, charges, payments};

/// What an administrator gives back.
#[derive(Clone, Debug)]
pub struct NewRefund {
    /// Of which payment.
    pub payment_id: i64,
    /// How much: more than nothing.
    pub amount: Money,
    /// Why, in their words.
    pub note: String,
}

/// A refund that was just queued.
#[derive(Clone, Debug)]
pub struct Queued {
    /// The refund.
    pub refund: Refund,
    /// Where seats that were reserved for the payment are free now.
    freed: Option<i64>,
}

/// Why it can't be given back. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// There is no such payment.
    #[error("there is no such payment")]
    UnknownPayment,
    /// There is no money of it.
    #[error("nothing was paid, or all of it went back")]
    NothingPaid,
    /// So much isn't left.
    #[error("only {0} can be given back")]
    MoreThanLeft(Money),
    /// It is all that is left of what a confirmed booking was paid with.
    #[error("it is all that is left: the booking has to be cancelled instead")]
    AllThatIsLeft,
    /// The payment waits for its booking, so it goes back as a whole or not at all.
    #[error("the payment isn't booked yet")]
    NotBooked,
    /// The database failed.
    #[error("could not refund")]
    Database(#[from] sqlx::Error),
}

impl Orders {
    /// Queues a refund of a part of a payment. Together with all other refunds of it, never more than was paid.
    ///
    /// The provider is asked first: what was cancelled in its console before is not taken for this refund.
    pub async fn refund_part(
        &self,
        cause: &Cause,
        new: &NewRefund,
        once: &Once<'_, Queued>,
    ) -> Result<Told<Queued>, RefundError> {
        let payment = payments::store::find(&mut *self.db.acquire().await?, new.payment_id).await?;
        if let Some(receipt_id) = payment.ok_or(RefundError::UnknownPayment)?.receipt_id {
            self.look_at_receipt(&receipt_id).await?;
        }
        loop {
            let refund = |tx| self.refund_part_once(tx, cause, new);
            if let Some(told) = self.transact(|| once.run(&self.db, refund)).await? {
                if let Some(schedule_id) = told.done().and_then(|queued| queued.freed) {
                    self.seats_changed(schedule_id).await;
                }
                return Ok(told);
            }
        }
    }

    /// `None`: the payment was linked to another booking while we locked the first.
    async fn refund_part_once(
        &self,
        mut tx: Tx<'_, Queued>,
        cause: &Cause,
        new: &NewRefund,
    ) -> Result<Option<Told<Queued>>, RefundError> {
        let found = payments::store::find(&mut tx, new.payment_id).await?.ok_or(RefundError::UnknownPayment)?;
        let Some((payment, booking)) = lock_linked(&mut tx, found.payment_id, found.booking_id).await? else {
            return Ok(None);
        };
        let receipt_id = payment.receipt_id.as_deref().filter(|_| payment.status.has_money());
        let receipt_id = receipt_id.ok_or(RefundError::NothingPaid)?;
        let standing = charges::store::lock(&mut tx, receipt_id).await?.ok_or(RefundError::NothingPaid)?;
        let rest = standing.rest();
        if new.amount > rest {
            return Err(RefundError::MoreThanLeft(rest));
        }
        if booking.is_some_and(|booking| booking.status == BookingStatus::Confirmed) && new.amount == rest {
            return Err(RefundError::AllThatIsLeft);
        }
        if payment.waits() && new.amount < rest {
            return Err(RefundError::NotBooked);
        }
        let purpose =
            Purpose { payment_id: Some(payment.payment_id), booking_id: payment.booking_id, reason: reason::BY_HAND };
        let part = Part { amount: new.amount, rule: None, note: Some(&new.note) };
        let queued = queue_part(&mut tx, cause, receipt_id, purpose, part).await?;
        let refund_id = queued.ok_or(RefundError::MoreThanLeft(rest))?;
        if payment.waits() {
            payments::give_up(&mut tx, cause, &payment, reason::BY_HAND).await?;
        }
        let refund = store::find(&mut tx, refund_id).await?.ok_or(sqlx::Error::RowNotFound)?;
        let freed = payment.schedule_id.filter(|_| payment.waits());
        Ok(Some(tx.commit(Queued { refund, freed }).await?))
    }
}
