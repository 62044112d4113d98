//! How long things took: one turn of one contender.

use std::time::Duration;

use crate::processes::Used;

/// What came of one turn.
#[derive(Debug)]
pub(crate) struct Lap {
    /// How long each sale took, the shortest first.
    latencies: Vec<Duration>,
    elapsed: Duration,
    /// Processor time of everybody who took part.
    pub(crate) used: Used,
}

impl Lap {
    /// A turn of `elapsed` in which sales took `latencies`.
    pub(crate) fn new(mut latencies: Vec<Duration>, elapsed: Duration, used: Used) -> Self {
        latencies.sort_unstable();
        Self { latencies, elapsed, used }
    }

    /// How many sales there were.
    pub(crate) fn sales(&self) -> usize {
        self.latencies.len()
    }

    /// Sales a second.
    #[expect(clippy::cast_precision_loss, reason = "a figure to read; there are no 2^52 sales")]
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time within which `percent` of the sales were made, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(rank).copied().unwrap_or_default().as_secs_f64() * 1e3
    }

    /// How many of the machine's processors were busy with it.
    pub(crate) fn processors(&self) -> f64 {
        self.used.all().as_secs_f64() / self.elapsed.as_secs_f64()
    }
}

/// The middle one of some figures.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_unstable_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        n if n % 2 == 1 => figures[n / 2],
        n => f64::midpoint(figures[n / 2 - 1], figures[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lap_tells_what_was_seen() {
        let latencies = (1..=200).rev().map(Duration::from_millis).collect();
        let lap = Lap::new(latencies, Duration::from_secs(4), Used::default());
        assert!((lap.rate() - 50.0).abs() < 1e-9);
        assert!((lap.percentile(50) - 100.0).abs() < 1e-9);
        assert!((lap.percentile(99) - 198.0).abs() < 1e-9);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median([]).abs() < 1e-9);
    }
}
