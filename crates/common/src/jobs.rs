//! Work in the background: small functions that do a bounded amount of work once, called again and again.
//!
//! Each is safe in all replicas at once, because it takes its rows with a guarded update; a failure is logged and
//! the next round tries again.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::error::Chain;
use crate::pool;

/// No round takes this long, unless it waits for an answer that never comes, from a database whose machine is gone.
const PATIENCE: Duration = Duration::from_mins(10);

crate::metrics! {
    /// What is counted about jobs.
    pub struct Metrics {
        /// Rounds of a job: worked, idle (there was nothing to do), failed or hung.
        runs: IntCounterVec = "cloudjet_job_runs_total" by ["job", "outcome"],
        /// Seconds a round of a job took.
        duration: HistogramVec = "cloudjet_job_duration_seconds" by ["job"],
    }
}

/// What may come of a round.
const OUTCOMES: [&str; 4] = ["worked", "idle", "failed", "hung"];

/// What a job is started with.
#[derive(Clone, Debug)]
pub struct Shift {
    /// Tells it to stop.
    pub stop: CancellationToken,
    /// Where its rounds are counted.
    pub metrics: Metrics,
}

/// Calls `work` every `pause`, and again at once while it says there was something to do, until `shift` ends.
///
/// A round that has begun is finished before the job stops, except for one that hangs: it is broken off, as by a crash.
pub async fn every<E, F>(pause: Duration, name: &'static str, shift: Shift, mut work: impl FnMut() -> F)
where
    E: std::error::Error + fmt::Debug + 'static,
    F: Future<Output = Result<bool, E>>,
{
    let Shift { stop, metrics } = shift;
    // Each is there from the start: of a series that begins at 1 nobody sees that it grew.
    for outcome in OUTCOMES {
        metrics.runs.with_label_values(&[name, outcome]);
    }
    while !stop.is_cancelled() {
        let started = Instant::now();
        let span = tracing::info_span!(parent: None, "job", otel.name = name, job = name);
        let outcome = tokio::time::timeout(PATIENCE, work().instrument(span)).await;
        metrics.duration.with_label_values(&[name]).observe(started.elapsed().as_secs_f64());
        let word = match &outcome {
            Ok(Ok(true)) => "worked",
            Ok(Ok(false)) => "idle",
            Ok(Err(error)) => {
                pool::tell(error);
                tracing::error!(job = name, error = %Chain(error), "job failed, trying again");
                "failed"
            }
            Err(_) => {
                tracing::error!(job = name, "job hung, trying again");
                "hung"
            }
        };
        metrics.runs.with_label_values(&[name, word]).inc();
        if !matches!(outcome, Ok(Ok(true))) {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Registry;

    #[tokio::test]
    async fn every_round_is_counted_by_what_came_of_it() {
        let registry = Registry::default();
        let shift = Shift { stop: CancellationToken::new(), metrics: Metrics::new(&registry).unwrap() };
        let stop = shift.stop.clone();
        let mut rounds = [Ok(true), Err(std::fmt::Error), Ok(true), Ok(false)].into_iter();
        let work = || {
            let round = rounds.next().unwrap();
            if rounds.len() == 0 {
                stop.cancel();
            }
            async move { round }
        };
        every(Duration::from_millis(1), "probe", shift.clone(), work).await;
        let text = registry.text().unwrap();
        for (outcome, count) in [("worked", 2), ("failed", 1), ("idle", 1), ("hung", 0)] {
            let line = format!("cloudjet_job_runs_total{{job=\"probe\",outcome=\"{outcome}\"}} {count}");
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(text.contains("cloudjet_job_duration_seconds_count{job=\"probe\"} 4"), "{text}");
    }
}
