//! A burst: what is under way at once, one turn at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use bootpay::simulator::{Mode, Outcome, Payment};
use tokio::sync::oneshot;

use super::Run;
use crate::calls::Reply;
use crate::conductor::Verdict;
use crate::jobs::{self, MEANWHILE};
use crate::plan::{Burst, Crash, Dice, Kind, Step, while_of};
use crate::provider::Weather;
use crate::rules::Broken;
use crate::town::{AtWindow, Deed, PEOPLE};

/// A step under way.
enum Told {
    /// Of this request.
    Reply(usize, oneshot::Receiver<Reply>),
    /// Of a job.
    Job(oneshot::Receiver<Result<String, String>>),
}

impl Run<'_> {
    /// Does what is to be done at once, one turn at a time.
    pub(super) async fn burst(&mut self, burst: &Burst) -> Result<Option<Broken>> {
        let mut dice = Dice::new(burst.seed);
        let person = dice.below(PEOPLE);
        self.conductor.solo(burst.steps.len() == 1 && burst.crash.is_none());
        let mut under_way = Vec::new();
        for (number, step) in burst.steps.iter().enumerate() {
            self.figures.steps += 1;
            self.door.is(number, step.weather);
            if let Some(told) = self.begin_step(number, step, person).await? {
                under_way.push((number, told));
            }
        }
        self.figures.meetings += usize::from(under_way.len() > 1);
        let dead = self.take_turns(burst, &mut dice).await?;
        let mut broken = None;
        for (number, told) in under_way {
            let end = self.end_step(number, told, dead == Some(number));
            broken = broken.or(end);
        }
        if let Some(number) = dead {
            self.figures.crashes += 1;
            let process = self.start(number).await?;
            if let Some(place) = self.processes.get_mut(number) {
                *place = Some(process);
            }
        }
        for number in 0..burst.steps.len() {
            self.door.is(number, Weather::Fair);
        }
        Ok(broken.or_else(|| self.hear()))
    }

    /// Begins a step, in a process of its own.
    async fn begin_step(&mut self, number: usize, step: &Step, person: usize) -> Result<Option<Told>> {
        let weather = step.weather.words();
        match step.kind {
            Kind::Pass => {
                self.to_pass.push(while_of(&mut Dice::new(step.seed)));
                return Ok(None);
            }
            Kind::Job(job) => {
                self.story.step(&format!("[{number}] the job {job:?}{weather}"));
                let told = self.process(number)?.give(move |services| job.make(services));
                return Ok(Some(Told::Job(told)));
            }
            Kind::Reconcile => {
                self.story.step(&format!("[{number}] the books are reconciled{weather}"));
                let told = self.process(number)?.give(|services| jobs::reconcile(services, MEANWHILE));
                return Ok(Some(Told::Job(told)));
            }
            _ => {}
        }
        let Some(deed) = self.town.draw(step, person, &self.provider) else { return Ok(None) };
        match deed {
            Deed::Pay { order, amount, how } => self.pay(order, amount, how).await.map(|()| None),
            Deed::Console(slip) => {
                self.story.step(&format!("receipt {slip} is cancelled in the provider's console"));
                if let Some(slip) = self.town.slips.get(slip) {
                    self.provider.cancel_in_console(&slip.receipt_id, None);
                }
                Ok(None)
            }
            Deed::Ask(at) => {
                let Some(asked) = self.town.asked.get(at) else { return Ok(None) };
                let again = if asked.reply.is_some() { ", again" } else { "" };
                let call = asked.call.clone();
                self.story.step(&format!("[{number}] {}{again}{weather}", call.words));
                let told = self.process(number)?.give(move |services| call.make(services));
                Ok(Some(Told::Reply(at, told)))
            }
        }
    }

    async fn pay(&mut self, order: usize, amount: i64, how: AtWindow) -> Result<()> {
        let Some(order_id) = self.town.order_id(order) else { return Ok(()) };
        let outcome = match how {
            AtWindow::Approve => Outcome::Approve,
            AtWindow::Decline => Outcome::Decline,
            AtWindow::Agree => Outcome::Separate,
        };
        let paid =
            self.provider.pay(Payment { outcome, webhook: Mode::None, ..Payment::new(order_id, amount) }).await?;
        let slip = self.town.paid(order, paid.receipt_id, how);
        self.story.step(&format!("at the window, order {order}: {how:?} {amount}, on receipt {slip}"));
        Ok(())
    }

    /// Lets one after the other have a turn, until all are done. Answers whose process has died.
    async fn take_turns(&mut self, burst: &Burst, dice: &mut Dice) -> Result<Option<usize>> {
        let (mut turns, mut last, mut dead) = (BTreeMap::new(), None, None);
        loop {
            self.conductor.settle().await?;
            let ready = self.conductor.ready();
            if ready.is_empty() {
                if self.conductor.is_held_up() {
                    // Somebody has a lock that was waited for, and hasn't noticed yet.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                }
                self.pass();
                return Ok(dead);
            }
            if dice.one_in(8) {
                self.pass();
            }
            let own = ready.iter().find(|ready| Some(ready.process) == last);
            let chosen = match own {
                Some(own) if !dice.one_in(burst.patience) => Some(own),
                _ => dice.of(&ready),
            };
            let Some(chosen) = chosen.cloned() else { continue };
            self.figures.switches += usize::from(last.is_some_and(|last| last != chosen.process));
            last = Some(chosen.process);
            let turn: &mut usize = turns.entry(chosen.process).or_default();
            let dies = |crash: &Crash| crash.step == chosen.process && crash.turn == *turn;
            let crash = burst.crash.filter(dies);
            *turn += 1;
            let verdict = match crash {
                None => Verdict::Go,
                Some(crash) => {
                    dead = Some(chosen.process);
                    let when = if crash.is_heard { "after" } else { "before" };
                    self.story.turn(chosen.process, &format!("dies {when} {}", chosen.what));
                    if let Some(process) = self.processes.get_mut(chosen.process).and_then(Option::take) {
                        process.kill();
                    }
                    if crash.is_heard { Verdict::GoAndBreak } else { Verdict::Break }
                }
            };
            self.conductor.let_go(&chosen, verdict);
            if crash.is_some() {
                self.conductor.died(chosen.process);
            }
        }
    }

    /// Lets the time pass that was to pass in this burst, whatever is under way.
    fn pass(&mut self) {
        for time in std::mem::take(&mut self.to_pass) {
            self.conductor.pass(time);
            self.story.step(&format!("{} minutes pass", time.num_minutes()));
        }
    }

    /// Hears how a step has ended.
    fn end_step(&mut self, number: usize, told: Told, has_died: bool) -> Option<Broken> {
        let nothing = || Broken::new("no-failure", "a step that ended without a word: it has panicked");
        match told {
            Told::Reply(at, mut reply) => match reply.try_recv() {
                Ok(reply) => self.answer(number, at, &reply),
                Err(_) => (!has_died).then(nothing),
            },
            Told::Job(mut done) => match done.try_recv() {
                Ok(Ok(words)) => {
                    self.story.answer(number, &words);
                    None
                }
                Ok(Err(error)) => Some(Broken::new("no-failure", format!("a job failed: {error}"))),
                Err(_) => (!has_died).then(nothing),
            },
        }
    }
}
