//! Schedules as they can be sold: a flight on a day, with its price and what it flies.

mod store;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use common::money::Money;
use common::page::Page;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Catalogue;
use crate::cabin::Cabin;
use crate::discounts::DiscountStatus;
pub use store::{find, free_seats, search_key_of};

common::text_enum! {
    /// Whether a schedule is flown as planned.
    #[derive(Default)]
    pub enum ScheduleStatus {
        /// On sale.
        #[default]
        Active = "ACTIVE",
        /// Not flown.
        Cancelled = "CANCELLED",
        /// Flown late, and no longer sold.
        Delayed = "DELAYED",
    }
}

/// A schedule with everything a sale has to know, but for free seats: those only a locked row can tell.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its id.
    pub schedule_id: i64,
    /// The flight number.
    pub flight_id: String,
    /// Who flies it.
    pub airline: String,
    /// Where it leaves (IATA).
    pub departure_airport: String,
    /// Where it arrives (IATA).
    pub arrival_airport: String,
    /// The zone of the clocks where it leaves (IANA).
    pub departure_zone: String,
    /// The local day it leaves.
    pub flight_date: NaiveDate,
    /// The local time it leaves.
    pub departure_time: NaiveTime,
    /// The local time it arrives.
    pub arrival_time: NaiveTime,
    /// How long it flies, as text for people.
    pub duration: String,
    /// What flies.
    pub aircraft: String,
    /// The seats there are to choose from.
    pub cabin: Cabin,
    /// How many seats were free when it was read. Holds that have lapsed since may still count as taken.
    pub available_seats: i64,
    /// The price before any discount.
    pub current_price: Money,
    /// The active discount in percent, if there is one.
    pub discount_percentage: Option<u8>,
    /// Whether this day is flown as planned.
    pub status: ScheduleStatus,
    /// Whether the airline has cancelled it, and its bookings with it. A status of `CANCELLED` alone only stops sales.
    pub is_grounded: bool,
    /// Whether the flight is sold at all.
    pub is_active: bool,
    /// How often the flight has changed: what was read of it under another number is old.
    pub flight_revision: i32,
}

impl Schedule {
    /// What one passenger pays now.
    pub fn unit_price(&self) -> Money {
        unit_price(self.current_price, self.discount_percentage)
    }

    /// Under which key the cache has the search that finds it.
    pub fn search_key(&self) -> String {
        crate::search_key(&self.departure_airport, &self.arrival_airport, self.flight_date)
    }

    /// The instant it leaves.
    pub fn departs_at(&self) -> DateTime<Utc> {
        crate::departure(self.flight_date, self.departure_time, &self.departure_zone)
    }

    /// Whether it can be sold at `now`.
    pub fn is_on_sale(&self, now: DateTime<Utc>) -> bool {
        self.is_active && self.status == ScheduleStatus::Active && now < self.departs_at()
    }
}

/// What one passenger pays for a schedule that costs `price` at `discount` percent off. The one rule of searches,
/// offers and sales.
pub fn unit_price(price: Money, discount: Option<u8>) -> Money {
    discount.map_or(price, |percent| price.less_percent(percent))
}

/// A schedule that is flown as planned, as administrators see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedSchedule {
    #[schema(example = 10_000_001)]
    pub(crate) schedule_id: i64,
    #[schema(example = "CJ101")]
    pub(crate) flight_id: String,
    pub(crate) flight_date: NaiveDate,
    /// The price before any discount.
    pub(crate) current_price: Money,
    #[schema(example = "ICN")]
    pub(crate) departure_airport: String,
    #[schema(example = "NRT")]
    pub(crate) arrival_airport: String,
    #[schema(value_type = String, example = "06:30:00")]
    pub(crate) departure_time: NaiveTime,
    #[schema(value_type = String, example = "09:15:00")]
    pub(crate) arrival_time: NaiveTime,
    #[schema(example = "2시간 45분")]
    pub(crate) duration: String,
    #[schema(example = "CloudJet")]
    pub(crate) airline: String,
    #[schema(example = "Boeing 737-800")]
    pub(crate) aircraft: String,
    #[schema(example = "인천국제공항")]
    pub(crate) departure_name: String,
    #[schema(example = "나리타국제공항")]
    pub(crate) arrival_name: String,
    /// The active discount in percent, if there is one.
    #[schema(required, example = 25)]
    pub(crate) discount_percentage: Option<u8>,
    /// `ACTIVE` if there is a discount, else null.
    #[schema(required)]
    pub(crate) discount_status: Option<DiscountStatus>,
}

impl Catalogue {
    /// What is flown as planned from today in Seoul on, by flights on sale: the earliest first.
    pub async fn schedules(&self, page: Page) -> sqlx::Result<Vec<ListedSchedule>> {
        store::list(&self.db, self.clock.today_in_seoul(), page).await
    }
}
