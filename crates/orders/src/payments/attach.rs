//! Attaching: a client says which payment is which booking's. It overrules the booking call's guess, but nothing
//! that is paid.

use common::events::{self, Cause, Subject};
use common::idempotency::{Once, Told, Tx};
use serde_json::json;

use super::{LinkedBy, PaymentStatus, refund, store, waiting};
use crate::bookings::{self, BookingRef, BookingStatus, CancelReason, Verdict};
use crate::refunds::reason;
use crate::{Orders, approvals};

/// A payment that was just attached.
#[derive(Clone, Copy, Debug)]
pub struct Attached {
    schedule_id: i64,
    /// Whether the payment isn't known to be paid yet.
    unfinished: bool,
}

/// Why a payment can't be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is no such payment, or it isn't the caller's.
    #[error("there is no such payment")]
    UnknownPayment,
    /// There is no such booking, or it isn't the caller's.
    #[error("there is no such booking")]
    UnknownBooking,
    /// The payment failed, or is being refunded.
    #[error("the payment is closed")]
    PaymentClosed,
    /// The payment belongs to another booking for good.
    #[error("the payment belongs to another booking")]
    PaymentTaken,
    /// The booking is paid by another payment; a paid one that was to be attached goes back.
    #[error("the booking is paid already")]
    BookingPaid,
    /// The booking is cancelled, or can't take the payment any more; a paid one goes back.
    #[error("the booking can't take a payment")]
    BookingOver,
    /// The payment is over another amount, or for another schedule.
    #[error("the payment is not for this booking")]
    Mismatch,
    /// The database failed.
    #[error("could not attach")]
    Database(#[from] sqlx::Error),
}

/// What one try came to.
enum Tried {
    /// Attached, or told already what came of it.
    Told(Told<Attached>),
    /// Refused, but with something to be kept: the surplus that goes back, and what was reserved for it.
    Refused { schedule_id: i64, error: AttachError },
    /// A link was changed while we locked.
    Moved,
}

impl From<Told<Attached>> for Tried {
    fn from(told: Told<Attached>) -> Self {
        Self::Told(told)
    }
}

impl Orders {
    /// Attaches the caller's payment `order_id` to the caller's booking. The same pair again changes nothing, as long
    /// as nothing of it is being refunded.
    ///
    /// Who attaches has just paid: if nobody told us yet, the provider is asked. Before anything is decided, so that a
    /// payment the booking has no use for goes back at once; but not while the payment is another booking's by a guess,
    /// which would become final by that.
    pub async fn attach(
        &self,
        cause: &Cause,
        user_id: i64,
        order_id: &str,
        booking: &BookingRef,
        once: &Once<'_, Attached>,
    ) -> Result<Told<Attached>, AttachError> {
        let asked = self.ask_about_unlinked(user_id, order_id).await?;
        loop {
            let attach = |tx| self.attach_once(tx, cause, user_id, order_id, booking);
            match self.transact(|| once.run(&self.db, attach)).await? {
                Tried::Told(told) => {
                    if let Some(attached) = told.done() {
                        if attached.unfinished && !asked {
                            self.ask_about(&[order_id.to_owned()]).await?;
                        }
                        self.seats_changed(attached.schedule_id).await;
                    }
                    return Ok(told);
                }
                Tried::Refused { schedule_id, error } => {
                    self.seats_changed(schedule_id).await;
                    return Err(error);
                }
                Tried::Moved => {}
            }
        }
    }

    async fn attach_once(
        &self,
        mut tx: Tx<'_, Attached>,
        cause: &Cause,
        user_id: i64,
        order_id: &str,
        reference: &BookingRef,
    ) -> Result<Tried, AttachError> {
        let found = store::find_by_order(&mut tx, order_id)
            .await?
            .filter(|p| p.owner == user_id)
            .ok_or(AttachError::UnknownPayment)?;
        let (booking_id, _) = bookings::store::find(&mut tx, reference)
            .await?
            .filter(|(_, owner)| *owner == user_id)
            .ok_or(AttachError::UnknownBooking)?;

        // Bookings first, then payments, each in the order of their ids.
        let mut ids: Vec<i64> = found.booking_id.into_iter().chain([booking_id]).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut locked = Vec::new();
        for id in ids {
            locked.extend(bookings::store::lock(&mut tx, id).await?);
        }
        let booking = locked.iter().find(|b| b.booking_id == booking_id).ok_or(AttachError::UnknownBooking)?;
        let linked = store::lock_of_booking(&mut tx, booking_id).await?;
        let payment = store::lock(&mut tx, found.payment_id).await?.ok_or(AttachError::UnknownPayment)?;
        if payment.booking_id != found.booking_id {
            return Ok(Tried::Moved);
        }

        let case = Case { orders: self, cause, payment: &payment, booking, linked: &linked };
        case.attach(tx).await
    }
}

