//! A Redis of a test's own: one that may be stopped, filled up, closed with a password or made somebody's replica.
#![expect(clippy::missing_panics_doc, reason = "a test without its Redis has nothing to say")]

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::cache::Cache;
use common::config;
use redis::IntoConnectionInfo as _;
use redis::aio::MultiplexedConnection;

use crate::port::Port;
use crate::world::PATIENCE;

/// The server's names.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// A Redis server. It is killed when dropped, and keeps nothing.
#[derive(Debug)]
pub struct Redis {
    port: Port,
    process: Child,
}

impl Redis {
    /// Starts one; it answers when this returns.
    pub async fn start() -> Self {
        let port = Port::kept();
        let redis = Self { process: run(port.number()), port };
        redis.answers().await;
        redis
    }

    /// Kills it and starts it anew, empty.
    pub async fn restart(&mut self) {
        self.stop();
        self.process = run(self.port.number());
        self.answers().await;
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).expect("it can be killed");
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// A cache of ours on it.
    pub fn cache(&self) -> Cache {
        self.cache_with("")
    }

    /// A cache of ours on it that gives a password, unless that is empty.
    pub fn cache_with(&self, password: &str) -> Cache {
        let settings = settings_at(self.port(), Some(password).filter(|p| !p.is_empty()));
        Cache::patient(&settings, PATIENCE).expect("an address")
    }

    /// A connection to do to it whatever a test wants.
    pub async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let address = redis::ConnectionAddr::Tcp(Ipv4Addr::LOCALHOST.to_string(), self.port());
        redis::Client::open(address.into_connection_info()?)?.get_multiplexed_async_connection().await
    }

    /// Tells it something, as `redis-cli` does.
    pub async fn tell(&self, words: &[&str]) {
        let mut connection = self.connect().await.expect("a connection");
        let [command, arguments @ ..] = words else { panic!("a command") };
        redis::cmd(command).arg(arguments).exec_async(&mut connection).await.expect("it obeys");
    }

    async fn answers(&self) {
        for _ in 0..6000 {
            if self.connect().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("Redis doesn't start");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a cache is found on this machine's `port`.
pub(crate) fn settings_at(port: u16, password: Option<&str>) -> config::Redis {
    let host = Some(Ipv4Addr::LOCALHOST.to_string());
    config::Redis { host, port, db: 0, password: password.map(Into::into), ssl: false }
}

fn run(port: u16) -> Child {
    PROGRAMS
        .iter()
        .find_map(|program| {
            Command::new(program)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .stdout(Stdio::null())
                .spawn()
                .ok()
        })
        .expect("redis-server or valkey-server is installed")
}
