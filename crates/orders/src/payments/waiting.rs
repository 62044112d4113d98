//! Pay first, book after: the browser client pays for an order and then books without naming it. So a booking call
//! looks for the caller's own payment that waits for exactly this.

use common::db;
use common::events::{self, Cause, Subject};
use common::money::Money;
use inventory::{HoldError, HoldId, Want};
use serde_json::json;
use sqlx::MySqlConnection;

use super::{LinkedBy, PaymentStatus, store};
use crate::bookings::{self, NewBooking, Verdict};
use crate::seats::{self, Seats};
use crate::{Orders, approvals};

/// A payment that waits for its booking.
#[derive(Clone, Debug)]
pub(crate) struct WaitingPayment {
    pub(crate) payment_id: i64,
    pub(crate) unit_price: Option<Money>,
    pub(crate) hold_id: Option<HoldId>,
    status: PaymentStatus,
    /// While none is known to be paid: its order, and those of others like it.
    unfinished: Vec<String>,
}

impl WaitingPayment {
    pub(crate) fn is_paid(&self) -> bool {
        self.status == PaymentStatus::Paid
    }
}

/// What a booking call finds.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    /// A payment that waits.
    Open(WaitingPayment),
    /// Only payments that failed or are being refunded.
    OnlyClosed,
    /// Nothing: an ordinary booking, to be paid after.
    None,
}

impl Waiting {
    /// The orders that may have been paid, for all we know.
    pub(crate) fn unfinished(&self) -> Option<Vec<String>> {
        match self {
            Self::Open(payment) if !payment.unfinished.is_empty() => Some(payment.unfinished.clone()),
            _ => None,
        }
    }
}

/// Locks the caller's payment that waits for this booking: for the same schedule, number of passengers and `total`
/// (any, if none is named), begun within `memory`. A paid one is preferred, then the newest; one that was given up
/// can still turn out to be paid.
pub(crate) async fn lock_waiting(
    connection: &mut MySqlConnection,
    new: &NewBooking,
    total: Option<Money>,
    memory: chrono::TimeDelta,
) -> sqlx::Result<Waiting> {
    let mut payments = store::lock_unlinked(connection, new.user_id, new.schedule_id, new.quantity(), memory).await?;
    payments.retain(|p| p.is_recent && total.is_none_or(|total| total == p.amount));
    let of = |status| payments.iter().filter(move |p| p.status == status && !p.is_closed);
    let unfinished = || of(PaymentStatus::Requested).chain(of(PaymentStatus::Expired));
    let paid = oldest_paid(connection, &payments).await?;
    Ok(match paid.or_else(|| unfinished().next()) {
        Some(payment) => Waiting::Open(WaitingPayment {
            payment_id: payment.payment_id,
            unit_price: payment.unit_price,
            hold_id: payment.hold_id,
            status: payment.status,
            unfinished: match paid {
                Some(_) => Vec::new(),
                None => unfinished().filter_map(|p| p.order_id.clone()).collect(),
            },
        }),
        None if payments.is_empty() => Waiting::None,
        None => Waiting::OnlyClosed,
    })
}

/// The paid one of these payments, which are listed newest first. Of several, the oldest that still has its seats
/// reserved: who pays for two bookings in two tabs makes them in the same order.
async fn oldest_paid<'a>(
    connection: &mut MySqlConnection,
    payments: &'a [store::Locked],
) -> sqlx::Result<Option<&'a store::Locked>> {
    let paid: Vec<_> = payments.iter().rev().filter(|p| p.status == PaymentStatus::Paid && !p.is_closed).collect();
    if paid.len() > 1 {
        for payment in &paid {
            if let Some(reservation) = payment.hold_id
                && inventory::is_live(connection, reservation).await?
            {
                return Ok(Some(payment));
            }
        }
    }
    Ok(paid.first().copied())
}

/// Ties a payment that waited to the booking made for it, which has taken over its reservation.
pub(crate) async fn link_waiting(
    connection: &mut MySqlConnection,
    cause: &Cause,
    payment: &WaitingPayment,
    booking_id: i64,
) -> sqlx::Result<()> {
    store::link(connection, payment.payment_id, Some(booking_id), Some(LinkedBy::Booking), None).await?;
    let new = json!({ "booking_id": booking_id, "linked_by": LinkedBy::Booking });
    events::record(connection, cause, Subject::Payment, payment.payment_id, "linked", &(), &new).await
}

