//! Beginning a payment. Everything that can be refused is refused here, before anybody's card is charged: the price,
//! the sale, the capacity.

use catalogue::schedules::ScheduleStatus;
use common::db;
use common::error::Chain;
use common::events::{self, Cause, Subject};
use common::idempotency::{Once, Told, Tx};
use common::money::Money;
use inventory::{HoldError, HoldId, Want};
use serde_json::json;
use sqlx::Connection;

use super::store::{self, NewRow};
use super::{LinkedBy, Method, Processor};
use crate::Orders;
use crate::bookings::{self, BookingRef, MOST_PASSENGERS};
use crate::seats::{self, Seats};

/// What is paid for.
#[derive(Clone, Debug)]
pub enum Target {
    /// A booking that waits for its payment.
    Booking(BookingRef),
    /// Seats of a schedule, to be booked after.
    Schedule(i64),
    /// Something to be attached later.
    Open,
}

/// What somebody wants to pay.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// Whose it is.
    pub user_id: i64,
    /// What for.
    pub target: Target,
    /// How much.
    pub amount: Money,
    /// How.
    pub method: Method,
    /// Through whom.
    pub processor: Processor,
    /// The client's own order id, if it made one.
    pub order_id: Option<String>,
    /// What the payment window calls it.
    pub order_name: String,
}

/// A payment that was begun.
#[derive(Clone, Debug)]
pub struct Requested {
    /// Its id.
    pub payment_id: i64,
    /// What the provider will call it.
    pub order_id: String,
}

/// Why a payment can't be begun. Nothing is stored then, and nobody should be charged.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is no such schedule.
    #[error("there is no such schedule")]
    UnknownSchedule,
    /// There is no such booking, or it isn't the caller's.
    #[error("there is no such booking")]
    UnknownBooking,
    /// The booking doesn't wait for a payment.
    #[error("the booking does not wait for a payment")]
    NotPayable,
    /// The flight has left, is cancelled, or is not sold any more.
    #[error("the flight is not on sale")]
    NotOnSale,
    /// The amount isn't the price of one to nine seats, or of the booking.
    #[error("the amount is not what it costs")]
    WrongAmount,
    /// Fewer seats are free than the amount pays for.
    #[error("not enough seats are free")]
    SoldOut,
    /// The caller holds as many unpaid seats on this flight as allowed.
    #[error("too many seats are held unpaid")]
    TooManyHeld,
    /// Somebody used this order id before.
    #[error("the order id was used before")]
    OrderIdUsed,
    /// The database failed.
    #[error("could not begin the payment")]
    Database(#[from] sqlx::Error),
}

impl From<HoldError> for InitError {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::NotEnough | HoldError::UnitTaken(_) => Self::SoldOut,
            HoldError::CapReached => Self::TooManyHeld,
            HoldError::Database(error) => Self::Database(error),
        }
    }
}

impl Orders {
    /// Begins a payment: for a booking, or with seats reserved for whoever books after.
    pub async fn init_payment(
        &self,
        cause: &Cause,
        new: &NewPayment,
        once: &Once<'_, Requested>,
    ) -> Result<Told<Requested>, InitError> {
        let told = self.transact(|| once.run(&self.db, |tx| self.init_once(tx, cause, new))).await?;
        if let Target::Schedule(schedule_id) = new.target {
            self.seats_changed(schedule_id).await;
        }
        if let Some(order_id) = &new.order_id {
            // A client that makes its own ids may have let its buyer pay before it told us. The payment is begun
            // either way, and what can't be applied now is applied by the job.
            if let Err(error) = self.catch_up(order_id).await {
                tracing::warn!(error = %Chain(&error), "what the provider told of an order before waits in the inbox");
            }
        }
        Ok(told)
    }

    async fn init_once(
        &self,
        mut tx: Tx<'_, Requested>,
        cause: &Cause,
        new: &NewPayment,
    ) -> Result<Told<Requested>, InitError> {
        let plan = match &new.target {
            Target::Open => Plan::default(),
            Target::Booking(reference) => {
                let (booking_id, _) = bookings::store::find(&mut tx, reference)
                    .await?
                    .filter(|(_, owner)| *owner == new.user_id)
                    .ok_or(InitError::UnknownBooking)?;
                self.plan_for_booking(&mut tx, new, booking_id, LinkedBy::Init).await?
            }
            Target::Schedule(schedule_id) => {
                let waiting =
                    bookings::store::payable_without_payment(&mut tx, new.user_id, *schedule_id, new.amount).await?;
                match waiting[..] {
                    [booking_id] => self.plan_for_booking(&mut tx, new, booking_id, LinkedBy::Booking).await?,
                    _ => self.plan_for_schedule(&mut tx, new, *schedule_id).await?,
                }
            }
        };
        let requested = self.insert_payment(&mut tx, new, &plan).await?;
        let made = json!({ "amount": new.amount, "booking_id": plan.booking_id, "schedule_id": plan.schedule_id });
        events::record(&mut tx, cause, Subject::Payment, requested.payment_id, "requested", &(), &made).await?;
        Ok(tx.commit(requested).await?)
    }

