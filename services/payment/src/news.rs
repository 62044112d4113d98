//! News for the outside goes out from here, as refunds do: this is the service that calls others.

use std::time::Duration;

use common::jobs;
use common::service::Running;
use news::{Metrics, Outbox, Relay};

/// How often each of its jobs looks for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewsPauses {
    /// News to be sent.
    pub relay: Duration,
    /// News to be forgotten.
    pub forget: Duration,
    /// What waits, to be measured.
    pub look: Duration,
}

impl Default for NewsPauses {
    fn default() -> Self {
        Self { relay: Duration::from_secs(1), forget: Duration::from_mins(1), look: Duration::from_secs(15) }
    }
}

/// How much is sent at a time, side by side: all of it has to come to an end while the service stops.
const AT_A_TIME: u32 = 16;

/// How much is forgotten at a time.
const FORGOTTEN_AT_A_TIME: u32 = 500;

/// Adds the jobs that send news, if somebody subscribes; and those that forget it, in any case.
pub fn with_news(
    running: Running,
    outbox: &Outbox,
    relay: Option<Relay>,
    metrics: Metrics,
    pauses: NewsPauses,
) -> Running {
    let (full, waiting, unread) = (outbox.clone(), outbox.clone(), relay.is_none());
    let running = running
        .job(move |shift| jobs::every(pauses.forget, "forget news", shift, move || forget(full.clone(), unread)));
    let Some(relay) = relay else { return running };
    running.job(move |shift| jobs::every(pauses.relay, "send news", shift, move || send(relay.clone()))).job(
        move |shift| {
            jobs::every(pauses.look, "look at the outbox", shift, move || look(waiting.clone(), metrics.clone()))
        },
    )
}

async fn send(relay: Relay) -> sqlx::Result<bool> {
    relay.relay_once(AT_A_TIME).await
}

async fn forget(outbox: Outbox, unread: bool) -> sqlx::Result<bool> {
    outbox.forget_once(FORGOTTEN_AT_A_TIME, unread).await
}

async fn look(outbox: Outbox, metrics: Metrics) -> sqlx::Result<bool> {
    outbox.look(&metrics).await
}
