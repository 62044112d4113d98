//! The signals by which a person or a supervisor asks us to stop.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, a supervisor's SIGTERM, and the hang-up of a closed terminal. From its making on none of them ends us
/// by itself.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

/// One request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted {
    signal: SignalKind,
}

impl Interrupts {
    /// Starts to listen.
    pub(crate) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("signals can't be received");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next request to stop.
    pub(crate) async fn next(&mut self) -> Interrupted {
        let signal = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hang_up.recv() => SignalKind::hangup(),
        };
        Interrupted { signal }
    }
}

impl Interrupted {
    /// The exit code a shell expects of a program that was stopped this way.
    pub(crate) fn exit_code(self) -> u8 {
        u8::try_from(128 + self.signal.as_raw_value()).unwrap_or(u8::MAX)
    }
}
