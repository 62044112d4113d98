//! Accepting connections: so many at once and no more, until the process is asked to stop.
//!
//! The one trap: a connection that the kernel has taken on but nobody accepted is reset when the listener closes. So
//! whatever waits there when it is time to close is accepted first.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::connection;
use super::limits::{Limits, overloaded};
use crate::shutdown::Shutdown;

/// How many connections beyond the cap are told so at once; those beyond that are closed without a word.
const REFUSALS: usize = 64;

/// Serves a router over HTTP/1.1.
#[derive(Clone, Debug)]
pub struct Server {
    router: Router,
    limits: Limits,
}

impl Server {
    /// Serves `router` within `limits`.
    pub fn new(router: Router, limits: Limits) -> Self {
        Self { router, limits }
    }

    /// Serves whoever connects to `listener`, until `shutdown` closes and the last connection is done with.
    pub async fn serve(self, mut listener: TcpListener, shutdown: Shutdown) {
        let places = Arc::new(Semaphore::new(self.limits.connections as usize));
        let refusals = Arc::new(Semaphore::new(REFUSALS));
        let connections = TaskTracker::new();
        let mut full = false;
        loop {
            // The framework's own `accept` lets errors that won't go away at once, such as too many open files, rest.
            let (stream, peer) = tokio::select! {
                biased;
                accepted = Listener::accept(&mut listener) => accepted,
                () = shutdown.closing() => break,
            };
            let was_full = full;
            full = places.available_permits() == 0;
            if full && !was_full {
                tracing::warn!(connections = self.limits.connections, "no more connections are served for now");
            }
            if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                let connection = self.connection(stream, peer, &shutdown);
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            } else if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
                connections.spawn(async move {
                    connection::refuse(stream, &overloaded()).await;
                    drop(place);
                });
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        shutdown: &Shutdown,
    ) -> impl Future<Output = ()> + Send + 'static {
        // Answers go out at once; where that can't be had, a bit later.
        let _ = stream.set_nodelay(true);
        connection::serve(stream, peer, self.router.clone(), self.limits, shutdown.clone())
    }
}
