//! Where services are reached: like a cluster, at those of their replicas whose probe last said that they are ready.
//!
//! What a visitor may know is what a cluster knows, the probes' answers with their delay. So nothing is lost while a
//! replica stops only if it goes on for a while by itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::system::Address;

/// How often each replica is asked whether it is ready.
pub(super) const PROBING: Duration = Duration::from_millis(200);

/// Seconds a replica goes on after it was asked to stop: enough for every visitor to see that it isn't ready.
pub(crate) const DELAY: u64 = 2;

/// How often is looked whether all are open.
const LOOKING: Duration = Duration::from_millis(20);

/// The replicas of every service, with what their probes said last.
#[derive(Clone)]
pub(crate) struct Doors(Arc<BTreeMap<&'static str, Vec<Door>>>);

struct Door {
    address: SocketAddr,
    is_open: watch::Receiver<bool>,
}

/// The probes. They end when this is dropped.
pub(crate) struct Probes(#[expect(dead_code, reason = "held, so that they go on")] JoinSet<()>);

impl Doors {
    /// Watches these replicas of these services.
    pub(crate) fn watch(replicas: impl IntoIterator<Item = (&'static str, Address)>) -> (Self, Probes) {
        let mut probes = JoinSet::new();
        let mut doors: BTreeMap<_, Vec<Door>> = BTreeMap::new();
        for (service, address) in replicas {
            let (said, is_open) = watch::channel(false);
            probes.spawn(probe(address, said));
            doors.entry(service).or_default().push(Door { address: address.public, is_open });
        }
        (Self(Arc::new(doors)), Probes(probes))
    }

    /// Waits, for ever, until all are ready at once.
    pub(crate) async fn until_all_open(&self) {
        while !self.0.values().flatten().all(|door| *door.is_open.borrow()) {
            sleep(LOOKING).await;
        }
    }

    /// Waits until it is known that the replica at `address` is ready.
    pub(crate) async fn until_open(&self, address: SocketAddr) -> Result<()> {
        let door =
            self.0.values().flatten().find(|door| door.address == address).context("nobody knows this replica")?;
        door.is_open.clone().wait_for(|is_open| *is_open).await.map(drop).context("nobody probes any more")
    }

    /// One of the open doors of `service`.
    pub(super) fn choose(&self, service: &str, turn: usize) -> Option<SocketAddr> {
        let open: Vec<_> = self.0.get(service)?.iter().filter(|door| *door.is_open.borrow()).collect();
        open.get(turn % open.len().max(1)).map(|door| door.address)
    }
}

/// Asks one replica for ever.
async fn probe(address: Address, said: watch::Sender<bool>) {
    let mut rounds = interval(PROBING);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        said.send_replace(address.is_ready().await.is_ok());
    }
}
