//! Bookings as their owners and the airline's desk see them.

pub(super) mod seat_map;
pub(super) mod store;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use common::money::Money;
use common::page::Page;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use sqlx::MySqlConnection;
use utoipa::ToSchema;

use super::{BookingRef, BookingStatus, CancelReason, Gender, Passenger};
use crate::Orders;

/// A booking with what was sold and who flies, as its owner sees it; of the owner, only others need to be told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Booking {
    /// Its id.
    #[schema(example = 1)]
    pub booking_id: i64,
    /// Its number.
    #[schema(example = "CJ4K7Q2M9X")]
    pub booking_number: String,
    /// Whose it is.
    #[serde(skip)]
    #[schema(ignore)]
    pub user_id: i64,
    /// The owner's name.
    #[serde(skip)]
    #[schema(ignore)]
    pub user_name: String,
    /// The owner's e-mail address.
    #[serde(skip)]
    #[schema(ignore)]
    pub user_email: String,
    /// On which schedule.
    #[schema(example = 10_000_001)]
    pub schedule_id: i64,
    /// The first passenger's seat.
    #[schema(required, example = "12A")]
    pub seat_number: Option<String>,
    /// What it costs in all.
    pub total_amount: Money,
    /// Where to reach the passengers.
    #[schema(example = "haneul@example.com")]
    pub contact_email: String,
    /// Where to reach the passengers.
    #[schema(example = "010-1234-5678")]
    pub contact_phone: String,
    /// How they wanted to pay.
    #[schema(example = "card")]
    pub payment_method: String,
    /// Where it stands: a pending one reads cancelled from its deadline on.
    pub status: BookingStatus,
    /// Why it was cancelled, if it was.
    #[schema(required, example = json!(null))]
    pub cancel_reason: Option<CancelReason>,
    /// Until when it must be paid, while it is pending and the provider isn't deciding about its payment.
    #[schema(required, example = json!(null))]
    pub payment_due_at: Option<DateTime<Utc>>,
    /// When it was made.
    #[schema(example = "2026-11-24T03:00:00Z")]
    pub created_at: DateTime<Utc>,
    /// The local day the flight leaves.
    #[schema(example = "2026-12-01")]
    pub flight_date: NaiveDate,
    /// The flight number sold.
    #[schema(example = "CJ101")]
    pub flight_id: String,
    /// Who flies it.
    #[schema(example = "CloudJet")]
    pub airline: String,
    /// Where it leaves (IATA).
    #[schema(example = "ICN")]
    pub departure_airport: String,
    /// Where it arrives (IATA).
    #[schema(example = "NRT")]
    pub arrival_airport: String,
    /// The name of the airport it leaves from.
    #[schema(example = "인천국제공항")]
    pub departure_name: String,
    /// The name of the airport it arrives at.
    #[schema(example = "나리타국제공항")]
    pub arrival_name: String,
    /// The local time it leaves.
    #[schema(value_type = String, example = "06:30:00")]
    pub departure_time: NaiveTime,
    /// The local time it arrives.
    #[schema(value_type = String, example = "09:15:00")]
    pub arrival_time: NaiveTime,
    /// How long it flies, for people.
    #[schema(example = "2시간 45분")]
    pub duration: String,
    /// What flies.
    #[schema(example = "Boeing 737-800")]
    pub aircraft: String,
    /// Who flies.
    pub passengers: Vec<BookedPassenger>,
}

/// A booking as its owner is shown it: with their name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NamedBooking {
    #[serde(flatten)]
    booking: Booking,
    /// Who made it.
    #[schema(example = "김하늘")]
    user_name: String,
}

impl From<Booking> for NamedBooking {
    fn from(mut booking: Booking) -> Self {
        let user_name = std::mem::take(&mut booking.user_name);
        Self { booking, user_name }
    }
}

/// A passenger of a booking.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BookedPassenger {
    /// Which booking.
    #[serde(skip)]
    #[schema(ignore)]
    pub booking_id: i64,
    /// Their id: who is given a seat is named by it.
    #[schema(example = 1)]
    pub passenger_id: i64,
    /// Name in Korean, or the only one.
    #[schema(example = "김하늘")]
    pub name_kor: String,
    /// Name in English, where there is one.
    #[schema(required, example = "KIM HANEUL")]
    pub name_eng: Option<String>,
    /// Date of birth.
    #[schema(example = "1990-02-03")]
    pub birth_date: NaiveDate,
    /// Gender, where it is known.
    #[schema(required)]
    pub gender: Option<Gender>,
    /// The seat, where one was chosen.
    #[schema(required, example = "12A")]
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

/// How many bookings are read at once, where all are wanted.
const PART: u32 = 500;

impl Orders {
    /// Everybody's bookings, newest first: one part after the other, because nobody can hold those of years. What is
    /// booked meanwhile is not among them.
    pub fn bookings(
        &self,
        filter: Filter,
        page: Page,
    ) -> impl Stream<Item = sqlx::Result<Vec<Booking>>> + Send + use<> {
        let db = self.db.clone();
        stream::try_unfold(Some((page.or_at_most(PART), None)), move |next| {
            let (db, filter) = (db.clone(), filter.clone());
            async move {
                let Some((part, after)) = next else { return Ok(None) };
                let mut connection = db.acquire().await?;
                let mut bookings = store::fitting(&mut connection, &filter, after, part).await?;
                store::seat_passengers(&mut connection, &mut bookings).await?;
                let last = bookings.last().filter(|_| page.is_open() && bookings.len() == PART as usize);
                let next =
                    last.map(|last| (Page::default().or_at_most(PART), Some((last.created_at, last.booking_id))));
                Ok(Some((bookings, next)))
            }
        })
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
        let Some((booking_id, _)) = super::store::find(&mut connection, reference).await? else { return Ok(None) };
        read(&mut connection, booking_id).await
    }
}

/// A booking as its owner sees it.
pub(super) async fn read(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Option<Booking>> {
    let mut bookings = store::by_id(connection, booking_id).await?;
    store::seat_passengers(connection, &mut bookings).await?;
    Ok(bookings.pop())
}
