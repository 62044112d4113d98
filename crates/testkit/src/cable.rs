//! A cable between a service and the database or cache it depends on, to be spoiled in the middle of a test.
//!
//! It carries bytes and knows no protocol. The one trap: a cable that [hangs](Condition::Hanging) delivers later what
//! it was given, as a server does that was stopped for a while; one that [loses](Condition::Losing) never does, as
//! when a machine behind the network is gone. The second kind of silence never ends by itself.
#![expect(clippy::missing_panics_doc, reason = "a test without its cable has nothing to say")]

use std::net::Ipv4Addr;
use std::time::Duration;

use common::cache::Cache;
use common::db;
use sqlx::MySqlPool;
use sqlx::mysql::MySqlConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::port::Port;
use crate::redis::settings_at;

/// How a cable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Everything goes through.
    Whole,
    /// Every answer takes so much longer.
    Slow(Duration),
    /// Connections are taken and nothing goes through until it is whole again.
    Hanging,
    /// Connections are taken and nothing goes through, for them never again.
    Losing,
    /// Each connection breaks in an answer, after so many bytes from now on.
    Tearing(usize),
    /// Every connection is reset and none is taken.
    Cut,
}

/// A cable to a server. It is gone when dropped.
#[derive(Debug)]
pub struct Cable {
    port: u16,
    condition: watch::Sender<Condition>,
    /// Whether connections are taken.
    taking: watch::Receiver<bool>,
}

impl Cable {
    /// A whole cable to `host` and its port `far`.
    pub async fn to(host: &str, far: u16) -> Self {
        let near = Port::kept();
        let port = near.number();
        let (condition, watched) = watch::channel(Condition::Whole);
        let (takes, taking) = watch::channel(false);
        tokio::spawn(carry(near, format!("{host}:{far}"), watched, takes));
        let cable = Self { port, condition, taking };
        cable.becomes(Condition::Whole).await;
        cable
    }

    /// A cable to the server of `database`.
    pub async fn to_database(database: &MySqlConnectOptions) -> Self {
        Self::to(database.get_host(), database.get_port()).await
    }

    /// From now on it is like that. Returns when it is.
    pub async fn becomes(&self, condition: Condition) {
        self.condition.send_replace(condition);
        let taking = condition != Condition::Cut;
        self.taking.clone().wait_for(|t| *t == taking).await.expect("it lives as long as this");
    }

    /// A cache of ours at its end, no more patient than in production.
    pub fn cache(&self) -> Cache {
        Cache::new(&settings_at(self.port, None)).expect("an address")
    }

    /// A pool of ours, of up to `connections`, at the end of a cable to `database`.
    pub fn pool(&self, database: MySqlConnectOptions, connections: u32) -> MySqlPool {
        let database = database.host(&Ipv4Addr::LOCALHOST.to_string()).port(self.port);
        db::pool_options().max_connections(connections).connect_lazy_with(database)
    }

    /// Where its near end is, on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }
}

async fn carry(near: Port, far: String, condition: watch::Receiver<Condition>, taking: watch::Sender<bool>) {
    loop {
        let listener = near.listen().await;
        taking.send_replace(true);
        let cut = tokio::select! {
            () = take(&listener, &far, &condition) => None,
            cut = until(&condition, |c| c == Condition::Cut) => cut,
        };
        drop(listener);
        taking.send_replace(false);
        if cut.is_none() || until(&condition, |c| c != Condition::Cut).await.is_none() {
            return;
        }
    }
}

/// Waits for a condition; `None` when the cable is gone.
async fn until(condition: &watch::Receiver<Condition>, wanted: impl Fn(Condition) -> bool) -> Option<Condition> {
    condition.clone().wait_for(|c| wanted(*c)).await.ok().map(|c| *c)
}

/// Takes connections, for ever.
async fn take(listener: &TcpListener, far: &str, condition: &watch::Receiver<Condition>) {
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(connect(near, far.to_owned(), condition.clone()));
    }
}

/// Carries one connection until one side ends it or the cable does.
async fn connect(near: TcpStream, far: String, condition: watch::Receiver<Condition>) {
    let Ok(far) = TcpStream::connect(far).await else { return };
    for end in [&near, &far] {
        end.set_nodelay(true).expect("an option");
        // What is dropped is reset.
        end.set_zero_linger().expect("an option");
    }
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = pump(near_in, far_out, &condition, false) => {}
        () = pump(far_in, near_out, &condition, true) => {}
        _ = until(&condition, |c| c == Condition::Cut) => {}
    }
}

/// Carries bytes one way until they end.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, condition: &watch::Receiver<Condition>, answers: bool) {
    let mut bytes = vec![0; 64 << 10];
    let mut torn_after = None;
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read.unwrap_or_default(),
            // Lost for ever, even if nothing was on its way.
            _ = until(condition, |c| c == Condition::Losing) => std::future::pending().await,
        };
        let mut through = read;
        match until(condition, |c| c != Condition::Hanging).await {
            None => return,
            Some(Condition::Losing) => std::future::pending().await,
            Some(Condition::Slow(delay)) if answers => tokio::time::sleep(delay).await,
            Some(Condition::Tearing(after)) if answers => {
                let left: &mut usize = torn_after.get_or_insert(after);
                through = read.min(*left);
                *left -= through;
            }
            Some(_) => {}
        }
        let written = to.write_all(bytes.get(..through).unwrap_or_default()).await;
        if through == 0 || through < read || written.is_err() {
            return;
        }
    }
}
