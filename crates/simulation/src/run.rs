//! One run: a plan is carried out burst by burst, then everybody comes to rest, and the rules are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bootpay::simulator::{self, Mode, Outcome, Payment, Simulator};
use chrono::{DateTime, TimeDelta};
use common::auth::{Role, Tokens};
use common::chance::Chance;
use orders::Orders;
use orders::reconcile::{Round, Scope};
use sqlx::MySqlPool;
use sqlx::mysql::MySqlConnectOptions;
use testkit::{Subscriber, seed};
use tokio::sync::oneshot;

use crate::calls::Reply;
use crate::conductor::{Conductor, Verdict};
use crate::faults::Planted;
use crate::plan::{Burst, Crash, Dice, Job, Kind, Plan, Step, while_of};
use crate::process::{KEY, Process, REST_ID, Services, Surroundings, TOKENS};
use crate::provider::{Door, Weather};
use crate::rules::{self, Broken};
use crate::story::Story;
use crate::town::{AtWindow, Deed, PEOPLE, PRICE, Town};
use crate::wire::Wire;

/// When every simulation begins.
const START: i64 = 1_796_000_000;
/// How many processes there are: as many as a burst has steps.
const PROCESSES: usize = 3;
/// The seats of the flights.
const SEATS: [i64; 2] = [5, 4];
/// How often somebody who gets no answer asks again before the end.
const PERSISTENCE: usize = 4;

/// How many of what there were in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Things that were tried.
    pub steps: usize,
    /// Times that several were under way at once.
    pub meetings: usize,
    /// Turns in which somebody else went on than before.
    pub switches: usize,
    /// Statements and calls that waited for their turn.
    pub turns: usize,
    /// Times that somebody waited for a lock.
    pub locks: usize,
    /// Transactions that lost a claim to another, and ran anew.
    pub collisions: usize,
    /// Processes that died.
    pub crashes: usize,
    /// Bookings that were confirmed, and charges that were taken.
    pub sold: usize,
    /// Refunds that were paid.
    pub refunds: usize,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.meetings += other.meetings;
        self.switches += other.switches;
        self.turns += other.turns;
        self.locks += other.locks;
        self.collisions += other.collisions;
        self.crashes += other.crashes;
        self.sold += other.sold;
        self.refunds += other.refunds;
    }
}

/// The world of one run.
pub(crate) struct Run<'a> {
    database: &'a MySqlConnectOptions,
    db: &'a MySqlPool,
    planted: &'a Planted,
    conductor: Conductor,
    chance: Chance,
    provider: Simulator,
    door: Door,
    subscriber: Subscriber,
    processes: Vec<Option<Process>>,
    town: Town,
    seats: BTreeMap<i64, i64>,
    /// How long is waited somewhere in the burst.
    to_pass: Vec<TimeDelta>,
    story: Story,
    figures: Figures,
}

/// A step under way.
enum Told {
    /// Of this request.
    Reply(usize, oneshot::Receiver<Reply>),
    /// Of a job.
    Job(oneshot::Receiver<Result<String, String>>),
}

impl<'a> Run<'a> {
    /// A world with nothing in it but people and flights.
    pub(crate) async fn begin(
        database: &'a MySqlConnectOptions,
        db: &'a MySqlPool,
        planted: &'a Planted,
        seed: u64,
    ) -> Result<Self> {
        let start = DateTime::from_timestamp(START, 0).unwrap_or_default();
        let conductor = Conductor::new(db.clone(), start);
        let config = simulator::Config { seed: Some(seed), ..simulator::Config::new(REST_ID, KEY.into()) };
        let provider = Simulator::new(config)?;
        let door = Door::open(&provider, &conductor).await?;
        let subscriber = Subscriber::listen().await;
        let tokens = Tokens::new(&TOKENS.into(), conductor.clock().clone());
        let mut town = Town::default();
        for _ in 0..PEOPLE {
            let id = seed::user(db).await;
            town.people.push((id, tokens.issue(id, Role::User)?));
        }
        town.admin = tokens.issue(seed::admin(db).await, Role::Admin)?;
        let day = conductor.clock().today_in_seoul() + TimeDelta::days(9);
        let mut seats = BTreeMap::new();
        for (flight, number) in ["CJ1", "CJ2"].into_iter().zip(SEATS) {
            let id = seed::schedule(day).flight(flight).price(PRICE).seats(number).insert(db).await;
            town.schedules.push(id);
            seats.insert(id, number);
        }
        let mut run = Self {
            database,
            db,
            planted,
            conductor,
            chance: Chance::seeded(seed),
            provider,
            door,
            subscriber,
            processes: Vec::new(),
            town,
            seats,
            to_pass: Vec::new(),
            story: Story::default(),
            figures: Figures::default(),
        };
        for number in 0..PROCESSES {
            let process = run.start(number).await?;
            run.processes.push(Some(process));
        }
        Ok(run)
    }

