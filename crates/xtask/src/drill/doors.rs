//! How customers reach the services: like a cluster, to each by turns of those replicas whose probe last said that they
//! are ready, over connections that are kept.
//!
//! What a customer may know is what a cluster knows, the probes' answers with their delay. So nothing is lost while a
//! replica stops only if it goes on for a while by itself.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Error, Result};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::measure::client::{Client, Lost, Request};
use crate::measure::instance::Address;

/// How often each replica is asked whether it is ready.
const PROBING: Duration = Duration::from_millis(200);

/// The replicas of every service, with what their probes said last.
#[derive(Clone)]
pub(super) struct Doors(Arc<BTreeMap<&'static str, Vec<Door>>>);

struct Door {
    address: SocketAddr,
    is_open: watch::Receiver<bool>,
}

/// The probes. They end when this is dropped.
pub(super) struct Probes(#[expect(dead_code, reason = "held, so that they go on")] JoinSet<()>);

impl Doors {
    /// Watches these replicas.
    pub(super) fn watch(replicas: impl Iterator<Item = (&'static str, Address)>) -> (Self, Probes) {
        let mut probes = JoinSet::new();
        let mut doors: BTreeMap<_, Vec<Door>> = BTreeMap::new();
        for (service, address) in replicas {
            let (said, is_open) = watch::channel(false);
            probes.spawn(probe(address, said));
            doors.entry(service).or_default().push(Door { address: address.public, is_open });
        }
        (Self(Arc::new(doors)), Probes(probes))
    }

    /// Whether all are ready.
    pub(super) fn all_open(&self) -> bool {
        self.0.values().flatten().all(|door| *door.is_open.borrow())
    }

    /// Waits until it is known that the replica at `address` is ready.
    pub(super) async fn until_open(&self, address: SocketAddr) -> Result<()> {
        let door =
            self.0.values().flatten().find(|door| door.address == address).context("nobody knows this replica")?;
        door.is_open.clone().wait_for(|is_open| *is_open).await.map(drop).context("nobody probes any more")
    }

    /// One of the open doors of `service`.
    fn choose(&self, service: &str, turn: usize) -> Option<SocketAddr> {
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

/// What became of somebody's requests.
#[derive(Default)]
pub(super) struct Seen {
    /// Requests that were answered as they should be.
    pub(super) answered: usize,
    /// Those among them that had to be sent a second time, because an idle connection was closed before they were
    /// written to it.
    pub(super) sent_again: usize,
    /// Requests without their answer, for any other reason.
    pub(super) lost: usize,
    /// Why the first one was.
    pub(super) reason: Option<String>,
}

impl Seen {
    pub(super) fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.sent_again += other.sent_again;
        self.lost += other.lost;
        self.reason = self.reason.take().or(other.reason);
    }

    /// In a few words.
    pub(super) fn told(&self) -> String {
        let Self { answered, sent_again, lost, reason } = self;
        let reason = reason.as_deref().map(first_words).unwrap_or_default();
        format!("{answered} answered, {sent_again} of them sent again, {lost} lost{reason}")
    }
}

/// The beginning of a reason, for a table.
pub(super) fn first_words(reason: &str) -> String {
    format!(", the first: {}…", reason.chars().take(100).collect::<String>())
}

/// Somebody who asks, and keeps connections.
pub(super) struct Visitor {
    doors: Doors,
    connections: HashMap<SocketAddr, Client>,
    turn: usize,
    pub(super) seen: Seen,
}

impl Visitor {
    pub(super) fn new(doors: &Doors, turn: usize) -> Self {
        Self { doors: doors.clone(), connections: HashMap::new(), turn, seen: Seen::default() }
    }

    /// What `service` answers.
    ///
    /// # Errors
    /// When the request is lost, which is counted.
    pub(super) async fn ask(&mut self, service: &str, request: &Request) -> Result<Value> {
        let answer = match self.try_asking(service, request).await {
            Err(Lost::Unsent) => {
                self.seen.sent_again += 1;
                self.try_asking(service, request).await
            }
            answer => answer,
        };
        match answer {
            Ok(answer) => {
                self.seen.answered += 1;
                Ok(answer)
            }
            Err(lost) => {
                let error = Error::from(lost).context(format!("{service} is lost"));
                self.seen.lost += 1;
                self.seen.reason.get_or_insert_with(|| format!("{error:#}"));
                Err(error)
            }
        }
    }

    async fn try_asking(&mut self, service: &str, request: &Request) -> Result<Value, Lost> {
        self.turn += 1;
        let address = self.doors.choose(service, self.turn).context("no replica is ready").map_err(Lost::Failed)?;
        let connection = self.connections.entry(address).or_insert_with(|| Client::new(address));
        let answer = connection.ask(request).await?;
        serde_json::from_slice(&answer).map_err(|error| Lost::Failed(error.into()))
    }
}
