//! Booking: seats are held before anything else is promised; a payment that waits for this booking is taken up.

use catalogue::schedules::Schedule;
use common::db;
use common::events::{self, Cause, Subject};
use common::idempotency::{Once, Told, Tx};
use common::money::Money;
use inventory::{HoldError, HoldId, Want};
use serde_json::json;
use sqlx::MySqlConnection;

use super::store::{self, NewRow};
use super::{BookingNumber, BookingStatus, Contact, NewBooking, Receipt, view};
use crate::payments::{self, Waiting, WaitingPayment};
use crate::seats::{self, Seats};
use crate::{Orders, bookings};

/// What came of a booking call.
#[derive(Clone, Debug)]
pub enum Booked {
    /// A new booking.
    New(Receipt),
    /// The caller's own live booking already has this seat for these passengers: the same call twice.
    Already(Receipt),
}

/// Why a booking can't be made. Nothing is stored then.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// There is no such schedule.
    #[error("there is no such schedule")]
    UnknownSchedule,
    /// The flight has left, is cancelled, or is not sold any more.
    #[error("the flight is not on sale")]
    NotOnSale,
    /// Fewer seats are free than passengers want to fly.
    #[error("not enough seats are free")]
    SoldOut,
    /// The aircraft has no such seat, or nobody may choose it.
    #[error("the cabin offers no seat {0}")]
    NoSuchSeat(String),
    /// Somebody else has this seat.
    #[error("seat {0} is taken")]
    SeatTaken(String),
    /// The caller holds as many unpaid seats on this flight as allowed.
    #[error("too many seats are held unpaid")]
    TooManyHeld,
    /// The client's total isn't what it costs.
    #[error("the total is {0}")]
    WrongTotal(Money),
    /// The caller's payment for this has failed or is being refunded.
    #[error("the payment for this booking is closed")]
    PaymentClosed,
    /// The database failed.
    #[error("could not book")]
    Database(#[from] sqlx::Error),
}

/// What came of trying to place a booking.
enum Placed {
    Told(Told<Booked>),
    /// Nothing yet: these orders of the caller's may have been paid.
    Unsure(Vec<String>),
}

impl From<Told<Booked>> for Placed {
    fn from(told: Told<Booked>) -> Self {
        Self::Told(told)
    }
}

impl From<HoldError> for BookError {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::NotEnough => Self::SoldOut,
            HoldError::UnitTaken(seat) => Self::SeatTaken(seat),
            HoldError::CapReached => Self::TooManyHeld,
            HoldError::Database(error) => Self::Database(error),
        }
    }
}

impl Orders {
    /// Books. The seats decide: of any number of callers who want the last ones, as many get them as there are.
    pub async fn book(
        &self,
        cause: &Cause,
        new: &NewBooking,
        once: &Once<'_, Booked>,
    ) -> Result<Told<Booked>, BookError> {
        match self.place(cause, new, once).await {
            Ok(told) => {
                if let Some(Booked::New(Receipt { search_key: Some(key), .. })) = told.done() {
                    self.cache.forget(key).await;
                }
                Ok(told)
            }
            Err(BookError::Database(error)) => Err(error.into()),
            // Whatever stands in the way of another booking, this very one may be made already.
            Err(refusal) => {
                if let Some(receipt) = self.same_booking(cause, new).await? {
                    return Ok(once.conclude(&self.db, Booked::Already(receipt)).await?);
                }
                self.metrics.refused(&refusal);
                Err(refusal)
            }
        }
    }

    /// Places the booking. If a payment waits for it unpaid, the provider is asked about that first: its webhook may be
    /// on its way still. What the provider can't tell is left to the webhook.
    async fn place(&self, cause: &Cause, new: &NewBooking, once: &Once<'_, Booked>) -> Result<Told<Booked>, BookError> {
        let mut asked = false;
        loop {
            match self.transact(|| once.run(&self.db, |tx| self.try_to_place(tx, cause, new, asked))).await? {
                Placed::Told(told) => return Ok(told),
                Placed::Unsure(orders) => self.ask_about(&orders).await?,
            }
            asked = true;
        }
    }