    async fn start(&self, number: usize) -> Result<Process> {
        let wire = Wire::to(self.database, number, &self.conductor, self.planted).await?;
        let around = Surroundings {
            database: self.database.clone(),
            provider: self.door.address(number),
            subscriber: self.subscriber.url.clone(),
            chance: self.chance.clone(),
            conductor: self.conductor.clone(),
        };
        Ok(Process::start(number, wire, around)?)
    }

    /// Carries a plan out.
    pub(crate) async fn carry_out(mut self, plan: &Plan) -> Result<(Story, Figures, Option<Broken>)> {
        let broken = self.play(plan).await?;
        let count = async |question| sqlx::query_scalar::<_, i64>(question).fetch_one(self.db).await;
        let sold = count("select count(*) from bookings where confirmed_at is not null").await?;
        let refunds = count("select count(*) from refunds where state = 'SUCCEEDED'").await?;
        self.figures.locks = self.conductor.lock_waits();
        self.figures.sold = usize::try_from(sold)?;
        self.figures.refunds = usize::try_from(refunds)?;
        Ok((self.story, self.figures, broken))
    }

    async fn play(&mut self, plan: &Plan) -> Result<Option<Broken>> {
        for burst in &plan.bursts {
            if let Some(broken) = self.burst(burst).await? {
                return Ok(Some(broken));
            }
            let broken = rules::always(self.db, self.conductor.clock().now(), &self.seats).await?;
            if broken.is_some() {
                return Ok(broken);
            }
        }
        self.come_to_rest(plan.seed).await
    }