    /// A pending booking's own hold serves as the reservation; it lasts on while the provider decides.
    async fn plan_for_booking(
        &self,
        tx: &mut sqlx::MySqlConnection,
        new: &NewPayment,
        booking_id: i64,
        linked_by: LinkedBy,
    ) -> Result<Plan, InitError> {
        let booking = bookings::store::lock(tx, booking_id).await?.ok_or(InitError::UnknownBooking)?;
        if !booking.is_payable() {
            return Err(InitError::NotPayable);
        }
        // What was taken off sale since is still theirs to pay, but not what has left or isn't flown.
        let schedule = catalogue::schedules::find(tx, booking.schedule_id).await?.ok_or(InitError::UnknownSchedule)?;
        if schedule.status == ScheduleStatus::Cancelled || schedule.departs_at() <= self.clock.now() {
            return Err(InitError::NotOnSale);
        }
        if booking.total != new.amount {
            return Err(InitError::WrongAmount);
        }
        if let Some(hold) = booking.hold_id {
            inventory::extend(tx, hold, self.terms.pin).await?;
        }
        Ok(Plan {
            booking_id: Some(booking_id),
            schedule_id: Some(booking.schedule_id),
            quantity: Some(booking.passengers),
            unit_price: booking.unit_price,
            hold_id: None,
            linked_by: Some(linked_by),
        })
    }

    /// Locks the price and reserves the seats that the amount pays for.
    async fn plan_for_schedule(
        &self,
        tx: &mut sqlx::MySqlConnection,
        new: &NewPayment,
        schedule_id: i64,
    ) -> Result<Plan, InitError> {
        let schedule = seats::lock(tx, schedule_id).await?.ok_or(InitError::UnknownSchedule)?;
        if !schedule.is_on_sale(self.clock.now()) {
            return Err(InitError::NotOnSale);
        }
        let unit_price = schedule.unit_price();
        let quantity = (1..=MOST_PASSENGERS)
            .find(|n| u32::try_from(*n).ok().and_then(|n| unit_price.times(n)) == Some(new.amount))
            .and_then(|n| i64::try_from(n).ok())
            .ok_or(InitError::WrongAmount)?;
        let pool = Seats(schedule_id);
        let unpaid = store::unpaid_of(tx, new.user_id, schedule_id, self.terms.memory).await?;
        let hold_id = HoldId::new();
        let want = Want {
            owner_id: new.user_id,
            quantity,
            units: &[],
            lasts: Some(self.terms.hold),
            yielding: true,
            cap: Some(self.terms.held_seats),
        };
        let reserves = unpaid < self.terms.unpaid_inits;
        if reserves {
            inventory::hold(tx, &pool, hold_id, &want).await?;
        } else {
            // Who began so many is only told whether there is room.
            let mut probe = tx.begin().await?;
            inventory::hold(&mut probe, &pool, hold_id, &want).await?;
            probe.rollback().await?;
        }
        Ok(Plan {
            booking_id: None,
            schedule_id: Some(schedule_id),
            quantity: Some(quantity),
            unit_price: Some(unit_price),
            hold_id: reserves.then_some(hold_id),
            linked_by: None,
        })
    }

    /// Inserts the row; an order id of ours that collides is drawn again.
    async fn insert_payment(
        &self,
        tx: &mut sqlx::MySqlConnection,
        new: &NewPayment,
        plan: &Plan,
    ) -> Result<Requested, InitError> {
        loop {
            let order_id = new.order_id.clone().unwrap_or_else(|| self.draw_order_id(new.user_id, plan.schedule_id));
            let row = NewRow {
                user_id: new.user_id,
                booking_id: plan.booking_id,
                schedule_id: plan.schedule_id,
                method: new.method,
                processor: new.processor,
                amount: new.amount,
                quantity: plan.quantity,
                unit_price: plan.unit_price,
                order_id: &order_id,
                order_name: &new.order_name,
                hold_id: plan.hold_id,
                linked_by: plan.linked_by,
            };
            match store::insert(tx, &row).await {
                Ok(payment_id) => return Ok(Requested { payment_id, order_id }),
                Err(error) if db::violated_constraint(&error) == Some("uq_payments_order_id") => {
                    if new.order_id.is_some() {
                        return Err(InitError::OrderIdUsed);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn draw_order_id(&self, user_id: i64, schedule_id: Option<i64>) -> String {
        let schedule = schedule_id.map_or_else(|| "NA".to_owned(), |id| id.to_string());
        format!("CJ-ORD-{user_id}-{schedule}-{}", self.chance.text(b"0123456789abcdef", 8))
    }
}

/// What a new payment is tied to.
#[derive(Debug, Default)]
struct Plan {
    booking_id: Option<i64>,
    schedule_id: Option<i64>,
    quantity: Option<i64>,
    unit_price: Option<Money>,
    hold_id: Option<HoldId>,
    linked_by: Option<LinkedBy>,
}
