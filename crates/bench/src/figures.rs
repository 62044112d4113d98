//! What was seen, as a table, and whether the goals are met.

use std::fmt::{self, Display, Formatter};

use anyhow::{Result, ensure};

use crate::clock::{Lap, median};
use crate::processes::CLIENT;
use crate::stage::Sales;

/// Of the plain client's rate, the least that the service is to reach.
const OF_BLOCKING: f64 = 0.6;

/// Of the bare loop's.
const OF_SQLX: f64 = 0.75;

/// The most milliseconds that all but one booking of a hundred may take, at half of saturation.
const P99: f64 = 20.0;

/// The share of saturation at which that is asked.
const HALF: f64 = 0.5;

/// The service at a share of its best rate.
#[derive(Debug)]
pub(crate) struct HalfLoad {
    pub(crate) share: f64,
    pub(crate) lap: Lap,
}

/// The turns of all contenders in one kind of sales.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) name: String,
    pub(crate) blocking: Vec<Lap>,
    pub(crate) sqlx: Vec<Lap>,
    pub(crate) service: Vec<Lap>,
    pub(crate) timed: Vec<HalfLoad>,
}

/// Everything that was seen.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) contests: Vec<Contest>,
    pub(crate) journey: Lap,
    pub(crate) deadlocks: i64,
    /// Bookings that the database has in the end.
    pub(crate) booked: i64,
    pub(crate) statements: usize,
    pub(crate) connections: u16,
    pub(crate) clients: u16,
}

/// The middle rate of some turns.
fn rate(laps: &[Lap]) -> f64 {
    median(laps.iter().map(Lap::rate))
}

impl Contest {
    /// One that begins.
    pub(crate) fn of(sales: &Sales<'_>) -> Self {
        Self { name: sales.name(), blocking: vec![], sqlx: vec![], service: vec![], timed: vec![] }
    }

    /// The service's bookings a second.
    pub(crate) fn service_rate(&self) -> f64 {
        rate(&self.service)
    }

    /// The contenders by name.
    pub(crate) fn contenders(&self) -> [(&'static str, &[Lap]); 3] {
        [("plain client", &self.blocking), ("bare sqlx loop", &self.sqlx), ("the service", &self.service)]
    }

    fn of_blocking(&self) -> f64 {
        self.service_rate() / rate(&self.blocking)
    }

    fn of_sqlx(&self) -> f64 {
        self.service_rate() / rate(&self.sqlx)
    }

    fn p99_at_half(&self) -> f64 {
        let half = self.timed.iter().find(|timed| (timed.share - HALF).abs() < f64::EPSILON);
        half.map_or(f64::INFINITY, |timed| timed.lap.percentile(99))
    }

    fn sales(&self) -> usize {
        let laps = self.contenders().into_iter().flat_map(|(_, laps)| laps);
        laps.chain(self.timed.iter().map(|timed| &timed.lap)).map(Lap::sales).sum()
    }

    fn is_good(&self) -> bool {
        self.of_blocking() >= OF_BLOCKING && self.of_sqlx() >= OF_SQLX && self.p99_at_half() <= P99
    }
}

impl Figures {
    /// Whether every goal is met.
    pub(crate) fn are_good(&self) -> bool {
        self.deadlocks == 0 && self.contests.iter().all(Contest::is_good)
    }

    /// Holds what was counted here against the database: whoever is told of a booking has one.
    pub(crate) fn check_count(&self) -> Result<()> {
        let sold = self.contests.iter().map(Contest::sales).sum::<usize>() + self.journey.sales();
        let booked = usize::try_from(self.booked)?;
        ensure!(booked >= sold, "{sold} bookings were answered, and the database has only {booked}");
        Ok(())
    }
}

/// A goal met or not.
fn mark(good: bool) -> char {
    if good { '✔' } else { '✘' }
}

impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { statements, connections, clients, .. } = self;
        writeln!(
            f,
            "A booking is {statements} statements, on {connections} connections; the service has {clients} clients."
        )?;
        for contest in &self.contests {
            writeln!(f, "\n{contest}")?;
        }
        let Self { journey, .. } = self;
        writeln!(
            f,
            "Book, pay, confirmed: {:.0} a second; p50 {:.1} ms, p99 {:.1} ms",
            journey.rate(),
            journey.percentile(50),
            journey.percentile(99)
        )?;
        write!(f, "Deadlocks: {} {}", self.deadlocks, mark(self.deadlocks == 0))
    }
}