    /// Does what is to be done at once, one turn at a time.
    async fn burst(&mut self, burst: &Burst) -> Result<Option<Broken>> {
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
                let told = self.process(number)?.give(move |services| make(job, services));
                return Ok(Some(Told::Job(told)));
            }
            Kind::Reconcile => {
                self.story.step(&format!("[{number}] the books are reconciled{weather}"));
                let told =
                    self.process(number)?.give(|services| async move { reconcile(&services.orders, MEANWHILE).await });
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

    fn process(&self, number: usize) -> Result<&Process> {
        self.processes.get(number).and_then(Option::as_ref).context("a process that is dead")
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

    fn answer(&mut self, number: usize, at: usize, reply: &Reply) -> Option<Broken> {
        self.story.answer(number, &format!("{} {}", reply.status, reply.code()));
        let failed = (reply.status == 500)
            .then(|| Broken::new("no-failure", String::from_utf8_lossy(&reply.bytes).into_owned()));
        let unlike = self.town.hear(at, reply).map(|what| Broken::new("answers-repeat", what));
        failed.or(unlike)
    }

    /// Puts into the story what went over the wires.
    fn hear(&mut self) -> Option<Broken> {
        let mut broken = None;
        for heard in self.conductor.heard() {
            match heard.error {
                None => {
                    self.figures.turns += 1;
                    self.story.turn(heard.process, &heard.what);
                }
                // Two ways to one claim, by its pool and by its hold, may meet half-way; who loses runs anew. Whoever meets
                // over anything else has come in a wrong order.
                Some(1213) if heard.what.contains(" claims ") => self.figures.collisions += 1,
                Some(1213) => broken = Some(Broken::new("no-deadlock", format!("deadlock: {}", heard.what))),
                // Kept out by a unique key, or by a lock that isn't waited for.
                Some(1062 | 1205) => self.story.turn(heard.process, "refused by the database"),
                Some(number) => {
                    broken =
                        Some(Broken::new("no-failure", format!("the database refuses with {number}: {}", heard.what)));
                }
            }
        }
        broken
    }

    /// Lets everybody ask until they are answered, every hold lapse, and every job run; then asks for what must hold.
    async fn come_to_rest(&mut self, seed: u64) -> Result<Option<Broken>> {
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
            if let Err(error) = self.run_jobs().await? {
                return Ok(Some(Broken::new("no-failure", format!("a job failed: {error}"))));
            }
            if round == 1 {
                // Before the product sets anything right.
                let broken = rules::always(self.db, self.conductor.clock().now(), &self.seats).await?;
                if broken.is_some() {
                    return Ok(broken);
                }
                let found = self.do_now(|services| async move { reconcile(&services.orders, AT_REST).await }).await?;
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

    async fn do_now<T, F>(&mut self, work: impl FnOnce(Services) -> F + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let told = self.process(0)?.give(work);
        self.conductor.settle().await?;
        told.await.context("a step that ended without a word: it has panicked")
    }

    async fn run_jobs(&mut self) -> Result<Result<(), String>> {
        self.do_now(|services| async move {
            loop {
                let mut worked = false;
                // One at a time: what a job does side by side would meet in an order of its own.
                for job in [
                    Job::ExpireBookings,
                    Job::GiveBackSeats,
                    Job::CancelGrounded,
                    Job::ResumeCalls,
                    Job::AskAboutPayments,
                    Job::RefundUnbooked,
                    Job::PayRefunds,
                    Job::TidyInbox,
                    Job::RelayNews,
                ] {
                    worked |= done(job, &services).await.map_err(|error| error.to_string())?;
                }
                if !worked {
                    return Ok(());
                }
            }
        })
        .await
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

/// Makes a job once, and tells whether there was anything to do.
async fn make(job: Job, services: Services) -> Result<String, String> {
    match done(job, &services).await {
        Ok(true) => Ok("something was done".to_owned()),
        Ok(false) => Ok("there was nothing to do".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

async fn done(job: Job, services: &Services) -> sqlx::Result<bool> {
    let Services { orders, relay, .. } = services;
    match job {
        Job::ExpireBookings => orders.expire_bookings_once(1).await,
        Job::GiveBackSeats => orders.sweep_seats_once(1).await,
        Job::CancelGrounded => orders.ground_once(1).await,
        Job::ResumeCalls => orders.resume_calls_once(1).await,
        Job::AskAboutPayments => orders.ask_about_payments_once(1).await,
        Job::RefundUnbooked => orders.refund_unbooked_once(1).await,
        Job::PayRefunds => orders.drive_refunds_once(1).await,
        Job::TidyInbox => orders.tidy_inbox_once(1).await,
        Job::RelayNews => relay.relay_once(1).await,
    }
}

/// What the books may say while messages are on their way and jobs are still to run.
const MEANWHILE: &[&str] = &[
    "receipt-differs",
    "receipt-unheard",
    "paid-unbooked",
    "refund-late",
    "refund-needs-operator",
    "call-open",
    "message-unapplied",
];

/// What they may say when all jobs have run: that nobody has told of something.
const AT_REST: &[&str] = &["receipt-differs", "receipt-unheard"];

/// Holds the books against each other, and sets right what can be. That anything but `may_be` is found is a failure.
async fn reconcile(orders: &Orders, may_be: &[&str]) -> Result<String, String> {
    let mut round = Round::new(Scope { heals: true, is_thorough: true, schedule_id: None });
    while orders.reconcile_next(&mut round, &|_| {}).await.map_err(|error| error.to_string())? {}
    let report = round.report();
    match report.findings.iter().find(|finding| !may_be.contains(&finding.check)) {
        None => Ok(format!("{} findings", report.findings.len())),
        Some(finding) => Err(format!("{finding:?}")),
    }
}
