//! Bookings against their payments: whoever flies has paid once, and whoever doesn't has their money back.
//!
//! The trap is the adopted history. The system before us kept bookings without payments, and gave nothing back for
//! cancelled ones; that was looked through by people when it was adopted, and is theirs to decide.

mod store;

use common::events::{self, Cause, Subject};
use inventory::HoldId;
use serde_json::json;
use sqlx::MySqlConnection;

use crate::bookings::store::Locked;
use crate::bookings::{self, BookingStatus, CancelReason, Verdict, accept_payment};
use crate::payments::{self, give_up, refund};
use crate::reconcile::check::{Audit, Found, Rule, Suspect};
use crate::refunds::reason;
use crate::seats::Seats;

/// A booking that waits to be paid and is.
pub(in crate::reconcile) struct PaidUnconfirmed(i64);

impl Suspect for PaidUnconfirmed {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "paid-unconfirmed",
        means: "A booking's payment is paid, and the booking is still pending, or has expired.",
        heals: Some("It is confirmed, where its seats can still be had; else the money goes back."),
        to_do: "",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::paid_unconfirmed(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.confirm(audit)).await
    }
}

impl PaidUnconfirmed {
    async fn confirm(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let cause = Cause::system();
        let mut tx = audit.begin().await?;
        let Some(booking) = bookings::store::lock(&mut tx, self.0).await? else { return Ok(None) };
        let waits = match booking.status {
            BookingStatus::Pending => true,
            BookingStatus::Cancelled => booking.cancel_reason == Some(CancelReason::Expired),
            BookingStatus::Confirmed | BookingStatus::Completed => false,
        };
        let linked = payments::store::lock_of_booking(&mut tx, self.0).await?;
        let paid = linked.iter().find(|p| p.status.has_money() && !p.is_closed);
        let Some(payment) = paid.filter(|_| waits) else { return Ok(None) };
        let verdict = if payment.amount != booking.total {
            Verdict::TooLate
        } else if let Some(hold) = self.sold_already(&mut tx, &booking).await? {
            bookings::store::confirm(&mut tx, self.0, hold).await?;
            let (old, new) = (json!({ "status": booking.status }), json!({ "status": BookingStatus::Confirmed }));
            events::record(&mut tx, &cause, Subject::Booking, self.0, "confirmed", &old, &new).await?;
            Verdict::Accepted
        } else {
            accept_payment(audit.orders, &mut tx, &cause, &booking).await?
        };
        if verdict != Verdict::Accepted {
            refund(&mut tx, &cause, payment, reason::TOO_LATE).await?;
        }
        let what = format!(
            "{} was {}, and payment {} is {}",
            booking.booking_number, booking.status, payment.payment_id, payment.status
        );
        audit.heal(tx, Found::new("booking", &self.0, what).reseating(booking.schedule_id)).await
    }
}

impl PaidUnconfirmed {
    /// The hold of a locked booking, if its seats are sold already: it was confirmed, and somebody undid only that.
    async fn sold_already(&self, tx: &mut MySqlConnection, booking: &Locked) -> sqlx::Result<Option<HoldId>> {
        inventory::lock(tx, &Seats(booking.schedule_id)).await?;
        let is_whole = super::seats::store::wrong_claims_of(tx, self.0).await?.is_none();
        Ok(booking.hold_id.filter(|_| is_whole && booking.passengers > 0))
    }
}

/// A booking that several payments pay for.
pub(in crate::reconcile) struct PaidTwice(i64);

impl Suspect for PaidTwice {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "paid-twice",
        means: "Several payments pay for one booking.",
        heals: Some("The first one stays; the others go back."),
        to_do: "",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::paid_twice(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.give_back(audit)).await
    }
}

impl PaidTwice {
    async fn give_back(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let mut tx = audit.begin().await?;
        let Some(booking) = bookings::store::lock(&mut tx, self.0).await?.filter(|b| b.status.is_sold()) else {
            return Ok(None);
        };
        let mut paying = payments::store::lock_of_booking(&mut tx, self.0).await?;
        paying.retain(|p| p.status.has_money() && !p.is_closed);
        let [first, surplus @ ..] = paying.as_slice() else { return Ok(None) };
        if surplus.is_empty() {
            return Ok(None);
        }
        for payment in surplus {
            refund(&mut tx, &Cause::system(), payment, reason::SURPLUS).await?;
        }
        let others: Vec<_> = surplus.iter().map(|p| p.payment_id.to_string()).collect();
        let what = format!(
            "{} is paid by payment {}, and by {} as well",
            booking.booking_number,
            first.payment_id,
            others.join(", ")
        );
        audit.heal(tx, Found::new("booking", &self.0, what)).await
    }
}

