//! The one place that turns a flight's local date and time into an instant.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// When a flight leaves: `date` and `time` as the clocks in `zone` (an IANA name) show them.
///
/// A time that the clocks show twice is the first of them; one that they skip is as much later as they skip.
/// An unknown zone counts as Seoul's, the airline's own.
pub fn departure(date: NaiveDate, time: NaiveTime, zone: &str) -> DateTime<Utc> {
    let zone: Tz = zone.parse().unwrap_or(Tz::Asia__Seoul);
    let local = date.and_time(time);
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        LocalResult::None => {
            let before = local - TimeDelta::hours(3);
            match zone.from_local_datetime(&before) {
                LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => {
                    (instant + TimeDelta::hours(3)).to_utc()
                }
                LocalResult::None => local.and_utc(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_depends_on_the_airports_zone() {
        let at =
            |date: &str, time: &str, zone| departure(date.parse().unwrap(), time.parse().unwrap(), zone).to_string();
        assert_eq!(at("2026-12-01", "06:30:00", "Asia/Seoul"), "2026-11-30 21:30:00 UTC");
        assert_eq!(at("2026-12-01", "11:00:00", "America/Los_Angeles"), "2026-12-01 19:00:00 UTC");
        assert_eq!(at("2026-12-01", "06:30:00", "Nowhere/AtAll"), "2026-11-30 21:30:00 UTC");
        // Los Angeles skips 02:00–03:00 on 8 March 2026 and shows 01:00–02:00 twice on 1 November.
        assert_eq!(at("2026-03-08", "02:30:00", "America/Los_Angeles"), "2026-03-08 10:30:00 UTC");
        assert_eq!(at("2026-11-01", "01:30:00", "America/Los_Angeles"), "2026-11-01 08:30:00 UTC");
    }
}
