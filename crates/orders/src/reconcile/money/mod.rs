//! The money report: what was charged and given back, by day and flight number.
//!
//! A day is Seoul's. A movement counts on the day we learnt of it, which is the day it happened unless a webhook was
//! lost over midnight, or somebody worked in the provider's console; in sum it is what the provider says.

mod store;

use std::fmt;

use chrono::NaiveDate;
use common::money::Money;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Orders;

/// What moved on some days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MoneyReport {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// What moved, by day and flight number. A day on which nothing moved is not in it.
    pub lines: Vec<DayAndFlight>,
    /// Charged in all.
    pub charged: Money,
    /// Given back in all.
    pub refunded: Money,
    /// What stayed, in won; below zero where more went back than came.
    #[schema(example = 320_000)]
    pub net: i64,
}

/// What moved on one day for one flight number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayAndFlight {
    /// The day, in Seoul.
    pub day: NaiveDate,
    /// The flight number that was sold; null: money that no booking was made for.
    #[schema(required, example = "CJ101")]
    pub flight_id: Option<String>,
    /// Charged.
    pub charged: Money,
    /// Given back.
    pub refunded: Money,
    /// What stayed, in won; below zero where more went back than came.
    #[schema(example = 320_000)]
    pub net: i64,
}

impl Orders {
    /// What moved from one day to another, both included.
    pub async fn money(&self, from: NaiveDate, to: NaiveDate) -> sqlx::Result<MoneyReport> {
        let moved = store::money(&mut *self.db.acquire().await?, from, to).await?;
        let sum = |of: fn(&store::Moved) -> i64| moved.iter().map(of).sum::<i64>();
        let (charged, refunded) = (sum(|m| m.charged), sum(|m| m.refunded));
        let lines = moved.into_iter().map(|moved| DayAndFlight {
            day: moved.day,
            flight_id: moved.flight_id,
            charged: Money::won(moved.charged),
            refunded: Money::won(moved.refunded),
            net: moved.charged - moved.refunded,
        });
        Ok(MoneyReport {
            from,
            to,
            lines: lines.collect(),
            charged: Money::won(charged),
            refunded: Money::won(refunded),
            net: charged - refunded,
        })
    }
}

impl fmt::Display for MoneyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, .. } = self;
        writeln!(f, "Money, {from} to {to}, in won")?;
        writeln!(f, "{:<12}{:<12}{:>15}{:>15}{:>15}", "day", "flight", "charged", "given back", "net")?;
        let mut line = |day: &dyn fmt::Display, flight: &str, [charged, refunded, net]: [i64; 3]| {
            writeln!(f, "{day:<12}{flight:<12}{charged:>15}{refunded:>15}{net:>15}")
        };
        for moved in &self.lines {
            let flight = moved.flight_id.as_deref().unwrap_or("no booking");
            line(&moved.day.to_string(), flight, [moved.charged.as_won(), moved.refunded.as_won(), moved.net])?;
        }
        line(&"in all", "", [self.charged.as_won(), self.refunded.as_won(), self.net])
    }
}