/// A cancelled booking whose money nobody has begun to give back.
pub(in crate::reconcile) struct CancelledAndPaid(i64);

impl Suspect for CancelledAndPaid {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "cancelled-and-paid",
        means: "A booking is cancelled, and no refund of what was paid for it is queued.",
        heals: Some("All of it goes back, unless the booking was adopted."),
        to_do: "The system before this one gave nothing back: decide, and give it back in the provider's console.",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::cancelled_and_paid(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.give_back(audit)).await
    }
}

impl CancelledAndPaid {
    async fn give_back(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let mut tx = audit.begin().await?;
        let booking = bookings::store::lock(&mut tx, self.0).await?;
        let Some(booking) = booking.filter(|b| b.status == BookingStatus::Cancelled) else { return Ok(None) };
        let reason = booking.cancel_reason.unwrap_or(CancelReason::Admin);
        // What its owner gets back is decided when they cancel, and then the payment is closed; from the airline and
        // its administrators it is always all.
        let owes_all = matches!(reason, CancelReason::Admin | CancelReason::Airline);
        let mut owed = Vec::new();
        for payment in payments::store::lock_of_booking(&mut tx, self.0).await? {
            let undecided = payment.status.has_money() && (owes_all || !payment.is_closed);
            if undecided && store::has_money_left(&mut tx, payment.payment_id).await? {
                owed.push(payment);
            }
        }
        let Some(payment) = owed.first() else { return Ok(None) };
        let what = format!(
            "{} is cancelled, and payment {} is {}",
            booking.booking_number, payment.payment_id, payment.status
        );
        let found = Found::new("booking", &self.0, what);
        if !store::is_booked_here(&mut tx, self.0).await? {
            return Ok(Some(found));
        }
        for payment in &owed {
            refund(&mut tx, &Cause::system(), payment, reason.as_str()).await?;
        }
        audit.heal(tx, found).await
    }
}

/// A confirmed booking that nobody has paid for.
pub(in crate::reconcile) struct Unpaid(i64);

impl Suspect for Unpaid {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "confirmed-unpaid",
        means: "A booking is confirmed, and there is no money for it. It is never cancelled for that by itself.",
        heals: None,
        to_do: "Its history tells who confirmed it. Attach the payment it was paid by, or cancel it as an administrator.",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::confirmed_unpaid(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        if !store::is_booked_here(&mut *audit.connection().await?, self.0).await? {
            return Ok(None);
        }
        let mut tx = audit.begin().await?;
        let booking = bookings::store::lock(&mut tx, self.0).await?;
        let Some(booking) = booking.filter(|b| b.status == BookingStatus::Confirmed) else { return Ok(None) };
        payments::store::lock_of_booking(&mut tx, self.0).await?;
        if store::is_paid_for(&mut tx, self.0).await? {
            return Ok(None);
        }
        let what = format!("{} over {} is confirmed, and nothing is paid", booking.booking_number, booking.total);
        Ok(Some(Found::new("booking", &self.0, what)))
    }
}

/// Money that nobody booked for in time, and that is still here.
pub(in crate::reconcile) struct Unbooked(store::Unbooked);

impl Suspect for Unbooked {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "paid-unbooked",
        means: "A payment is paid, no booking came for it in time, and it does not go back.",
        heals: Some("It goes back, unless it was adopted and several bookings may be what for."),
        to_do: "Attach it to the booking it was made for, or give it back in the provider's console.",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let after_seconds = audit.orders.terms.reconcile_after;
        let page = store::unbooked(&mut *audit.connection().await?, audit.scope, after_seconds, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0.payment_id
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.give_back(audit)).await
    }
}

impl Unbooked {
    async fn give_back(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let mut tx = audit.begin().await?;
        let payment = payments::store::lock(&mut tx, self.0.payment_id).await?;
        let Some(payment) = payment.filter(|p| p.status.has_money() && p.waits()) else { return Ok(None) };
        let found = Found::new(
            "payment",
            &payment.payment_id,
            format!("{} over {} without a booking", payment.status, payment.amount),
        );
        if self.0.is_undated {
            return Ok(Some(found));
        }
        give_up(&mut tx, &Cause::system(), &payment, reason::UNBOOKED).await?;
        let found = match payment.schedule_id {
            Some(schedule_id) => found.reseating(schedule_id),
            None => found,
        };
        audit.heal(tx, found).await
    }
}
