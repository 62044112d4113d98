//! What cancelling a booking would pay, and what it pays: the quote and the cancel ask the same rule the same question,
//! one to tell and the other, under lock, to do it.

use chrono::{DateTime, TimeDelta, Utc};
use common::money::Money;
use sqlx::MySqlConnection;

use super::store::{self, Locked};
use super::{BookingRef, BookingStatus, CancelError};
use crate::payments::{self, Method, Owed};
use crate::refunds::rule::{self, Facts, Quote, Rule};
use crate::{Orders, charges};

/// What cancelling a booking would pay now.
#[derive(Clone, Debug)]
pub struct Cancellation {
    /// The booking's number, as stored.
    pub booking_number: String,
    /// Why it can't be cancelled; `None` if it can.
    pub obstacle: Option<Obstacle>,
    /// What would be paid.
    pub quote: Quote,
    /// How much went back before, or is on its way.
    pub refunded: Money,
    /// How it was paid, and so where the money would go.
    pub method: Option<Method>,
    /// The rule it was sold under.
    pub rule: Rule,
    /// How many seats would be free.
    pub seats: i64,
    /// Until when this is so: the rule's next step, departure, or until when it must be paid.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a booking can't be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is cancelled already, or flown.
    NotLive,
    /// Its flight has left.
    Departed,
}

impl From<Obstacle> for CancelError {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::NotLive => Self::NotLive,
            Obstacle::Departed => Self::Departed,
        }
    }
}

/// What stands in the way of cancelling a booking whose flight leaves at `departs_at`.
pub(super) fn obstacle(booking: &Locked, departs_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Obstacle> {
    let flown = booking.status == BookingStatus::Completed;
    if !flown && !booking.is_live() {
        Some(Obstacle::NotLive)
    } else if departs_at <= now {
        Some(Obstacle::Departed)
    } else {
        flown.then_some(Obstacle::NotLive)
    }
}

/// What a booking's rule says of its payments.
#[derive(Debug)]
pub(super) struct Assessed {
    quote: Quote,
    rule: Rule,
    refunded: Money,
    /// The payment that pays for it, and its receipt.
    paying: Option<(i64, String)>,
}

impl Assessed {
    /// What is owed of the charge that pays the booking.
    pub(super) fn owed(&self) -> Option<Owed> {
        let (_, receipt_id) = self.paying.clone()?;
        Some(Owed { receipt_id, amount: self.quote.amount, rule: self.rule.version })
    }
}

/// Asks the rule that a booking was sold under what cancelling it pays, so long before departure. `linked` are the
/// booking's payments.
pub(super) async fn assess(
    connection: &mut MySqlConnection,
    booking_id: i64,
    linked: &[payments::store::Locked],
    until_departure: TimeDelta,
) -> sqlx::Result<Assessed> {
    let paying = linked.iter().find(|payment| payment.status.has_money() && !payment.is_closed);
    let paying = paying.and_then(|payment| Some((payment.payment_id, payment.receipt_id.clone()?)));
    let standing = match &paying {
        Some((_, receipt_id)) => charges::store::standing(connection, receipt_id).await?,
        None => None,
    };
    let (paid, refunded) = standing.map_or((Money::ZERO, Money::ZERO), |standing| (standing.paid(), standing.back()));
    let prices = rule::shares(paid, &store::fares(connection, booking_id).await?);
    let rule = rule::store::of_booking(connection, booking_id).await?;
    let quote = rule::quote(&rule, &Facts { prices, refunded, until_departure });
    Ok(Assessed { quote, rule, refunded, paying })
}

impl Orders {
    /// What cancelling a booking would pay its owner now; `None` if there is no such booking, or it isn't theirs.
    /// Changes nothing.
    pub async fn cancellation(&self, user_id: i64, number: &str) -> sqlx::Result<Option<Cancellation>> {
        let mut connection = self.db.acquire().await?;
        let found = store::find(&mut connection, &BookingRef::Number(number.to_owned())).await?;
        let Some((booking_id, _)) = found.filter(|(_, owner_id)| *owner_id == user_id) else { return Ok(None) };
        let Some(booking) = store::read(&mut connection, booking_id).await? else { return Ok(None) };
        let schedule = catalogue::schedules::find(&mut connection, booking.schedule_id).await?;
        let departs_at = schedule.ok_or(sqlx::Error::RowNotFound)?.departs_at();
        let now = self.clock.now();
        let linked = payments::store::read_of_booking(&mut connection, booking_id).await?;
        let assessed = assess(&mut connection, booking_id, &linked, departs_at - now).await?;
        let method = match assessed.paying {
            Some((payment_id, _)) => payments::store::method_of(&mut connection, payment_id).await?,
            None => None,
        };
        let due = store::payment_due_at(&mut connection, booking_id).await?;
        let due = due.filter(|_| booking.status == BookingStatus::Pending);
        let obstacle = obstacle(&booking, departs_at, now);
        let lasts = now + assessed.quote.lasts;
        Ok(Some(Cancellation {
            booking_number: booking.booking_number,
            obstacle,
            refunded: assessed.refunded,
            method,
            rule: assessed.rule,
            seats: if obstacle.is_none() { booking.passengers } else { 0 },
            expires_at: obstacle.is_none().then(|| due.map_or(lasts, |due| due.min(lasts))),
            quote: assessed.quote,
        }))
    }
}
