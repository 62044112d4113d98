//! Flights: what is flown under a number, whatever the day.
//!
//! The one trap: a flight's row is locked before its schedules' rows, and whatever a sale goes by may only change
//! while the schedules are locked and [told](store::tell_schedules) of it.

mod publish;
mod store;

use chrono::{NaiveDate, NaiveTime};
use common::db;
use common::events::{self, Cause, Subject};
use common::idempotency::{Once, Told, Tx};
use common::money::Money;
use common::page::Page;
use serde::Serialize;
use sqlx::MySqlConnection;
use utoipa::ToSchema;

use crate::{AirportCode, Catalogue, Changed, FlightNumber, duration, search_key};
pub use publish::{PublishError, Published, Season};

/// Who flies where nobody else is named.
pub const AIRLINE: &str = "CloudJet";

/// How many seats are sold where nothing else is said.
pub const TOTAL_SEATS: i64 = 180;

/// What is to be flown under a number.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number.
    pub flight_id: FlightNumber,
    /// Who flies.
    pub airline: String,
    /// From where.
    pub departure_airport: AirportCode,
    /// To where: another airport.
    pub arrival_airport: AirportCode,
    /// When it leaves, by the clocks there.
    pub departure_time: NaiveTime,
    /// When it arrives, by the clocks there.
    pub arrival_time: NaiveTime,
    /// How long it takes, for people; `None`: as the clocks say.
    pub duration: Option<String>,
    /// What flies.
    pub aircraft: String,
    /// What a seat costs where a day says nothing else.
    pub base_price: Money,
    /// How many seats there are to sell.
    pub total_seats: i64,
}

/// A flight on sale, as administrators see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedFlight {
    #[schema(example = "CJ101")]
    pub(crate) flight_id: String,
    #[schema(example = "CloudJet")]
    pub(crate) airline: String,
    #[schema(example = "ICN")]
    pub(crate) departure_airport: String,
    #[schema(example = "NRT")]
    pub(crate) arrival_airport: String,
    /// When it leaves, by the clocks there.
    #[schema(value_type = String, example = "06:30:00")]
    pub(crate) departure_time: NaiveTime,
    /// When it arrives, by the clocks there.
    #[schema(value_type = String, example = "09:15:00")]
    pub(crate) arrival_time: NaiveTime,
    #[schema(example = "2시간 45분")]
    pub(crate) duration: String,
    #[schema(example = "Boeing 737-800")]
    pub(crate) aircraft: String,
    pub(crate) base_price: Money,
    #[schema(example = 180)]
    pub(crate) total_seats: i64,
    /// Always true: others aren't listed.
    pub(crate) is_active: bool,
    #[schema(example = "인천국제공항")]
    pub(crate) departure_airport_name: String,
    #[schema(example = "나리타국제공항")]
    pub(crate) arrival_airport_name: String,
}

/// A flight as it is stored, and as history tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Flight {
    #[serde(skip)]
    number: String,
    airline: String,
    departure_airport: String,
    arrival_airport: String,
    departure_time: NaiveTime,
    arrival_time: NaiveTime,
    duration: String,
    aircraft: String,
    base_price: Money,
    total_seats: i64,
    is_active: bool,
}

impl Flight {
    /// Whether `other` leaves or arrives elsewhere, at another time, or with another aircraft: something a passenger
    /// has been promised.
    fn breaks_promises_of(&self, other: &Self) -> bool {
        let promise = |f: &Self| {
            let route = (f.departure_airport.clone(), f.arrival_airport.clone());
            (route, f.departure_time, f.arrival_time, f.aircraft.clone())
        };
        promise(self) != promise(other)
    }

    /// The cached searches that show this flight on `days`.
    fn searches(&self, days: &[NaiveDate]) -> impl Iterator<Item = String> {
        days.iter().map(|day| search_key(&self.departure_airport, &self.arrival_airport, *day))
    }
}

/// One of a flight's two airports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where it leaves.
    Departure,
    /// Where it arrives.
    Arrival,
}

/// Why a plan makes no flight.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nobody knows that airport.
    #[error("there is no such airport")]
    UnknownAirport(End),
    /// The database failed.
    #[error("could not read the airports")]
    Database(#[from] sqlx::Error),
}

/// Why a flight can't be created. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The number is in use, perhaps by a flight that isn't sold any more.
    #[error("there is such a flight already")]
    Taken,
    /// It can't be flown like that.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The database failed.
    #[error("could not create the flight")]
    Database(#[from] sqlx::Error),
}

