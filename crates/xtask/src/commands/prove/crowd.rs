//! Everybody at once: the clients of a battle, one more who shows whether anything can be written, and who watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Arguments;
use super::buyer::{Buyer, Ground};
use super::camp::Camp;
use super::ledger::{Booking, Tally};
use super::room::Room;
use super::store::{FIRST_ACCOUNT, Schedule, Seats, Store};
use super::token::session;
use crate::client::{self, Request};
use crate::report::{self, Style, paint};
use crate::welcome::tomorrow;

/// The seats of the flight that everybody wants.
pub(super) const SEATS: i64 = 180;

/// The flight that everybody wants, and the one that nobody does.
const FLIGHTS: [&str; 2] = ["CJ9901", "CJ9902"];

/// How often the seats are counted, and how often is told how it stands.
const WATCHING: Duration = Duration::from_secs(1);
const TELLING: u32 = 5;

/// Within this time everybody has come.
const ARRIVAL: Duration = Duration::from_secs(2);

/// How long it may take until all is sold, once everybody means it.
const LAST_CALL: Duration = Duration::from_mins(10);

/// What came of a battle's clients.
pub(super) struct Seen {
    pub(super) schedule: Schedule,
    /// What each client was told.
    pub(super) bookings: Vec<Booking>,
    pub(super) tally: Arc<Tally>,
    /// How often the seats were counted, and every count that can't be.
    pub(super) counted: u32,
    pub(super) miscounted: Vec<Seats>,
    /// The longest time in which nobody could write anything.
    pub(super) silence: Duration,
    /// From the first client to the last seat.
    pub(super) took: Duration,
}

/// What a battle's ground is, before anybody has come.
pub(super) struct Arena {
    pub(super) ground: Ground,
    others: Schedule,
    store: Store,
}

impl Arena {
    /// Two flights that are published for it: everybody wants the first.
    pub(super) async fn of(room: &Room<'_>, camp: &Camp<'_>) -> Result<Self> {
        let store = room.store();
        let session = session(&camp.secret_key()?, store.administrator().await?)?;
        for flight in FLIGHTS {
            let publish = Request::post("/api/admin/flights-with-schedules", &published(flight)).by(&session);
            client::ask(room.gateway, &publish.answered(StatusCode::CREATED)).await?;
        }
        let [schedule, others] = [store.schedule(FLIGHTS[0]).await?, store.schedule(FLIGHTS[1]).await?];
        let ground = Ground {
            gateway: room.gateway,
            provider: room.provider,
            schedule,
            tally: Arc::default(),
            pulse: Arc::default(),
            earnest: Arc::default(),
            returning: Arc::default(),
            over: Arc::default(),
        };
        Ok(Self { ground, others, store })
    }

    /// Lets everybody come, and waits until all is sold. `burning` is set as long as nobody needs to mean it.
    pub(super) async fn fight(
        &self,
        camp: &Camp<'_>,
        name: &str,
        arguments: &Arguments,
        burning: &AtomicBool,
    ) -> Result<Seen> {
        let (key, seed) = (camp.secret_key()?, arguments.seed);
        let started = Instant::now();
        let mut clients = JoinSet::new();
        for n in 0..arguments.clients {
            let user = FIRST_ACCOUNT + u64::from(n);
            let buyer = Buyer::new(self.ground.clone(), user, session(&key, user)?, seed);
            let arrives = ARRIVAL.mul_f64(f64::from(n) / f64::from(arguments.clients));
            clients.spawn(async move {
                sleep(arrives).await;
                buyer.live().await
            });
        }
        let user = FIRST_ACCOUNT + u64::from(arguments.clients);
        let quiet = Ground { schedule: self.others, tally: Arc::default(), ..self.ground.clone() };
        let traveller = Buyer::new(quiet, user, session(&key, user)?, seed);
        clients.spawn(traveller.come_and_go());

        let mut seen = Seen {
            schedule: self.ground.schedule,
            bookings: Vec::new(),
            tally: Arc::clone(&self.ground.tally),
            counted: 0,
            miscounted: Vec::new(),
            silence: Duration::ZERO,
            took: Duration::ZERO,
        };
        self.watch(name, started, burning, &mut seen).await?;
        seen.took = started.elapsed();
        seen.silence = self.ground.pulse.longest();
        while let Some(client) = clients.join_next().await {
            seen.bookings.extend(client.context("a client broke down")??);
        }
        Ok(seen)
    }

    /// Counts the seats until all are sold.
    async fn watch(&self, name: &str, started: Instant, burning: &AtomicBool, seen: &mut Seen) -> Result<()> {
        let mut ticks = interval(WATCHING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut called = None;
        let mut rounds = 0_u32;
        loop {
            ticks.tick().await;
            rounds += 1;
            // Asked before the seats are counted: what is sold then stays sold.
            let none_returns = called.is_some() && self.ground.returning.load(Ordering::SeqCst) == 0;
            let seats = self.store.seats(self.ground.schedule).await.ok();
            if let Some(seats) = seats {
                seen.counted += 1;
                if seats.free + seats.held + seats.sold != SEATS || seats.free < 0 {
                    seen.miscounted.push(seats);
                }
            }
            if rounds.is_multiple_of(TELLING) {
                self.tell(name, started, seats);
            }
            if burning.load(Ordering::Relaxed) {
                continue;
            }
            self.ground.earnest.store(true, Ordering::SeqCst);
            let called = *called.get_or_insert_with(Instant::now);
            if none_returns && seats.is_some_and(|seats| seats.sold == SEATS) {
                self.ground.over.store(true, Ordering::Relaxed);
                return Ok(());
            }
            if called.elapsed() > LAST_CALL {
                self.ground.over.store(true, Ordering::Relaxed);
                bail!("not all is sold {} s after the last call: {seats:?}", LAST_CALL.as_secs());
            }
        }
    }

    fn tell(&self, name: &str, started: Instant, seats: Option<Seats>) {
        let seats = seats.map_or_else(
            || "the database doesn't answer".to_owned(),
            |Seats { free, held, sold }| format!("{sold} sold, {held} held, {free} free"),
        );
        let counts = self.ground.tally.counts();
        let line = format!(
            "  {name} {:>3} s: {seats}; {} requests, {} acknowledged, {} asked again, {} answers no client should get",
            started.elapsed().as_secs(),
            counts.requests,
            counts.acknowledged,
            counts.again,
            counts.surprised
        );
        report::note(paint(Style::Dim, line));
    }
}

/// What an administrator publishes: `flight`, tomorrow.
fn published(flight: &str) -> Value {
    json!({
        "flight": {
            "flight_id": flight,
            "departure_airport": "ICN",
            "arrival_airport": "NRT",
            "departure_time": "23:00",
            "arrival_time": "23:50",
            "aircraft": "Boeing 737-800",
            "base_price": 320_000,
            "total_seats": SEATS,
        },
        "schedule": { "mode": "single", "date": tomorrow() },
    })
}
