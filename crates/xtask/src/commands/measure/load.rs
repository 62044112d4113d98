//! Busy connections: each asks its next request as soon as the last one is answered, and notes how long that took.
//!
//! The client shares the machine with the service and its database, so requests a second say what this machine did
//! with all three, not what the service could do alone.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::client::{Client, Lost};
use crate::system::Replica;
use crate::visit::Traffic;

/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// What the clients of one service saw.
#[derive(Default)]
pub(super) struct Load {
    /// How long each good answer took, the shortest first.
    latencies: Vec<Duration>,
    /// What went wrong, and the first of it.
    pub(super) failed: usize,
    pub(super) failure: Option<String>,
    elapsed: Duration,
    /// The most memory the service had meanwhile, in bytes.
    pub(super) peak: u64,
}

impl Load {
    /// Puts `traffic` on `replica` over `connections` for a `while_`.
    pub(super) async fn put(
        replica: &Replica,
        traffic: &Traffic,
        connections: usize,
        while_: Duration,
    ) -> Result<Self> {
        let started = Instant::now();
        let mut clients = JoinSet::new();
        for client in 0..connections {
            clients.spawn(ask_until(started + while_, replica.address.public, traffic.clone(), client));
        }
        let mut load = Self::default();
        let mut glance = interval(GLANCE);
        loop {
            tokio::select! {
                _ = glance.tick() => load.peak = load.peak.max(replica.vitals()?.memory),
                seen = clients.join_next() => match seen {
                    Some(seen) => load.add(seen?),
                    None => break,
                },
            }
        }
        load.elapsed = started.elapsed();
        load.latencies.sort_unstable();
        Ok(load)
    }

    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.failed += other.failed;
        self.failure = self.failure.take().or(other.failure);
    }

    /// Good answers a second.
    #[expect(clippy::cast_precision_loss, reason = "a figure to read; there are no 2^52 requests")]
    pub(super) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time within which `percent` of the good answers came.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(rank).copied().unwrap_or_default()
    }
}

/// One client: the `first` of the requests and the following, again and again, until `end`.
async fn ask_until(end: Instant, server: SocketAddr, traffic: Traffic, first: usize) -> Load {
    let mut client = Client::new(server);
    let mut load = Load::default();
    for request in traffic.requests.iter().cycle().skip(first % traffic.requests.len()) {
        let asked = Instant::now();
        if asked >= end {
            break;
        }
        match client.ask(request).await {
            Ok(_) => load.latencies.push(asked.elapsed()),
            // It takes a new connection.
            Err(Lost::Unsent) => {}
            Err(Lost::Failed(error)) => {
                load.failed += 1;
                load.failure.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
    load
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_answers_that_were_seen() {
        let load = Load { latencies: (1..=200).map(Duration::from_millis).collect(), ..Load::default() };
        assert_eq!(load.percentile(50), Duration::from_millis(100));
        assert_eq!(load.percentile(99), Duration::from_millis(198));
        assert_eq!(Load::default().percentile(99), Duration::ZERO);
    }
}
