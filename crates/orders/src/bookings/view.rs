//! Bookings as their owners and the airline's desk see them.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use common::money::Money;
use common::page::Page;

use super::{BookingRef, BookingStatus, CancelReason, Gender, Passenger, store};
use crate::Orders;

/// A booking with what was sold and who flies.
#[derive(Clone, Debug)]
pub struct Booking {
    /// Its id.
    pub booking_id: i64,
    /// Its number.
    pub booking_number: String,
    /// Whose it is.
    pub user_id: i64,
    /// The owner's name.
    pub user_name: String,
    /// The owner's e-mail address.
    pub user_email: String,
    /// On which schedule.
    pub schedule_id: i64,
    /// The first passenger's seat.
    pub seat_number: Option<String>,
    /// What it costs in all.
    pub total_amount: Money,
    /// Where to reach the passengers.
    pub contact_email: String,
    /// Where to reach the passengers.
    pub contact_phone: String,
    /// How they wanted to pay.
    pub payment_method: String,
    /// Where it stands: a pending one reads cancelled from its deadline on.
    pub status: BookingStatus,
    /// Why it was cancelled, if it was.
    pub cancel_reason: Option<CancelReason>,
    /// Until when it must be paid, while it is pending.
    pub payment_due_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The local day the flight leaves.
    pub flight_date: NaiveDate,
    /// The flight number sold.
    pub flight_id: String,
    /// Who flies it.
    pub airline: String,
    /// Where it leaves (IATA).
    pub departure_airport: String,
    /// Where it arrives (IATA).
    pub arrival_airport: String,
    /// The name of the airport it leaves from.
    pub departure_name: String,
    /// The name of the airport it arrives at.
    pub arrival_name: String,
    /// The local time it leaves.
    pub departure_time: NaiveTime,
    /// The local time it arrives.
    pub arrival_time: NaiveTime,
    /// How long it flies, for people.
    pub duration: String,
    /// What flies.
    pub aircraft: String,
    /// Who flies.
    pub passengers: Vec<BookedPassenger>,
}

/// A passenger of a booking.
#[derive(Clone, Debug)]
pub struct BookedPassenger {
    /// Which booking.
    pub booking_id: i64,
    /// Name in Korean, or the only one.
    pub name_kor: String,
    /// Name in English, where there is one.
    pub name_eng: Option<String>,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Gender, where it is known.
    pub gender: Option<Gender>,
    /// The seat, where one was chosen.
    pub seat_number: Option<String>,
}

/// Whether a stored passenger is the one somebody wants to book, in the same seat.
pub(super) fn is_same_person(there: &BookedPassenger, wanted: &Passenger) -> bool {
    there.name_kor == wanted.name_kor
        && there.name_eng == wanted.name_eng
        && there.birth_date == wanted.birth_date
        && there.gender == wanted.gender
        && there.seat_number == wanted.seat.map(|seat| seat.to_string())
}

/// Which bookings: those that fit all that is said.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Which read so: a pending one reads cancelled from its deadline on.
    pub status: Option<BookingStatus>,
    /// Of this flight number.
    pub flight_id: Option<String>,
    /// That leave on this local day.
    pub flight_date: Option<NaiveDate>,
    /// Of this account.
    pub user_id: Option<i64>,
}

impl Orders {
    /// Everybody's bookings, newest first.
    pub async fn bookings(&self, filter: &Filter, page: Page) -> sqlx::Result<Vec<Booking>> {
        let mut connection = self.db.acquire().await?;
        let mut bookings = store::fitting(&mut connection, filter, page).await?;
        store::seat_passengers(&mut connection, &mut bookings).await?;
        Ok(bookings)
    }

    /// The newest bookings in which `term` stands: in their number, their flight's, the owner's or a passenger's name,
    /// or an e-mail address, in any case.
    pub async fn search_bookings(&self, term: &str, page: Page) -> sqlx::Result<Vec<Booking>> {
        let mut connection = self.db.acquire().await?;
        let mut bookings = store::containing(&mut connection, term, page).await?;
        store::seat_passengers(&mut connection, &mut bookings).await?;
        Ok(bookings)
    }

    /// An account's bookings, newest first: two queries, however many there are.
    pub async fn bookings_of(&self, user_id: i64, page: Page) -> sqlx::Result<Vec<Booking>> {
        let mut connection = self.db.acquire().await?;
        let mut bookings = store::of_user(&mut connection, user_id, page).await?;
        store::seat_passengers(&mut connection, &mut bookings).await?;
        Ok(bookings)
    }

    /// One booking, whoever asks: the caller decides who may see it.
    pub async fn booking(&self, reference: &BookingRef) -> sqlx::Result<Option<Booking>> {
        let mut connection = self.db.acquire().await?;
        let Some((booking_id, _)) = store::find(&mut connection, reference).await? else { return Ok(None) };
        let mut bookings = store::by_id(&mut connection, booking_id).await?;
        store::seat_passengers(&mut connection, &mut bookings).await?;
        Ok(bookings.pop())
    }

    /// The seats of a schedule that can't be chosen, in the order people count them. None for an unknown schedule.
    pub async fn occupied_seats(&self, schedule_id: i64) -> sqlx::Result<Vec<catalogue::SeatNumber>> {
        let mut connection = self.db.acquire().await?;
        let units = inventory::taken_units(&mut connection, schedule_id).await?;
        let mut seats: Vec<catalogue::SeatNumber> = units.iter().filter_map(|unit| unit.parse().ok()).collect();
        seats.sort_unstable();
        Ok(seats)
    }
}
