//! Applying what the provider says. Facts go in, in any order and any number of times; out comes the state that
//! follows from all of them, and what it means for the booking and the money.
//!
//! One thing their order does decide: of several receipts over the right amount, the first that is told of is the
//! payment's own, and what the others took goes back. Nothing tells equals apart, and a refund can't be recalled.

use common::db;
use common::events::{self, Cause, Subject};
use common::money::Money;
use serde_json::json;
use sqlx::MySqlConnection;

use super::{PaymentStatus, lock_linked, notice_console, refund, state, store, waiting};
use crate::bookings::{self, BookingStatus, Verdict};
use crate::charges::{self, Charge, Facts, Outcome};
use crate::refunds::{self, Purpose, reason};
use crate::{Orders, approvals};

common::text_enum! {
    /// What came of applying facts.
    pub enum Applied {
        /// They are on file, and so is what follows from them.
        Done = "DONE",
        /// They say nothing that changes anything.
        Nothing = "NOTHING",
        /// Money came, but another amount than ordered; it goes back.
        WrongAmount = "WRONG_AMOUNT",
        /// Nobody made this order. Yet.
        UnknownOrder = "UNKNOWN_ORDER",
    }
}

/// What one try came to.
enum Tried {
    Applied(Applied, Option<i64>),
    /// The payment was linked to another booking while we locked the first.
    Moved,
}

impl Orders {
    /// Applies what the provider says of a receipt.
    pub async fn apply(&self, cause: &Cause, facts: &Facts) -> sqlx::Result<Applied> {
        if facts.outcome == Outcome::Open {
            return Ok(Applied::Nothing);
        }
        loop {
            if let Tried::Applied(applied, schedule) = self.transact(|| self.apply_once(cause, facts)).await? {
                if let Some(schedule_id) = schedule {
                    self.seats_changed(schedule_id).await;
                }
                return Ok(applied);
            }
        }
    }

    async fn apply_once(&self, cause: &Cause, facts: &Facts) -> sqlx::Result<Tried> {
        let mut tx = self.db.begin().await?;
        let Some(found) = store::find_by_order(&mut tx, &facts.order_id).await? else {
            // Money for nobody's order goes back, and then it is on file that it did.
            charges::store::note_return(&mut tx, facts).await?;
            db::commit(tx).await?;
            return Ok(Tried::Applied(Applied::UnknownOrder, None));
        };
        let Some((payment, booking)) = lock_linked(&mut tx, found.payment_id, found.booking_id).await? else {
            return Ok(Tried::Moved);
        };
        charges::store::note(&mut tx, Some(payment.payment_id), facts).await?;
        let state = self.follow_charges(&mut tx, cause, &payment, booking.as_ref(), &facts.receipt_id).await?;
        approvals::settle(&mut tx, cause, facts, booking.as_ref()).await?;
        db::commit(tx).await?;

        let wrong = facts.outcome == Outcome::Paid && facts.amount != payment.amount && facts.cancelled < facts.amount;
        let applied = if wrong { Applied::WrongAmount } else { Applied::Done };
        let schedule = booking.map(|b| b.schedule_id).or(payment.schedule_id);
        Ok(Tried::Applied(applied, schedule.filter(|_| state != payment.status)))
    }

    /// Lets a locked payment, and the booking it is linked to, follow what is on file about its charges; of
    /// `receipt_id` something was just written down. Answers the payment's state.
    pub(crate) async fn follow_charges(
        &self,
        tx: &mut MySqlConnection,
        cause: &Cause,
        payment: &store::Locked,
        booking: Option<&bookings::store::Locked>,
        receipt_id: &str,
    ) -> sqlx::Result<PaymentStatus> {
        let on_file = charges::store::of_payment(tx, payment.payment_id).await?;
        let own = own_charge(payment, &on_file);
        let given_up = payment.status == PaymentStatus::Expired;
        let state = match payment.status {
            // For good: money that comes on another receipt after that is not this payment's.
            PaymentStatus::Cancelled => PaymentStatus::Cancelled,
            // Nor does any other receipt tell where it stands: what is paid beside its own goes back.
            _ => state::of(payment.amount, own.map_or(&on_file, std::slice::from_ref), given_up),
        };
        let is_cancelled = own.is_some_and(|charge| charge.receipt_id == receipt_id && charge.cancelled > Money::ZERO);
        let own = own.map(|charge| charge.receipt_id.as_str());
        if state != payment.status || payment.receipt_id.as_deref() != own {
            store::set_status(tx, payment.payment_id, state, own).await?;
        }
        if state != payment.status {
            let old = json!({ "status": payment.status });
            let new = json!({ "status": state, "receipt_id": receipt_id, "amount": payment.amount });
            events::record(tx, cause, Subject::Payment, payment.payment_id, "changed", &old, &new).await?;
        }
        if is_cancelled {
            notice_console(tx, cause, payment.payment_id, receipt_id, Money::ZERO).await?;
        }

        let change = Change { orders: self, cause, payment, booking };
        change.return_what_is_not_ours(tx, &on_file, own).await?;
        if state != payment.status {
            change.follow(tx, state).await?;
        }
        Ok(state)
    }
}

