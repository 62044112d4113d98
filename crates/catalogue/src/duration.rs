//! How long a flight takes. Its times are those of two airports' clocks, so their zones decide.

use chrono::{NaiveDate, NaiveTime};

use crate::departure;

/// How long a flight takes that leaves on `date` when the clocks of `from` show `departs`, and arrives when those of
/// `to` next show `arrives`: for people, as `2시간 45분`. From a minute to a day.
pub(crate) fn duration(
    date: NaiveDate,
    (departs, from): (NaiveTime, &str),
    (arrives, to): (NaiveTime, &str),
) -> String {
    let left = departure(date, departs, from);
    // Across the date line, the day of arrival may be the one before.
    let days = date.pred_opt().unwrap_or(date).iter_days();
    let arrived = days.map(|day| departure(day, arrives, to)).find(|instant| *instant > left);
    let minutes = (arrived.unwrap_or(left) - left).num_minutes();
    format!("{}시간 {}분", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_counted_between_instants() {
        let of = |date: &str, departs: &str, from, arrives: &str, to| {
            duration(date.parse().unwrap(), (departs.parse().unwrap(), from), (arrives.parse().unwrap(), to))
        };
        let (seoul, tokyo, paris) = ("Asia/Seoul", "Asia/Tokyo", "Europe/Paris");
        let (los_angeles, auckland, honolulu) = ("America/Los_Angeles", "Pacific/Auckland", "Pacific/Honolulu");
        assert_eq!(of("2026-12-01", "06:30:00", seoul, "09:15:00", tokyo), "2시간 45분");
        assert_eq!(of("2026-12-01", "06:30:00", seoul, "08:35:00", tokyo), "2시간 5분");
        // The next morning, the same morning, the day before.
        assert_eq!(of("2026-12-01", "22:00:00", seoul, "00:30:00", tokyo), "2시간 30분");
        assert_eq!(of("2026-12-01", "11:00:00", seoul, "06:30:00", los_angeles), "12시간 30분");
        assert_eq!(of("2026-12-02", "01:00:00", auckland, "10:00:00", honolulu), "8시간 0분");
        // Summer and winter in Paris.
        assert_eq!(of("2026-07-01", "13:00:00", seoul, "18:30:00", paris), "12시간 30분");
        assert_eq!(of("2026-12-01", "13:00:00", seoul, "18:30:00", paris), "13시간 30분");
        assert_eq!(of("2026-12-01", "13:00:00", seoul, "13:00:00", tokyo), "24시간 0분");
    }
}
