//! Work in the background: small functions that do a bounded amount of work once, called again and again.
//!
//! Each is safe in all replicas at once, because it takes its rows with a guarded update; a failure is logged and
//! the next round tries again.

use std::fmt;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::Chain;

/// Calls `work` every `pause`, and again at once while it says there was something to do, until `stop`.
///
/// A round that has begun is finished before the job stops.
pub async fn every<E, F>(pause: Duration, name: &'static str, stop: CancellationToken, mut work: impl FnMut() -> F)
where
    E: std::error::Error + fmt::Debug + 'static,
    F: Future<Output = Result<bool, E>>,
{
    while !stop.is_cancelled() {
        let busy = match work().await {
            Ok(busy) => busy,
            Err(error) => {
                tracing::error!(job = name, error = %Chain(&error), "job failed, trying again");
                false
            }
        };
        if !busy {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}