/// The same booking was called for twice. If it still waits for its payment and the caller has one that is paid,
/// that one takes the place of the guess.
pub(crate) async fn take_up_paid(
    orders: &Orders,
    cause: &Cause,
    new: &NewBooking,
    booking_id: i64,
) -> sqlx::Result<()> {
    let mut tx = orders.db.begin().await?;
    let Some(booking) = bookings::store::lock(&mut tx, booking_id).await? else { return Ok(()) };
    if !booking.is_payable() {
        return Ok(());
    }
    let linked = store::lock_of_booking(&mut tx, booking_id).await?;
    let waiting = lock_waiting(&mut tx, new, Some(booking.total), orders.terms.memory).await?;
    let Waiting::Open(payment) = waiting else { return Ok(()) };
    if !payment.is_paid() || linked.iter().any(|p| p.status.has_money()) {
        return Ok(());
    }
    give_way(&mut tx, orders, &linked, None, payment.hold_id, booking.schedule_id).await?;
    link_waiting(&mut tx, cause, &payment, booking_id).await?;
    if bookings::accept_payment(orders, &mut tx, cause, &booking).await? == Verdict::Accepted {
        db::commit(tx).await
    } else {
        events::take_back();
        tx.rollback().await
    }
}

/// Unties the guesses among a booking's payments because another payment takes their place. The first of them
/// takes that one's old place: the booking `elsewhere` it was tied to, or the `reservation` it no longer needs,
/// which from now on lasts as long as any unpaid one.
pub(super) async fn give_way(
    connection: &mut MySqlConnection,
    orders: &Orders,
    linked: &[store::Locked],
    mut elsewhere: Option<i64>,
    mut reservation: Option<HoldId>,
    schedule_id: i64,
) -> sqlx::Result<()> {
    for guess in linked.iter().filter(|p| matches!(p.linked_by, Some(LinkedBy::Booking | LinkedBy::Attach))) {
        if approvals::is_under_way(connection, guess.payment_id).await? {
            continue;
        }
        let (to, hold) = (elsewhere.take(), reservation.take());
        if let Some(hold) = hold {
            inventory::renew(connection, hold, orders.terms.hold).await?;
        }
        store::link(connection, guess.payment_id, to, to.map(|_| LinkedBy::Booking), hold).await?;
    }
    match reservation {
        Some(unneeded) => release_reservation(connection, schedule_id, unneeded).await,
        None => Ok(()),
    }
}

/// Reserves the seats of a locked payment anew, until it is booked or refunded, if that many are still free. Its booking
/// call finds out if not.
pub(super) async fn reserve_again(
    orders: &Orders,
    connection: &mut MySqlConnection,
    payment: &store::Locked,
) -> sqlx::Result<()> {
    let Some(had) = store::reservation_of(connection, payment.payment_id).await? else { return Ok(()) };
    let schedule = seats::lock(connection, had.schedule_id).await?;
    if !schedule.is_some_and(|schedule| schedule.is_on_sale(orders.clock.now())) {
        return Ok(());
    }
    let hold = HoldId::new();
    let want = Want { owner_id: had.owner, quantity: had.quantity, units: &[], lasts: None, yielding: true, cap: None };
    match inventory::hold(connection, &Seats(had.schedule_id), hold, &want).await {
        Ok(()) => store::link(connection, payment.payment_id, None, None, Some(hold)).await,
        Err(HoldError::Database(error)) => Err(error),
        Err(HoldError::NotEnough | HoldError::UnitTaken(_) | HoldError::CapReached) => Ok(()),
    }
}

/// Gives a reservation's seats back.
pub(super) async fn release_reservation(
    connection: &mut MySqlConnection,
    schedule_id: i64,
    reservation: HoldId,
) -> sqlx::Result<()> {
    let pool = Seats(schedule_id);
    inventory::lock(connection, &pool).await?;
    inventory::release(connection, &pool, reservation).await.map(drop)
}