/// A payment and a booking, under lock, with the payments that the booking has.
struct Case<'a> {
    orders: &'a Orders,
    cause: &'a Cause,
    payment: &'a store::Locked,
    booking: &'a bookings::store::Locked,
    linked: &'a [store::Locked],
}

impl Case<'_> {
    async fn attach(&self, mut tx: Tx<'_, Attached>) -> Result<Tried, AttachError> {
        let (payment, booking) = (self.payment, self.booking);
        if payment.booking_id == Some(booking.booking_id) {
            return if payment.is_closed { Err(AttachError::PaymentClosed) } else { self.attached(tx).await };
        }
        let movable = payment.booking_id.is_none()
            || (!payment.status.has_money() && matches!(payment.linked_by, Some(LinkedBy::Booking | LinkedBy::Attach)));
        if !movable || approvals::is_under_way(&mut tx, payment.payment_id).await? {
            return Err(AttachError::PaymentTaken);
        }
        if payment.is_closed || matches!(payment.status, PaymentStatus::Failed | PaymentStatus::Cancelled) {
            return Err(AttachError::PaymentClosed);
        }
        if payment.amount != booking.total || payment.schedule_id.is_some_and(|id| id != booking.schedule_id) {
            return Err(AttachError::Mismatch);
        }
        if self.linked.iter().any(|p| p.status.has_money()) {
            return self.refuse(tx, reason::SURPLUS, AttachError::BookingPaid).await;
        }
        let expired =
            booking.status == BookingStatus::Cancelled && booking.cancel_reason == Some(CancelReason::Expired);
        let over = match booking.status {
            BookingStatus::Cancelled => !(expired && payment.status.has_money()),
            BookingStatus::Completed => true,
            BookingStatus::Pending | BookingStatus::Confirmed => false,
        };
        if over {
            return self.refuse(tx, reason::TOO_LATE, AttachError::BookingOver).await;
        }
        self.link(tx).await
    }

    /// Links the payment, lets the guess it replaces swap places with it, and confirms the booking if it is paid.
    async fn link(&self, mut tx: Tx<'_, Attached>) -> Result<Tried, AttachError> {
        let (payment, booking) = (self.payment, self.booking);
        let reservation = payment.hold_id;
        waiting::give_way(&mut tx, self.orders, self.linked, payment.booking_id, reservation, booking.schedule_id)
            .await?;
        store::link(&mut tx, payment.payment_id, Some(booking.booking_id), Some(LinkedBy::Attach), None).await?;
        let (old, new) = (json!({ "booking_id": payment.booking_id }), json!({ "booking_id": booking.booking_id }));
        events::record(&mut tx, self.cause, Subject::Payment, payment.payment_id, "linked", &old, &new).await?;

        if booking.status == BookingStatus::Confirmed {
            return self.attached(tx).await;
        }
        if payment.status.has_money() {
            return match bookings::accept_payment(self.orders, &mut tx, self.cause, booking).await? {
                Verdict::Accepted => self.attached(tx).await,
                Verdict::Surplus | Verdict::TooLate => {
                    self.refuse(tx, reason::TOO_LATE, AttachError::BookingOver).await
                }
            };
        }
        if let Some(hold) = booking.hold_id {
            inventory::extend(&mut tx, hold, self.orders.terms.pin).await?;
        }
        self.attached(tx).await
    }

    async fn attached(&self, tx: Tx<'_, Attached>) -> Result<Tried, AttachError> {
        let unfinished = matches!(self.payment.status, PaymentStatus::Requested | PaymentStatus::Expired);
        Ok(tx.commit(Attached { schedule_id: self.booking.schedule_id, unfinished }).await?.into())
    }

    /// Refuses; money that came for nothing goes back, and so does what was reserved for it.
    async fn refuse(&self, mut tx: Tx<'_, Attached>, reason: &str, error: AttachError) -> Result<Tried, AttachError> {
        if self.payment.status.has_money() {
            refund(&mut tx, self.cause, self.payment, reason).await?;
            if let Some(reservation) = self.payment.hold_id {
                waiting::release_reservation(&mut tx, self.booking.schedule_id, reservation).await?;
            }
        }
        tx.commit_refused().await?;
        Ok(Tried::Refused { schedule_id: self.booking.schedule_id, error })
    }
}