/// The charge that pays a payment: that of the receipt it has; else the first with money on it; else the first that
/// ever had any.
pub(super) fn own_charge<'a>(payment: &store::Locked, on_file: &'a [Charge]) -> Option<&'a Charge> {
    let known = payment.receipt_id.as_deref();
    let paying = || on_file.iter().filter(|c| c.was_paid && c.amount == payment.amount);
    paying()
        .find(|c| Some(c.receipt_id.as_str()) == known)
        .or_else(|| paying().find(|c| c.is_live()))
        .or_else(|| paying().next())
}

/// A payment whose facts have changed, under lock, with the booking it is linked to.
struct Change<'a> {
    orders: &'a Orders,
    cause: &'a Cause,
    payment: &'a store::Locked,
    booking: Option<&'a bookings::store::Locked>,
}

impl Change<'_> {
    /// Refunds every paid charge that isn't the payment's own: a second receipt, or another amount.
    async fn return_what_is_not_ours(
        &self,
        tx: &mut MySqlConnection,
        on_file: &[Charge],
        own: Option<&str>,
    ) -> sqlx::Result<()> {
        for charge in on_file.iter().filter(|c| c.is_live() && Some(c.receipt_id.as_str()) != own) {
            let reason = if charge.amount == self.payment.amount { reason::SURPLUS } else { reason::WRONG_AMOUNT };
            let purpose = Purpose { payment_id: Some(self.payment.payment_id), booking_id: None, reason };
            refunds::queue(tx, self.cause, &charge.receipt_id, purpose).await?;
        }
        Ok(())
    }

    /// Does what a new state of the payment asks for.
    async fn follow(&self, tx: &mut MySqlConnection, state: PaymentStatus) -> sqlx::Result<()> {
        match state {
            // Whether it ever looked paid here or not: that it was is told first or last.
            PaymentStatus::Cancelled => self.money_went(tx).await,
            PaymentStatus::Failed => self.declined(tx).await,
            _ if state.has_money() && !self.payment.status.has_money() => self.money_came(tx).await,
            _ => Ok(()),
        }
    }

    async fn money_came(&self, tx: &mut MySqlConnection) -> sqlx::Result<()> {
        if self.payment.status == PaymentStatus::Cancelled || self.payment.is_closed {
            return refund(tx, self.cause, self.payment, reason::SURPLUS).await;
        }
        let Some(booking) = self.booking else { return self.keep_reserved(tx).await };
        let verdict = if booking.total != self.payment.amount {
            Verdict::TooLate
        } else if booking.status.is_sold() && !self.is_paid_by_another(tx, booking).await? {
            // The original sold it before it knew of money: this is that money.
            Verdict::Accepted
        } else {
            bookings::accept_payment(self.orders, tx, self.cause, booking).await?
        };
        match verdict {
            Verdict::Accepted => Ok(()),
            Verdict::Surplus => refund(tx, self.cause, self.payment, reason::SURPLUS).await,
            Verdict::TooLate => refund(tx, self.cause, self.payment, reason::TOO_LATE).await,
        }
    }

    /// Its booking call is to come: what is reserved for it waits for that. What a decline before gave back is
    /// reserved anew, where it is still free.
    async fn keep_reserved(&self, tx: &mut MySqlConnection) -> sqlx::Result<()> {
        let Some(reservation) = self.payment.hold_id else { return Ok(()) };
        if inventory::keep(tx, reservation).await? || self.payment.status != PaymentStatus::Failed {
            return Ok(());
        }
        waiting::reserve_again(self.orders, tx, self.payment).await
    }

    /// All of it went back. If that wasn't our doing, the booking it paid for is over, too, or the one it would have.
    async fn money_went(&self, tx: &mut MySqlConnection) -> sqlx::Result<()> {
        let Some(booking) = self.booking else { return self.release_reservation(tx).await };
        let is_its = match booking.status {
            BookingStatus::Confirmed => true,
            BookingStatus::Pending => {
                !self.payment.is_closed && !approvals::has_let_go(tx, self.payment.payment_id).await?
            }
            BookingStatus::Cancelled | BookingStatus::Completed => false,
        };
        if !is_its || self.is_paid_by_another(tx, booking).await? {
            return Ok(());
        }
        bookings::cancel::reverse(tx, self.cause, booking).await
    }

    /// Whether another payment pays for the booking.
    async fn is_paid_by_another(
        &self,
        tx: &mut MySqlConnection,
        booking: &bookings::store::Locked,
    ) -> sqlx::Result<bool> {
        let linked = store::lock_of_booking(tx, booking.booking_id).await?;
        Ok(linked.iter().any(|p| p.payment_id != self.payment.payment_id && p.status.has_money() && !p.is_closed))
    }

    /// The card was declined: what was reserved for it is free at once.
    async fn declined(&self, tx: &mut MySqlConnection) -> sqlx::Result<()> {
        if self.booking.is_none() { self.release_reservation(tx).await } else { Ok(()) }
    }

    async fn release_reservation(&self, tx: &mut MySqlConnection) -> sqlx::Result<()> {
        match (self.payment.schedule_id, self.payment.hold_id) {
            (Some(schedule_id), Some(reservation)) => waiting::release_reservation(tx, schedule_id, reservation).await,
            _ => Ok(()),
        }
    }
}
