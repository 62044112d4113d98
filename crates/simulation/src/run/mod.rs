//! One run: in the world of a seed a plan is carried out [burst] by burst, until everybody comes to [rest].

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use bootpay::simulator::{self, Simulator};
use chrono::{DateTime, TimeDelta};
use common::auth::{Role, Tokens};
use common::chance::Chance;
use sqlx::MySqlPool;
use sqlx::mysql::MySqlConnectOptions;
use testkit::{Subscriber, seed};

use crate::calls::Reply;
use crate::conductor::Conductor;
use crate::faults::Planted;
use crate::figures::Figures;
use crate::plan::Plan;
use crate::process::{KEY, Process, REST_ID, Surroundings, TOKENS};
use crate::provider::Door;
use crate::rules::{self, Broken};
use crate::server::Server;
use crate::story::Story;
use crate::town::{PEOPLE, PRICE, Town};
use crate::wire;

mod burst;
mod rest;

/// When every simulation begins.
const START: i64 = 1_796_000_000;
/// How many processes there are: as many as a burst has steps.
const PROCESSES: usize = 3;
/// The seats of the flights.
const SEATS: [i64; 2] = [5, 4];

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

impl<'a> Run<'a> {
    /// A world with nothing in it but people and flights.
    pub(crate) async fn begin(
        database: &'a MySqlConnectOptions,
        db: &'a MySqlPool,
        planted: &'a Planted,
        seed: u64,
    ) -> Result<Self> {
        let start = DateTime::from_timestamp(START, 0).unwrap_or_default();
        let conductor = Conductor::new(Server::new(db.clone()), start);
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

    /// Starts a process, or another one in a dead one's place.
    async fn start(&self, number: usize) -> Result<Process> {
        let wire = wire::lay(self.database, number, &self.conductor, self.planted).await?;
        let around = Surroundings {
            database: self.database.clone(),
            provider: self.door.address(number),
            subscriber: self.subscriber.url.clone(),
            chance: self.chance.clone(),
            conductor: self.conductor.clone(),
        };
        Process::start(number, wire, around)
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

    fn process(&self, number: usize) -> Result<&Process> {
        self.processes.get(number).and_then(Option::as_ref).context("a process that is dead")
    }

    /// Somebody was answered.
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
}
