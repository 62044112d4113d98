//! A rolling restart under load: two instances of a service, stopped and started anew by turns, while visitors ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::doors::{Doors, PROBING};
use super::users::Traffic;
use super::visitor::{Seen, Visitor};
use crate::system::Address;

/// How long both run before and after each restart.
const BETWEEN: Duration = Duration::from_secs(1);

/// What became of a service that was restarted, and of what it was asked.
#[derive(Serialize)]
pub(crate) struct Restarts {
    pub(crate) service: &'static str,
    /// How often an instance was stopped and started.
    pub(crate) times: usize,
    #[serde(flatten)]
    pub(crate) seen: Seen,
}

/// Two instances of a service, which can be restarted one at a time.
pub(crate) trait Pair {
    /// Where they are.
    fn addresses(&self) -> [Address; 2];

    /// Asks one to stop, and starts it anew at its address when it has: until it is ready.
    async fn restart(&mut self, which: usize) -> Result<()>;
}

impl Restarts {
    /// Restarts both of `pair` by turns, each `rounds` times, under `traffic` over `connections`.
    pub(crate) async fn of(pair: &mut impl Pair, traffic: &Traffic, connections: usize, rounds: usize) -> Result<Self> {
        let (doors, probes) = Doors::watch(pair.addresses().map(|address| (traffic.service, address)));
        doors.until_all_open().await;
        let enough = Arc::new(AtomicBool::new(false));
        let mut visitors = JoinSet::new();
        for first in 0..connections {
            // Half as fast as the requests change the replicas: so that each of them gets every request.
            let visitor = Visitor::new(&doors, first / 2);
            visitors.spawn(ask_until(Arc::clone(&enough), visitor, traffic.clone(), first));
        }
        let mut restarts = Self { service: traffic.service, times: 0, seen: Seen::default() };
        for which in [0, 1].repeat(rounds) {
            sleep(BETWEEN).await;
            pair.restart(which).await?;
            restarts.times += 1;
        }
        sleep(BETWEEN).await;
        enough.store(true, Ordering::Relaxed);
        while let Some(seen) = visitors.join_next().await {
            restarts.seen.add(seen?);
        }
        drop(probes);
        Ok(restarts)
    }
}

/// Asks the `first` of the requests and the following, again and again, until it is `enough`.
async fn ask_until(enough: Arc<AtomicBool>, mut visitor: Visitor, traffic: Traffic, first: usize) -> Seen {
    for request in traffic.requests.iter().cycle().skip(first % traffic.requests.len()) {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        if visitor.ask(traffic.service, request).await.is_err() {
            // Where nobody is ready, there is nothing to ask before the next probe.
            sleep(PROBING).await;
        }
    }
    visitor.seen
}
