//! The end of a run: everybody comes to rest, and then is asked for what must hold in the end.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;

use super::Run;
use crate::jobs::{self, AT_REST};
use crate::plan::Dice;
use crate::process::Services;
use crate::rules::{self, Broken};

/// How often somebody who gets no answer asks again.
const PERSISTENCE: usize = 4;

impl Run<'_> {
    /// Lets everybody ask until they are answered, every hold lapse, and every job run; then asks for what must hold.
    pub(super) async fn come_to_rest(&mut self, seed: u64) -> Result<Option<Broken>> {
        self.conductor.solo(true);
        self.story.step("everybody comes to rest");
        // First they are silent, for longer than a hold lasts.
        self.conductor.pass(TimeDelta::minutes(16));
        let broken = rules::always(self.db, self.conductor.clock().now(), &self.seats).await?;
        if broken.is_some() {
            return Ok(broken);
        }
        for _ in 0..PERSISTENCE {
            for at in self.town.open_requests() {
                let Some(asked) = self.town.asked.get(at) else { continue };
                let call = asked.call.clone();
                let reply = self.do_now(|services| call.make(services)).await?;
                if let Some(broken) = self.answer(0, at, &reply) {
                    return Ok(Some(broken));
                }
            }
        }
        // The provider tells of some receipts; of the others nobody ever hears but who asks.
        let mut dice = Dice::new(!seed);
        for slip in 0..self.town.slips.len() {
            if let Some(call) = self.town.message(slip, false, &self.provider).filter(|_| !dice.one_in(3)) {
                self.do_now(|services| call.make(services)).await?;
            }
        }
        for round in 0..4 {
            self.conductor.pass(TimeDelta::minutes(62));
            if let Err(error) = self.do_now(jobs::make_all).await? {
                return Ok(Some(Broken::new("no-failure", format!("a job failed: {error}"))));
            }
            if round == 1 {
                // Before the product sets anything right.
                let broken = rules::always(self.db, self.conductor.clock().now(), &self.seats).await?;
                if broken.is_some() {
                    return Ok(broken);
                }
                let found = self.do_now(|services| jobs::reconcile(services, AT_REST)).await?;
                if let Err(error) = found {
                    return Ok(Some(Broken::new("books-agree", error)));
                }
            }
        }
        match self.hear() {
            Some(broken) => Ok(Some(broken)),
            None => self.judge().await,
        }
    }

    /// Has something done, with nobody else about.
    async fn do_now<T, F>(&mut self, work: impl FnOnce(Services) -> F + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let told = self.process(0)?.give(work);
        self.conductor.settle().await?;
        told.await.context("a step that ended without a word: it has panicked")
    }

    /// Asks for what must hold in the end.
    async fn judge(&mut self) -> Result<Option<Broken>> {
        let now = self.conductor.clock().now();
        if let Some(broken) = rules::always(self.db, now, &self.seats).await? {
            return Ok(Some(broken));
        }
        if let Some(broken) = rules::finally(self.db, now).await? {
            return Ok(Some(broken));
        }
        if let Some(broken) = rules::money(self.db, &self.provider).await? {
            return Ok(Some(broken));
        }
        let heard: BTreeSet<String> = self.subscriber.heard().iter().map(|heard| heard.id().to_owned()).collect();
        if let Some(broken) = rules::news(self.db, &heard).await? {
            return Ok(Some(broken));
        }
        if let Some(broken) = rules::effects(self.db).await? {
            return Ok(Some(broken));
        }
        for promise in &self.town.promises {
            if let Some(broken) = rules::promise(self.db, promise).await? {
                return Ok(Some(broken));
            }
        }
        Ok(None)
    }
}
