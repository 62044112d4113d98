//! A rolling restart under load: two instances of a service, stopped and started anew by turns, and a client that
//! like a cluster sends only to those whose probe last said that they are ready.
//!
//! What the client may know is what a cluster knows: the probes' answers, with their delay. So the time between a stop
//! that begins and the last request it gets is covered by the service alone.

use std::collections::HashMap;
use std::net::SocketAddr;
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
use super::instance::{Address, Instance};
use super::traffic::Traffic;
use crate::services::Service;

/// How often the instances are asked whether they are ready.
const PROBING: Duration = Duration::from_millis(200);

/// Seconds an instance goes on after it was asked to stop: enough for every client to see that it isn't ready.
pub(crate) const DELAY: u64 = 2;

/// How long both run before and after each restart.
const BETWEEN: Duration = Duration::from_secs(1);

/// What became of the requests.
#[derive(Default, Serialize)]
pub(crate) struct Restarts {
    /// How often an instance was stopped and started.
    pub(crate) times: usize,
    /// Requests that were answered as they should be.
    pub(crate) answered: usize,
    /// Those among them that had to be sent a second time, because an idle connection was closed before they were
    /// written to it.
    pub(crate) sent_again: usize,
    /// Requests without their answer, for any other reason.
    pub(crate) lost: usize,
    /// Why the first one was.
    pub(crate) reason: Option<String>,
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
        let addresses = pair.addresses();
        let (ready, known) = watch::channel(addresses.to_vec());
        let probes = tokio::spawn(probe_all(addresses, ready));
        let enough = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..connections {
            clients.spawn(ask_until(Arc::clone(&enough), known.clone(), traffic.clone(), client));
        }
        let mut outcome = Self::default();
        for which in [0, 1].repeat(rounds) {
            sleep(BETWEEN).await;
            pair.restart(which).await?;
            outcome.times += 1;
        }
        sleep(BETWEEN).await;
        enough.store(true, Ordering::Relaxed);
        while let Some(seen) = clients.join_next().await {
            outcome.add(seen?);
        }
        probes.abort();
        Ok(outcome)
    }

    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.sent_again += other.sent_again;
        self.lost += other.lost;
        self.reason = self.reason.take().or(other.reason);
    }
}

/// Two processes on this machine.
pub(super) struct Processes<'a, 'b> {
    bench: &'a Bench<'b>,
    service: &'static Service,
    addresses: [Address; 2],
    instances: [Option<Instance>; 2],
}

impl<'a, 'b> Processes<'a, 'b> {
    /// Starts two of `service`.
    pub(super) async fn start(service: &'static Service, bench: &'a Bench<'b>) -> Result<Self> {
        let addresses = [Address::any()?, Address::any()?];
        let mut pair = Self { bench, service, addresses, instances: [None, None] };
        for which in [0, 1] {
            pair.restart(which).await?;
        }
        Ok(pair)
    }

    /// Stops both.
    pub(super) async fn stop(self) -> Result<()> {
        for instance in self.instances.into_iter().flatten() {
            instance.stop().await?;
        }
        Ok(())
    }
}

impl Pair for Processes<'_, '_> {
    fn addresses(&self) -> [Address; 2] {
        self.addresses
    }

    async fn restart(&mut self, which: usize) -> Result<()> {
        if let Some(old) = self.instances[which].take() {
            old.stop().await?;
        }
        let new = self.bench.start_at(self.service, self.addresses[which], DELAY).await?;
        self.instances[which] = Some(new);
        Ok(())
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
            if address.is_ready().await.is_ok() {
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
    let mut clients: HashMap<SocketAddr, Client> = HashMap::new();
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
