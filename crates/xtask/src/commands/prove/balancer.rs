//! One address in front of several servers: what a Kubernetes Service, HAProxy or ProxySQL is in production.
//!
//! The one thing to know is when it lets go of a server: a connection stays where it was made until either side ends
//! it, and new ones go to those that last answered their probe. [`Choice::One`] doesn't go back to a server that has
//! recovered, because a writer that moves twice is interrupted twice.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::ports;

/// How often the servers are asked whether they are well, and how long an answer may take.
const PROBING: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a new connection goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// To one server as long as it is well, then to another.
    One,
    /// To those that are well, by turns.
    Turns,
}

/// An address in front of several. It is gone when this is dropped.
pub(super) struct Balancer {
    /// Where it listens.
    pub(super) port: u16,
    well: watch::Receiver<Vec<SocketAddr>>,
    tasks: [AbortHandle; 2],
}

impl Balancer {
    /// In front of `servers`. A new connection goes where `is_well` last said yes.
    pub(super) async fn before<P, A>(servers: Vec<SocketAddr>, choice: Choice, is_well: P) -> Result<Self>
    where
        P: Fn(SocketAddr) -> A + Send + Sync + 'static,
        A: Future<Output = bool> + Send + 'static,
    {
        let port = ports::lasting()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.context("a balancer can't listen")?;
        let (tell, well) = watch::channel(servers.clone());
        let probing = tokio::spawn(probe(servers, choice, is_well, tell));
        let serving = tokio::spawn(serve(listener, choice, well.clone()));
        Ok(Self { port, well, tasks: [probing.abort_handle(), serving.abort_handle()] })
    }

    /// Those that are well, the one that gets connections first.
    pub(super) fn well(&self) -> Vec<SocketAddr> {
        self.well.borrow().clone()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn probe<P, A>(servers: Vec<SocketAddr>, choice: Choice, is_well: P, tell: watch::Sender<Vec<SocketAddr>>)
where
    P: Fn(SocketAddr) -> A + Send + Sync + 'static,
    A: Future<Output = bool> + Send + 'static,
{
    let mut rounds = interval(PROBING);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let mut now = Vec::new();
        for &server in &servers {
            if timeout(PATIENCE, is_well(server)).await.unwrap_or(false) {
                now.push(server);
            }
        }
        if choice == Choice::One {
            let chosen = tell.borrow().first().copied();
            now.sort_by_key(|server| Some(*server) != chosen);
        }
        tell.send_replace(now);
    }
}

async fn serve(listener: TcpListener, choice: Choice, well: watch::Receiver<Vec<SocketAddr>>) {
    let turn = Arc::new(AtomicUsize::new(0));
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (well, turn) = (well.clone(), Arc::clone(&turn));
        connections.spawn(async move {
            let first = if choice == Choice::Turns { turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
            let servers = well.borrow().clone();
            for n in 0..servers.len() {
                if let Ok(server) = TcpStream::connect(servers[(first + n) % servers.len()]).await {
                    pass_on(client, server).await;
                    return;
                }
            }
        });
    }
}

/// Until either side ends it, and then both.
async fn pass_on(mut client: TcpStream, mut server: TcpStream) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A server that says `name` to everybody.
    async fn saying(name: &'static [u8]) -> (SocketAddr, AbortHandle) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let _ = client.write_all(name).await;
            }
        });
        (address, task.abort_handle())
    }

    async fn said(balancer: &Balancer) -> String {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, balancer.port)).await.unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).await.unwrap();
        text
    }

    async fn answers(server: SocketAddr) -> bool {
        TcpStream::connect(server).await.is_ok()
    }

    #[tokio::test]
    async fn one_is_used_until_it_dies() {
        let ((one, dies), (other, _)) = (saying(b"one").await, saying(b"other").await);
        let balancer = Balancer::before(vec![one, other], Choice::One, answers).await.unwrap();
        assert_eq!([said(&balancer).await, said(&balancer).await], ["one", "one"]);
        dies.abort();
        while said(&balancer).await != "other" {}
    }

    #[tokio::test]
    async fn turns_are_taken() {
        let ((one, _), (other, _)) = (saying(b"one").await, saying(b"other").await);
        let balancer = Balancer::before(vec![one, other], Choice::Turns, answers).await.unwrap();
        assert_ne!(said(&balancer).await, said(&balancer).await);
    }
}