impl Display for Contest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16} {:>10} {:>13} {:>7} {:>7}   {:>9} {:>8} {:>7}  {:>6}",
            self.name, "bookings/s", "from–to", "p50 ms", "p99 ms", "database", "service", "client", "busy"
        )?;
        for (name, laps) in self.contenders() {
            let rates = laps.iter().map(Lap::rate);
            let (least, most) = (rates.clone().fold(f64::INFINITY, f64::min), rates.fold(0.0, f64::max));
            writeln!(
                f,
                "  {name:<14} {:>10.0} {:>13} {:>7.1} {:>7.1}   {:>6.0} µs {:>5.0} µs {:>4.0} µs  {:>6.2}",
                rate(laps),
                format!("{least:.0}–{most:.0}"),
                median(laps.iter().map(|lap| lap.percentile(50))),
                median(laps.iter().map(|lap| lap.percentile(99))),
                microseconds(laps, "database"),
                microseconds(laps, "booking"),
                microseconds(laps, CLIENT),
                median(laps.iter().map(Lap::processors)),
            )?;
        }
        let (of_blocking, of_sqlx) = (self.of_blocking(), self.of_sqlx());
        writeln!(
            f,
            "  of the plain client's rate {of_blocking:.2} {} (goal {OF_BLOCKING})",
            mark(of_blocking >= OF_BLOCKING)
        )?;
        writeln!(f, "  of the bare sqlx loop's    {of_sqlx:.2} {} (goal {OF_SQLX})", mark(of_sqlx >= OF_SQLX))?;
        for HalfLoad { share, lap } in &self.timed {
            let goal = if (share - HALF).abs() < f64::EPSILON {
                format!(" {} (goal {P99} ms)", mark(lap.percentile(99) <= P99))
            } else {
                String::new()
            };
            let (p50, p99) = (lap.percentile(50), lap.percentile(99));
            writeln!(f, "  at {:>2.0} % of saturation      p50 {p50:.1} ms, p99 {p99:.1} ms{goal}", share * 100.0)?;
        }
        Ok(())
    }
}

/// The processor's time that one booking takes of process `name`, in microseconds.
fn microseconds(laps: &[Lap], name: &str) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure to read; there are no 2^52 sales")]
    let each = |lap: &Lap| lap.used.by(name).as_secs_f64() * 1e6 / lap.sales().max(1) as f64;
    median(laps.iter().map(each))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::processes::Used;

    fn lap(a_second: u64, milliseconds: u64) -> Lap {
        let latencies = vec![Duration::from_millis(milliseconds); usize::try_from(a_second).unwrap()];
        Lap::new(latencies, Duration::from_secs(1), Used::default())
    }

    fn figures(service: u64, p99: u64, deadlocks: i64, booked: i64) -> Figures {
        let timed = vec![HalfLoad { share: HALF, lap: lap(10, p99) }];
        let (blocking, sqlx, service) = (vec![lap(100, 1)], vec![lap(80, 1)], vec![lap(service, 1)]);
        let contests = vec![Contest { name: "one".to_owned(), blocking, sqlx, service, timed }];
        Figures { contests, journey: lap(1, 1), deadlocks, booked, statements: 17, connections: 5, clients: 32 }
    }

    #[test]
    fn every_goal_counts() {
        assert!(figures(60, 20, 0, 300).are_good());
        assert!(!figures(59, 20, 0, 300).are_good());
        assert!(!figures(60, 21, 0, 300).are_good());
        assert!(!figures(60, 20, 1, 300).are_good());
    }

    #[test]
    fn an_answer_without_a_booking_ends_the_run() {
        assert!(figures(60, 20, 0, 251).check_count().is_ok());
        assert!(figures(60, 20, 0, 250).check_count().is_err());
    }
}
