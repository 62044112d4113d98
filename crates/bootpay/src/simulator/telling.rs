//! What the simulator does by itself once a payment is made: it tells the shop, in the manner and the order that the
//! payment's script wants, and lets happen what is to happen later.
//!
//! Whatever waits here waits in memory, and is forgotten at a restart.

use std::time::Duration;

use tokio::time::sleep;

use super::ledger::Entry;
use super::script::Happening;
use super::webhook::{Delivery, Event, Format, Mode};
use super::{Simulator, chance};
use crate::{ReceiptId, Status};

impl Simulator {
    /// Begins what the script of a payment lets happen by itself, as far as it follows from what `entry` is now.
    pub(super) fn begin_sequels(&self, entry: &Entry) {
        let is_due = |event: Happening| match entry.status {
            Status::Paid => event.needs_money(),
            Status::AccountIssued => !event.needs_money(),
            _ => false,
        };
        for sequel in entry.script.sequels.iter().copied().filter(|sequel| is_due(sequel.event)) {
            let (simulator, receipt_id) = (self.clone(), entry.receipt_id.clone());
            tokio::spawn(async move {
                sleep(seconds(sequel.after)).await;
                simulator.happen(&receipt_id, sequel.event).await;
            });
        }
    }

    /// Lets it happen. Of a cancel in its console the provider tells nobody.
    async fn happen(&self, receipt_id: &ReceiptId, event: Happening) {
        let happened = self.change(|ledger| ledger.happen(receipt_id.as_str(), event, chance::now()));
        if let Some(entry) = happened.filter(|_| !event.needs_money()) {
            self.begin_sequels(&entry);
            self.tell(&entry).await;
        }
    }

    /// Sends the webhook of `entry` the way its payment asked for, or sees to it that it is sent later.
    pub(super) async fn tell(&self, entry: &Entry) -> Delivery {
        let Some(event) = self.event(entry, entry.webhook, entry.webhook_format) else {
            return Delivery::default();
        };
        let telling = &entry.script.telling;
        if let Some(patience) = telling.kept_back
            && self.keep_back(&event)
        {
            let simulator = self.clone();
            tokio::spawn(async move {
                sleep(seconds(patience)).await;
                simulator.send_kept_back(&event.receipt_id).await;
            });
            return Delivery::default();
        }
        let (simulator, is_doubled) = (self.clone(), telling.is_doubled);
        let Some(late) = telling.late else { return self.send_as_often(event, is_doubled).await };
        tokio::spawn(async move {
            sleep(seconds(late)).await;
            simulator.send_as_often(event, is_doubled).await
        });
        Delivery::default()
    }

    /// Sends an event once or twice at once, and then the one that waited to be overtaken by it.
    async fn send_as_often(&self, event: Event, is_doubled: bool) -> Delivery {
        let receipt_id = event.receipt_id.clone();
        let delivery = if is_doubled {
            tokio::join!(self.send(event.clone()), self.send(event)).0
        } else {
            self.send(event).await
        };
        self.send_kept_back(&receipt_id).await;
        delivery
    }

    /// Sends a webhook of `entry` at once, whatever its script says.
    pub(super) async fn tell_as(&self, entry: &Entry, mode: Mode, format: Format) -> Delivery {
        match self.event(entry, mode, format) {
            Some(event) => self.send(event).await,
            None => Delivery::default(),
        }
    }

    /// The webhook that tells of `entry`; `None` if none is wanted, or there is nowhere to send it.
    fn event(&self, entry: &Entry, mode: Mode, format: Format) -> Option<Event> {
        let url = self.state().webhook_url.clone()?;
        Event::new(entry, mode, format, &self.shared.config.private_key, url)
    }

    /// Keeps an event for [`Self::send_kept_back`], if it is the first of its payment.
    fn keep_back(&self, event: &Event) -> bool {
        let mut state = self.state();
        let is_first = !state.kept_back.contains_key(&event.receipt_id);
        if is_first {
            state.kept_back.insert(event.receipt_id.clone(), Some(event.clone()));
        }
        is_first
    }

    async fn send_kept_back(&self, receipt_id: &ReceiptId) {
        let kept_back = self.state().kept_back.get_mut(receipt_id).and_then(Option::take);
        if let Some(event) = kept_back {
            self.send(event).await;
        }
    }

    /// Sends a webhook, answers with how the first attempt ended, and repeats it in the background if it has to.
    async fn send(&self, event: Event) -> Delivery {
        let simulator = self.clone();
        // In a task of its own: should the buyer's browser give up waiting, the webhook still arrives.
        let first = tokio::spawn(async move {
            let delivery = simulator.attempt(&event).await;
            if !delivery.delivered {
                tokio::spawn(async move { simulator.repeat(event).await });
            }
            delivery
        });
        first.await.unwrap_or_default()
    }

    async fn attempt(&self, event: &Event) -> Delivery {
        let delivery = event.send(&self.shared.http).await;
        self.change(|ledger| ledger.delivered(&event.receipt_id, delivery));
        delivery
    }

    async fn repeat(&self, event: Event) {
        for pause in &self.shared.config.webhook_pauses {
            sleep(*pause).await;
            if self.attempt(&event).await.delivered {
                return;
            }
        }
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}