    async fn try_to_place(
        &self,
        mut tx: Tx<'_, Booked>,
        cause: &Cause,
        new: &NewBooking,
        asked: bool,
    ) -> Result<Placed, BookError> {
        let contact = contact(&mut tx, new).await?;
        let waiting = payments::lock_waiting(&mut tx, new, new.total, self.terms.memory).await?;
        if let Some(orders) = waiting.unfinished()
            && !asked
        {
            tx.rollback().await?;
            return Ok(Placed::Unsure(orders));
        }
        let found = catalogue::schedules::find(&mut tx, new.schedule_id).await?.ok_or(BookError::UnknownSchedule)?;
        if matches!(waiting, Waiting::None) && self.is_sold_out(&mut tx, &found, new).await? {
            return Err(BookError::SoldOut);
        }
        let schedule = seats::lock_found(&mut tx, found).await?.ok_or(BookError::UnknownSchedule)?;
        if !schedule.is_on_sale(self.clock.now()) {
            return Err(BookError::NotOnSale);
        }
        let cabin = &schedule.cabin;
        if let Some(seat) = new.passengers.iter().filter_map(|p| p.seat).find(|seat| !cabin.offers(*seat)) {
            return Err(BookError::NoSuchSeat(seat.to_string()));
        }
        let payment = match waiting {
            Waiting::Open(payment) => Some(payment),
            Waiting::OnlyClosed => return Err(BookError::PaymentClosed),
            Waiting::None => None,
        };
        // A payment that waits has locked its price, even if the schedule's has moved since.
        let unit_price = payment.as_ref().and_then(|p| p.unit_price).unwrap_or_else(|| schedule.unit_price());
        let total = unit_price.times(new.quantity()).ok_or(BookError::SoldOut)?;
        if new.total.is_some_and(|said| said != total) {
            return Err(BookError::WrongTotal(total));
        }
        let paid = payment.as_ref().is_some_and(WaitingPayment::is_paid);

        let pool = Seats(new.schedule_id);
        if let Some(reservation) = payment.as_ref().and_then(|p| p.hold_id) {
            inventory::release(&mut tx, &pool, reservation).await?;
        }
        let hold_id = HoldId::new();
        let want = Want {
            owner_id: new.user_id,
            quantity: new.quantity().into(),
            units: &new.seats(),
            // What is paid is sold in a moment, and mustn't lapse before, however long that moment is.
            lasts: (!paid).then_some(self.terms.hold),
            yielding: false,
            cap: (!paid).then_some(self.terms.held_seats),
        };
        inventory::hold(&mut tx, &pool, hold_id, &want).await?;

        let status = if paid { BookingStatus::Confirmed } else { BookingStatus::Pending };
        let row = NewRow {
            new,
            contact: &contact,
            schedule: &schedule,
            unit_price,
            total,
            hold_id,
            status,
            hold: self.terms.hold,
        };
        let (booking_id, booking_number) = self.insert_under_free_number(&mut tx, &row).await?;
        store::insert_passengers(&mut tx, booking_id, new, unit_price).await?;
        if let Some(payment) = &payment {
            payments::link_waiting(&mut tx, cause, payment, booking_id).await?;
            if paid {
                inventory::sell(&mut tx, hold_id).await?;
            } else {
                inventory::extend(&mut tx, hold_id, self.terms.pin).await?;
            }
        }
        let payment_id = payment.as_ref().map(|p| p.payment_id);
        let made = json!({ "status": status, "total": total, "payment_id": payment_id });
        events::record(&mut tx, cause, Subject::Booking, booking_id, "booked", &(), &made).await?;
        let payment_due_at = store::payment_due_at(&mut tx, booking_id).await?;
        let (booking_number, search_key) = (booking_number.to_string(), Some(schedule.search_key()));
        let receipt = Receipt { booking_id, booking_number, status, payment_due_at, total, search_key };
        Ok(tx.commit(Booked::New(receipt)).await?.into())
    }

    /// Whether locking the schedule would show no more than is seen without: it is on sale, and too few of its seats are
    /// free. So a crowd that finds a flight sold out doesn't stand in line to be told.
    async fn is_sold_out(
        &self,
        connection: &mut MySqlConnection,
        schedule: &Schedule,
        new: &NewBooking,
    ) -> sqlx::Result<bool> {
        Ok(schedule.available_seats < new.quantity().into()
            && schedule.is_on_sale(self.clock.now())
            && !inventory::may_give_way(connection, new.schedule_id, new.user_id).await?)
    }

    /// Inserts the row under a number that nobody has; a collision draws again.
    async fn insert_under_free_number(
        &self,
        tx: &mut MySqlConnection,
        row: &NewRow<'_>,
    ) -> sqlx::Result<(i64, BookingNumber)> {
        loop {
            let number = BookingNumber::draw(&self.chance);
            match store::insert(tx, &number, row).await {
                Err(error) if db::violated_constraint(&error) == Some("uq_bookings_booking_number") => {}
                inserted => return inserted.map(|id| (id, number)),
            }
        }
    }

    /// The caller's own live booking of these seats for the same passengers, if there is one: the pay button was
    /// pressed twice. A payment that is paid and waits takes the place of one that isn't.
    async fn same_booking(&self, cause: &Cause, new: &NewBooking) -> Result<Option<Receipt>, BookError> {
        let Some(booking_id) = self.own_booking_of_seats(new).await? else { return Ok(None) };
        self.ask_about_payments_of(booking_id).await?;
        self.transact(|| payments::take_up_paid(self, cause, new, booking_id)).await?;
        self.seats_changed(new.schedule_id).await;
        let mut connection = self.db.acquire().await?;
        let receipt = store::receipt(&mut connection, booking_id).await?;
        // Its owner may have cancelled it meanwhile.
        Ok(receipt.filter(|receipt| receipt.status != BookingStatus::Cancelled))
    }

    async fn own_booking_of_seats(&self, new: &NewBooking) -> sqlx::Result<Option<i64>> {
        let Some(seat) = new.seats().into_iter().next() else { return Ok(None) };
        let mut connection = self.db.acquire().await?;
        let holder = inventory::holder_of(&mut connection, new.schedule_id, &seat).await?;
        let Some(holder) = holder else { return Ok(None) };
        let Some(booking_id) = store::live_booking_of_hold(&mut connection, holder, new.user_id).await? else {
            return Ok(None);
        };
        let passengers = view::store::passengers_of(&mut connection, &[booking_id]).await?;
        let same = passengers.len() == new.passengers.len()
            && passengers
                .iter()
                .zip(&new.passengers)
                .all(|(there, wanted)| bookings::view::is_same_person(there, wanted));
        Ok(same.then_some(booking_id))
    }
}

/// How the passengers are reached: as the request says, else as their account, by the first phone there is.
async fn contact(connection: &mut MySqlConnection, new: &NewBooking) -> sqlx::Result<Contact> {
    if let Some(contact) = &new.contact {
        return Ok(contact.clone());
    }
    let (email, phone) = store::account(connection, new.user_id).await?;
    let phone = new.passengers.first().and_then(|passenger| passenger.phone.clone()).or(phone);
    Ok(Contact { email, phone: phone.unwrap_or_default() })
}
