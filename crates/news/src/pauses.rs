//! When news that wasn't delivered is tried again.

use chrono::TimeDelta;

/// The pauses after the first try, the second, …, in seconds: together three days, so that a subscriber that fails on a
/// Friday evening has everything on Monday.
const PAUSES: [i32; 9] = [5, 5 * 60, 30 * 60, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

const HOUR: i32 = 3600;

/// The longest that a subscriber may put a piece of news off by `Retry-After`.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// How long to wait after try number `attempts`, or a tenth less or more, by `chance` from 0 to 1; and at least as long
/// as the subscriber `asks`. `None`: that was the last try.
pub(crate) fn after(attempts: i32, chance: f64, asks: Option<TimeDelta>) -> Option<TimeDelta> {
    let index = usize::try_from(attempts - 1).ok()?;
    let usual = f64::from(*PAUSES.get(index)?) * (0.9 + 0.2 * chance);
    #[expect(clippy::cast_possible_truncation, reason = "a day in milliseconds is far from the bounds")]
    let usual = TimeDelta::milliseconds((usual * 1000.0) as i64);
    Some(usual.max(asks.unwrap_or_default().min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_take_three_days_and_the_pauses_grow() {
        let pauses: Vec<_> = (1..).map_while(|attempts| after(attempts, 0.5, None)).collect();
        assert_eq!((pauses.len(), pauses[0]), (9, TimeDelta::seconds(5)));
        assert!(pauses.is_sorted());
        assert_eq!(pauses.iter().sum::<TimeDelta>().num_hours(), 75);
    }

    #[test]
    fn chance_moves_a_pause_by_a_tenth() {
        let pause = |chance| after(2, chance, None).unwrap().num_seconds();
        assert_eq!((pause(0.0), pause(1.0)), (270, 330));
    }

    #[test]
    fn the_subscriber_can_ask_for_longer_and_not_for_ever() {
        let asks = |time| after(1, 0.5, Some(time));
        assert_eq!(asks(TimeDelta::seconds(1)), Some(TimeDelta::seconds(5)));
        assert_eq!(asks(TimeDelta::hours(1)), Some(TimeDelta::hours(1)));
        assert_eq!(asks(TimeDelta::days(365)), Some(TimeDelta::days(1)));
        assert_eq!(after(10, 0.5, Some(TimeDelta::hours(1))), None);
    }
}