/// Why a flight can't be taken off sale. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum DeactivateError {
    /// There is no such flight, or it is off sale already.
    #[error("there is no such flight on sale")]
    NotFound,
    /// The database failed.
    #[error("could not take the flight off sale")]
    Database(#[from] sqlx::Error),
}

impl Catalogue {
    /// The flights on sale, by their time of departure.
    pub async fn flights(&self, page: Page) -> sqlx::Result<Vec<ListedFlight>> {
        store::list(&self.db, page).await
    }

    /// Creates a flight, without any day on which it is flown. Of parallel calls for one number, exactly one creates.
    pub async fn create_flight(
        &self,
        cause: &Cause,
        plan: &Plan,
        once: &Once<'_, ()>,
    ) -> Result<Told<()>, CreateError> {
        let create = async |mut tx: Tx<'_, ()>| {
            let flight = drawn_up(&mut tx, plan, self.clock.today_in_seoul()).await?;
            if !store::insert(&mut tx, &flight).await? {
                return Err(CreateError::Taken);
            }
            record(&mut tx, cause, &flight.number, "created", None, &flight).await?;
            Ok(tx.commit(()).await?)
        };
        db::retry(|| once.run(&self.db, create)).await
    }

    /// Takes a flight off sale. Bookings that were made stay as they are.
    pub async fn deactivate_flight(
        &self,
        cause: &Cause,
        flight_id: &str,
        once: &Once<'_, ()>,
    ) -> Result<Told<()>, DeactivateError> {
        let off_sale = db::retry(|| once.run(&self.db, |tx| self.deactivate_once(tx, cause, flight_id))).await?;
        self.forget(off_sale.stale).await;
        Ok(off_sale.told)
    }

    async fn deactivate_once(
        &self,
        mut tx: Tx<'_, ()>,
        cause: &Cause,
        flight_id: &str,
    ) -> Result<Changed<()>, DeactivateError> {
        let flight = store::lock(&mut tx, flight_id).await?.filter(|flight| flight.is_active);
        let flight = flight.ok_or(DeactivateError::NotFound)?;
        let off_sale = Flight { is_active: false, ..flight.clone() };
        let days = store::days_from(&mut tx, &flight.number, self.first_day()).await?;
        store::tell_schedules(&mut tx, &flight.number, self.first_day()).await?;
        store::update(&mut tx, &off_sale).await?;
        record(&mut tx, cause, &flight.number, "deactivated", Some(&flight), &off_sale).await?;
        Ok(Changed { told: tx.commit(()).await?, stale: flight.searches(&days).collect() })
    }

    /// The first day on which, somewhere, a flight may still have to depart: the day before today in Seoul.
    fn first_day(&self) -> NaiveDate {
        let today = self.clock.today_in_seoul();
        today.pred_opt().unwrap_or(today)
    }
}

/// The flight that `plan` makes if `day` is the first on which it is flown.
async fn drawn_up(connection: &mut MySqlConnection, plan: &Plan, day: NaiveDate) -> Result<Flight, PlanError> {
    let from = store::zone_of(connection, plan.departure_airport.as_str()).await?;
    let from = from.ok_or(PlanError::UnknownAirport(End::Departure))?;
    let to = store::zone_of(connection, plan.arrival_airport.as_str()).await?;
    let to = to.ok_or(PlanError::UnknownAirport(End::Arrival))?;
    let by_the_clocks = || duration(day, (plan.departure_time, &from), (plan.arrival_time, &to));
    Ok(Flight {
        number: plan.flight_id.to_string(),
        airline: plan.airline.clone(),
        departure_airport: plan.departure_airport.to_string(),
        arrival_airport: plan.arrival_airport.to_string(),
        departure_time: plan.departure_time,
        arrival_time: plan.arrival_time,
        duration: plan.duration.clone().unwrap_or_else(by_the_clocks),
        aircraft: plan.aircraft.clone(),
        base_price: plan.base_price,
        total_seats: plan.total_seats,
        is_active: true,
    })
}

async fn record(
    connection: &mut MySqlConnection,
    cause: &Cause,
    flight_id: &str,
    action: &'static str,
    old: Option<&Flight>,
    new: &Flight,
) -> sqlx::Result<()> {
    events::record(connection, cause, Subject::Flight, flight_id, action, &old, new).await
}
