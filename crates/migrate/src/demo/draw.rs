//! Chance that repeats itself: what is drawn for a flight's day depends on nothing but that flight and that day.

use chrono::NaiveDate;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

/// What is drawn for a flight on a day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    /// The price in millionths of the flight's base price: from 0.8 to just under 1.2.
    factor: i64,
    /// Free seats.
    pub(super) seats: i64,
}

impl Drawn {
    /// The price where the flight's base price is `base`, in whole won.
    pub(super) fn price(&self, base: i64) -> i64 {
        base * self.factor / 1_000_000
    }
}

/// Price and free seats of `flight_id` on `date`.
pub(super) fn schedule(flight_id: &str, date: NaiveDate) -> Drawn {
    let mut generator = generator(&format!("schedule {flight_id} {date}"));
    Drawn { factor: generator.random_range(800_000..1_200_000), seats: generator.random_range(150..=179) }
}

/// Which of `flights` has an offer on `date`, and how many percent it takes off.
pub(super) fn discount<'a>(date: NaiveDate, flights: &[&'a str]) -> (&'a str, i64) {
    let mut generator = generator(&format!("discount {date}"));
    (flights[generator.random_range(0..flights.len())], 5 * generator.random_range(1..=8))
}

fn generator(of: &str) -> StdRng {
    StdRng::from_seed(Sha256::digest(of.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn dates() -> impl Iterator<Item = NaiveDate> {
        NaiveDate::from_ymd_opt(2026, 12, 1).unwrap().iter_days().take(500)
    }

    #[test]
    fn a_day_is_always_drawn_alike_and_days_differ() {
        let drawn: Vec<Drawn> = dates().map(|date| schedule("CJ101", date)).collect();
        assert_eq!(drawn, dates().map(|date| schedule("CJ101", date)).collect::<Vec<_>>());
        let prices: HashSet<i64> = drawn.iter().map(|d| d.price(320_000)).collect();
        assert!(prices.len() > 400);
        assert_ne!(schedule("CJ101", dates().next().unwrap()), schedule("CJ102", dates().next().unwrap()));
    }

    #[test]
    fn nothing_leaves_its_range() {
        for date in dates() {
            let drawn = schedule("CJ151", date);
            assert!((760_000..1_140_000).contains(&drawn.price(950_000)), "{drawn:?}");
            assert!((150..=179).contains(&drawn.seats), "{drawn:?}");
            let (flight, percent) = discount(date, &["CJ101", "CJ201"]);
            assert!(flight.starts_with("CJ") && (5..=40).contains(&percent));
        }
    }
}
