//! Offers: schedules that are on sale now, with what a traveller is shown of them.
//!
//! On sale means: flown as planned, by an active flight, with a seat free, and not yet departed. The SQL decides
//! all but the last; an instant of departure needs the zone of its airport, so that is decided here. A hold that
//! has lapsed counts as free although its claim is still there: the next booking gives it back.

mod store;

use std::collections::HashMap;

use catalogue::AirportCode;
use catalogue::schedules::unit_price;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use common::clock::Clock;
use common::money::Money;
use sqlx::MySqlPool;

/// How many offers the front page shows.
const MOST: usize = 6;

/// From where to where, on which local day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journey {
    pub(crate) from: AirportCode,
    pub(crate) to: AirportCode,
    pub(crate) date: NaiveDate,
}

/// A schedule on sale.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) schedule_id: i64,
    pub(crate) flight_id: String,
    pub(crate) airline: String,
    pub(crate) departure_airport: String,
    pub(crate) departure_name: String,
    pub(crate) departure_city: String,
    pub(crate) departure_zone: String,
    pub(crate) arrival_airport: String,
    pub(crate) arrival_name: String,
    pub(crate) arrival_city: String,
    pub(crate) flight_date: NaiveDate,
    pub(crate) departure_time: NaiveTime,
    pub(crate) arrival_time: NaiveTime,
    pub(crate) duration: String,
    pub(crate) aircraft: String,
    current_price: i64,
    discount_percentage: Option<i32>,
    pub(crate) free_seats: i64,
}

impl Offer {
    /// The price before any discount.
    pub(crate) fn original_price(&self) -> Money {
        Money::won(self.current_price)
    }

    /// The active discount in percent.
    pub(crate) fn discount(&self) -> Option<u8> {
        self.discount_percentage.and_then(|percent| percent.try_into().ok())
    }

    /// What one passenger pays now.
    pub(crate) fn price(&self) -> Money {
        unit_price(self.original_price(), self.discount())
    }

    fn has_departed(&self, now: DateTime<Utc>) -> bool {
        catalogue::departure(self.flight_date, self.departure_time, &self.departure_zone) <= now
    }
}

/// The offers for a journey, cheapest first, then by departure.
pub(crate) async fn of_journey(db: &MySqlPool, clock: &Clock, journey: &Journey) -> sqlx::Result<Vec<Offer>> {
    let now = clock.now();
    let mut offers = store::of_journey(db, journey).await?;
    offers.retain(|offer| !offer.has_departed(now));
    offers.sort_by_key(|offer| (offer.price(), offer.departure_time, offer.schedule_id));
    Ok(offers)
}

/// Which schedules are on sale for a journey, and how many seats are free on each: the part of
/// [`of_journey`] that may never be old, for a fraction of its work.
pub(crate) async fn free_seats(db: &MySqlPool, clock: &Clock, journey: &Journey) -> sqlx::Result<HashMap<i64, i64>> {
    let now = clock.now();
    let on_sale = store::free_seats(db, journey).await?.into_iter();
    Ok(on_sale
        .filter(|s| catalogue::departure(journey.date, s.departure_time, &s.departure_zone) > now)
        .map(|s| (s.schedule_id, s.free_seats))
        .collect())
}

/// The best discounted offers from today in Seoul on, six at most: biggest discount first, then the earliest day.
pub(crate) async fn best(db: &MySqlPool, clock: &Clock) -> sqlx::Result<Vec<Offer>> {
    let (now, today) = (clock.now(), clock.today_in_seoul());
    let mut best = Vec::new();
    // One page does, except on a day when more than a page of better ones has left already.
    for page in 0.. {
        let offers = store::discounted(db, today, page).await?;
        let is_last = offers.len() < store::PAGE;
        best.extend(offers.into_iter().filter(|offer| !offer.has_departed(now)));
        if is_last || best.len() >= MOST {
            break;
        }
    }
    best.truncate(MOST);
    Ok(best)
}
