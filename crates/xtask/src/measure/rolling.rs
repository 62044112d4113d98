//! A rolling restart under load: two instances of a service, stopped and started anew by turns, and a client that
//! like a cluster sends only to those whose probe last said that they are ready.
//!
//! What the client may know is what a cluster knows: the probes' answers, with their delay. So the time between a stop
//! that begins and the last request it gets is covered by the service alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::bench::Bench;
use super::client::{Client, Lost, Request};
use super::instance::Address;
use super::traffic::Traffic;
use crate::probe;
use crate::services::Service;

/// How often the instances are asked whether they are ready.
const PROBING: Duration = Duration::from_millis(200);

/// Seconds an instance goes on after it was asked to stop: enough for every client to see that it isn't ready.
const DELAY: u64 = 2;

/// How long both run before and after each restart.
const BETWEEN: Duration = Duration::from_secs(1);

/// What became of the requests.
#[derive(Default, Serialize)]
pub(super) struct Restarts {
    /// How often an instance was stopped and started.
    pub(super) times: usize,
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

impl Restarts {
    /// Restarts two instances of `service` by turns, each `rounds` times, under `traffic` over `connections`.
    pub(super) async fn of(
        service: &Service,
        bench: &Bench<'_>,
        traffic: &Traffic,
        connections: usize,
        rounds: usize,
    ) -> Result<Self> {
        let addresses = [Address::any()?, Address::any()?];
        let mut instances = Vec::new();
        for address in addresses {
            instances.push(bench.start_at(service, address, DELAY).await?);
        }
        let (ready, known) = watch::channel(addresses.to_vec());
        let probes = tokio::spawn(probe_all(addresses, ready));
        let enough = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..connections {
            clients.spawn(ask_until(Arc::clone(&enough), known.clone(), traffic.clone(), client));
        }
        let mut outcome = Self::default();
        for _ in 0..rounds * instances.len() {
            sleep(BETWEEN).await;
            let old = instances.remove(0);
            let address = old.address;
            old.stop().await?;
            instances.push(bench.start_at(service, address, DELAY).await?);
            outcome.times += 1;
        }
        sleep(BETWEEN).await;
        enough.store(true, Ordering::Relaxed);
        while let Some(seen) = clients.join_next().await {
            outcome.add(seen?);
        }
        probes.abort();
        for instance in instances {
            instance.stop().await?;
        }
        Ok(outcome)
    }

    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.sent_again += other.sent_again;
        self.lost += other.lost;
        self.reason = self.reason.take().or(other.reason);
    }
}

/// Tells the clients who is ready, for ever.
async fn probe_all(addresses: [Address; 2], ready: watch::Sender<Vec<Address>>) {
    let mut rounds = interval(PROBING);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let mut now = Vec::new();
        for address in addresses {
            if probe::http(address.internal, "/readyz").await.is_ok() {
                now.push(address);
            }
        }
        ready.send_replace(now);
    }
}

/// One client, which asks the ready ones by turns until it is `enough`.
async fn ask_until(
    enough: Arc<AtomicBool>,
    ready: watch::Receiver<Vec<Address>>,
    traffic: Traffic,
    first: usize,
) -> Restarts {
    let mut clients: HashMap<u16, Client> = HashMap::new();
    let mut seen = Restarts::default();
    for (turn, request) in traffic.requests.iter().cycle().enumerate().skip(first) {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        let chosen = {
            let ready = ready.borrow();
            ready.get(turn / traffic.requests.len() % ready.len().max(1)).copied()
        };
        let Some(address) = chosen else {
            seen.lose("no instance is ready".to_owned());
            sleep(PROBING).await;
            continue;
        };
        let client = clients.entry(address.public).or_insert_with(|| Client::new(address.public));
        seen.ask(client, request).await;
    }
    seen
}

impl Restarts {
    async fn ask(&mut self, client: &mut Client, request: &Request) {
        let mut answer = client.ask(request).await;
        if matches!(answer, Err(Lost::Unsent)) {
            self.sent_again += 1;
            answer = client.ask(request).await;
        }
        match answer {
            Ok(_) => self.answered += 1,
            Err(lost) => self.lose(format!("{:#}", anyhow::Error::from(lost))),
        }
    }

    fn lose(&mut self, reason: String) {
        self.lost += 1;
        self.reason.get_or_insert(reason);
    }
}
