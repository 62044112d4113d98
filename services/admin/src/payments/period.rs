//! A period of days, as lists of money are asked for: `from` and `to`, Seoul's calendar, both included.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, NaiveTime, TimeDelta, Utc};
use common::error::ApiError;
use common::http::wire::date;
use serde::Deserialize;
use utoipa::IntoParams;

/// How far Seoul's clocks are ahead of UTC, all year.
const SEOUL: TimeDelta = TimeDelta::hours(9);

/// An instant, where one is said.
type Instant = Option<DateTime<Utc>>;

/// From one day to another.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Period {
    /// From this day in Seoul on, `YYYY-MM-DD`.
    #[param(value_type = Option<String>, format = Date, example = "2026-12-01")]
    from: Option<String>,
    /// Until the end of this day in Seoul, `YYYY-MM-DD`.
    #[param(value_type = Option<String>, format = Date, example = "2026-12-31")]
    to: Option<String>,
}

/// The years whose days can be asked for: the oldest of the columns compared holds no others.
const YEARS: RangeInclusive<i32> = 1971..=2037;

impl Period {
    /// Its first and its last instant, where it has them.
    pub(super) fn read(&self) -> Result<(Instant, Instant), ApiError> {
        let from = self.from.as_deref().map(|text| begin(text, "from")).transpose()?;
        let to = self.to.as_deref().map(|text| begin(text, "to")).transpose()?;
        Ok((from, to.map(|begin| begin + TimeDelta::days(1) - TimeDelta::microseconds(1))))
    }
}

/// When a day begins in Seoul.
fn begin(text: &str, field: &str) -> Result<DateTime<Utc>, ApiError> {
    let day = date(text, field)?;
    if !YEARS.contains(&day.year()) {
        let (korean, english) = ("1971년부터 2037년까지여야 합니다.", "Must be from 1971 to 2037.");
        return Err(ApiError::invalid(field.to_owned(), korean, english));
    }
    Ok(day.and_time(NaiveTime::MIN).and_utc() - SEOUL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: &str, to: &str) -> (String, String) {
        let period = Period { from: Some(from.to_owned()), to: Some(to.to_owned()) };
        let (from, to) = period.read().unwrap();
        (from.unwrap().to_rfc3339(), to.unwrap().to_rfc3339())
    }

    #[test]
    fn a_period_has_all_of_both_days() {
        let (first, last) = read("2026-12-01", "2026-12-01");
        assert_eq!((first.as_str(), last.as_str()), ("2026-11-30T15:00:00+00:00", "2026-12-01T14:59:59.999999+00:00"));
    }

    #[test]
    fn a_day_that_is_none_is_named() {
        for none in ["2026-02-30", "1970-12-31", "2038-01-01"] {
            let period = Period { from: None, to: Some(none.to_owned()) };
            assert!(period.read().is_err(), "{none}");
        }
        assert_eq!(Period::default().read().unwrap(), (None, None));
    }
}
