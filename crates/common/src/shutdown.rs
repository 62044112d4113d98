//! Taking one's leave: the signals that ask for it, and the two steps in which it is done.
//!
//! Between the two the process still serves everybody, because who sends requests here learns of its readiness with
//! some delay.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A shutdown that may be under way; clones tell of the same one.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    announced: CancellationToken,
    closing: CancellationToken,
}

impl Shutdown {
    /// First step: no more readiness, and every answer asks its client to come elsewhere next time.
    pub fn announce(&self) {
        self.announced.cancel();
    }

    /// Second step: nobody is let in any more, and connections without a request are closed.
    pub fn close(&self) {
        self.announced.cancel();
        self.closing.cancel();
    }

    /// Whether the first step is done.
    pub fn is_announced(&self) -> bool {
        self.announced.is_cancelled()
    }

    /// Waits for the second step.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }
}

/// SIGTERM and Ctrl-C. Listens from the beginning, so that none is missed while nobody waits for one.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen. Call it inside the runtime.
    ///
    /// # Errors
    /// When the system allows no handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
