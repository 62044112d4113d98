//! What the provider took and gave back, day by day: what a report of ours must come to.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::ledger::{Entry, in_seoul};

/// The money of one day of Seoul's calendar, in won.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Which day.
    pub day: NaiveDate,
    /// How many payments were charged that day.
    pub payments: u64,
    /// How much was charged.
    pub charged: i64,
    /// How many cancels gave money back that day, of whatever day's payments.
    pub cancels: u64,
    /// How much they gave back.
    pub cancelled: i64,
    /// Charged less cancelled.
    pub net: i64,
}

/// The days on which money moved, oldest first. A payment that was cancelled before it was charged moved none.
pub(super) fn by_day(entries: &[Entry]) -> Vec<Day> {
    let mut days = BTreeMap::new();
    for entry in entries {
        let Some(purchased_at) = entry.purchased_at else { continue };
        let day = on(&mut days, purchased_at);
        day.payments += 1;
        day.charged += entry.price;
        for (at, price) in entry.cancels() {
            let day = on(&mut days, at);
            day.cancels += 1;
            day.cancelled += price;
        }
    }
    days.into_values().map(|day| Day { net: day.charged - day.cancelled, ..day }).collect()
}

fn on(days: &mut BTreeMap<NaiveDate, Day>, at: DateTime<Utc>) -> &mut Day {
    let day = in_seoul(at).date_naive();
    days.entry(day).or_insert(Day { day, payments: 0, charged: 0, cancels: 0, cancelled: 0, net: 0 })
}
