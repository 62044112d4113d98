//! A service whose process is killed between any two steps, and what must be true afterwards.
//!
//! A [`Crash`] runs the real program on a [`Tap`] and with the payment provider's simulator. A sweep does one thing
//! again and again, each time for another buyer on a flight of their own: the first time the process is killed before
//! its first step, then before its second, until it comes through; then the same after each step that lasts. Each time
//! the process is started anew, whoever called calls again, and three hours later, when every hold is over and every
//! job has run, seats and money [must be right](Crash::assert_right) to the last won.
//!
//! The one trap: a job of the program finds what other replicas of it find. Those three hours are lived by an order desk
//! beside it, so nothing that was swept before is left to be done, and what a program does it does for one buyer.
#![expect(clippy::missing_panics_doc, reason = "said once, for all of them: it panics when something is wrong")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, Request};
use chrono::TimeDelta;
use common::auth::Role;
use common::clock::Clock;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::desk::{Desk, KEY, REST_ID};
use crate::world::KEY_OF_TOKENS;
use crate::{Answer, At, Moment, Port, Tap, World, seed};

/// Seats of each flight.
const SEATS: i64 = 9;

/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_mins(5);

/// A service to be killed, and its world.
#[derive(Debug)]
pub struct Crash {
    /// Where everything is prepared: in the same world, on a line of its own, and never killed.
    pub desk: Desk,
    /// The line of the program to the database.
    pub tap: Tap,
    /// Another replica's desk, three hours later.
    later: Desk,
    program: &'static str,
    environment: Vec<(&'static str, String)>,
}

/// For whom something is done.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// Their account.
    pub id: i64,
    /// A flight that only they want.
    pub schedule: i64,
    session: String,
}

impl Crash {
    /// Of the service whose program is the file `program`, on a test's own database.
    pub async fn of(program: &'static str, database: MySqlConnectOptions) -> Self {
        let tap = Tap::to_database(&database).await;
        let url = database.to_url_lossy();
        let world = World::new(database.clone());
        let desk = Desk::with_provider(world).await;
        let late = World::new(database);
        late.pass(TimeDelta::hours(3));
        let environment = vec![
            ("CLOUDJET_ENV", "development".to_owned()),
            ("SECRET_KEY", KEY_OF_TOKENS.to_owned()),
            ("DB_HOST", Ipv4Addr::LOCALHOST.to_string()),
            ("DB_PORT", tap.port().to_string()),
            ("DB_USER", url.username().to_owned()),
            ("DB_PASSWORD", url.password().unwrap_or_default().to_owned()),
            ("DB_NAME", url.path().trim_start_matches('/').to_owned()),
            ("BOOTPAY_API_URL", desk.provider().api_url()),
            ("BOOTPAY_APPLICATION_ID", "browser-id".to_owned()),
            ("BOOTPAY_REST_APPLICATION_ID", REST_ID.to_owned()),
            ("BOOTPAY_PRIVATE_KEY", KEY.to_owned()),
        ];
        Self { later: desk.again_in(late), desk, tap, program, environment }
    }

    /// Kills the program at every step of what it does when it is called. `prepare` makes ready; `call` makes the call,
    /// sees to the answer, and will make it again, as its caller does that got none.
    pub async fn sweep<S>(&self, prepare: impl AsyncFn(&Desk, &Buyer) -> S, call: impl AsyncFn(&Program, &Buyer, &S)) {
        self.at_every_step(async |moment, at| {
            let buyer = self.buyer().await;
            let ready = prepare(&self.desk, &buyer).await;
            let killed = self.kill(moment, at, async |program| call(program, &buyer, &ready).await).await;
            if killed {
                let program = self.start().await;
                call(&program, &buyer, &ready).await;
                program.kill().await;
            }
            killed
        })
        .await;
    }

    /// Kills the program at every step of what it does by itself, as soon as it is started. `prepare` leaves it something
    /// to do, and `done` says whether that is done.
    pub async fn sweep_job<S>(&self, prepare: impl AsyncFn(&Desk, &Buyer) -> S, done: impl AsyncFn(&Desk, &S) -> bool) {
        self.at_every_step(async |moment, at| {
            let ready = prepare(&self.desk, &self.buyer().await).await;
            self.kill(moment, at, async |_| until(async || done(&self.desk, &ready).await).await).await
        })
        .await;
    }

    /// Calls `round` before every step, and then after every one that lasts: after one that doesn't is before the next.
    /// Each time until it says that the program wasn't killed any more. Judges what each round leaves.
    async fn at_every_step(&self, round: impl AsyncFn(Moment, At) -> bool) {
        for moment in [Moment::Before, Moment::After] {
            let mut n = 1;
            loop {
                let at = if moment == Moment::Before { At::Step(n) } else { At::Lasting(n) };
                let killed = round(moment, at).await;
                self.assert_seats_right().await;
                self.settle().await;
                self.assert_right().await;
                if !killed {
                    break;
                }
                n += 1;
            }
            assert!(n > 1, "nothing was done");
        }
    }

    /// Starts the program, lets it `work`, and kills it where it is stopped, or afterwards. Answers whether it was stopped.
    async fn kill(&self, moment: Moment, at: At, work: impl AsyncFn(&Program)) -> bool {
        self.tap.stop(moment, at);
        let program = self.start().await;
        let stopped = tokio::select! {
            biased;
            stopped = self.tap.stopped() => Some(stopped),
            // What it did may be seen before it is noticed that it was to be stopped after that.
            () = work(&program) => self.tap.stopped_by_now().await,
        };
        program.kill().await;
        self.tap.break_off();
        let statement = stopped.as_deref().map_or("came through", |text| text.lines().next().unwrap_or_default());
        #[expect(clippy::print_stderr, reason = "it is shown when a test fails, and says where")]
        {
            eprintln!("{moment:?} {at:?}: {statement}");
        }
        stopped.is_some()
    }

    /// Starts the program; it listens when this returns.
    pub async fn start(&self) -> Program {
        Program::start(self.program, &self.environment).await
    }

    /// Somebody new, with a flight that only they want.
    pub async fn buyer(&self) -> Buyer {
        let (db, tokens) = (&self.desk.world.db, World::tokens_at(Clock::system()));
        let id = seed::user(db).await;
        let schedule = seed::schedule(self.desk.world.day(3)).flight(&format!("CJ{id}")).seats(SEATS).insert(db).await;
        Buyer { id, schedule, session: tokens.issue(id, Role::User).expect("a token") }
    }

    /// Three hours later: what nobody paid for has lapsed, and every job has done what there is to do.
    pub async fn settle(&self) {
        self.later.run_jobs().await;
        while self.later.orders.tidy_inbox_once(100).await.expect("a job that runs") {}
        self.later.run_jobs().await;
    }

    /// Asserts that no seat is lost, sold or held twice.
    pub async fn assert_seats_right(&self) {
        let seats: Vec<(i64, i64)> = sqlx::query_as(
            "select schedule_id, cast(available_seats + coalesce(sum(quantity), 0) as signed)
             from flight_schedules left join claims on pool_id = schedule_id group by schedule_id, available_seats",
        )
        .fetch_all(&self.desk.world.db)
        .await
        .expect("schedules");
        let wrong: Vec<_> = seats.into_iter().filter(|(_, seats)| *seats != SEATS).collect();
        assert!(wrong.is_empty(), "seats are lost or doubled: schedule, free and claimed: {wrong:?}");
        self.assert_none(
            "seats with two bookings: schedule, seat",
            "select concat_ws(' ', schedule_id, p.seat_number) from bookings join passengers p using (booking_id)
             where status in ('PENDING', 'CONFIRMED') and p.seat_number is not null
             group by schedule_id, p.seat_number having count(*) > 1",
        )
        .await;
    }

    /// Asserts that everything is over and right, once it is [settled](Self::settle): every confirmed booking has one
    /// payment, whose charge has its total as live money; all other money is back; and no seat is claimed by anybody else.
    pub async fn assert_right(&self) {
        self.assert_seats_right().await;
        for (what, query) in [
            ("pending bookings", "select cast(booking_id as char) from bookings where status = 'PENDING'"),
            ("unfinished payments", "select cast(payment_id as char) from payments where status = 'REQUESTED'"),
            (
                "open refunds",
                "select concat_ws(' ', receipt_id, state, last_error) from refunds where state <> 'SUCCEEDED'",
            ),
            ("messages nobody applied", "select event_key from provider_events where applied_at is null"),
            (
                "claims that are no confirmed booking's",
                "select cast(claim_id as char) from claims c where state <> 'SOLD' or not exists
                 (select * from bookings b where b.hold_id = c.hold_id and b.status = 'CONFIRMED')",
            ),
            (
                "refunds beyond their charge",
                "select receipt_id from refunds join charges c using (receipt_id)
                 group by receipt_id, c.amount having sum(refunds.amount) > c.amount",
            ),
        ] {
            self.assert_none(what, query).await;
        }
        self.assert_money_right().await;
    }

    /// Asserts that the provider has of us what confirmed bookings cost, each on one receipt, and not a won more.
    async fn assert_money_right(&self) {
        let db = &self.desk.world.db;
        let paid: Vec<(i64, i64, Option<String>)> = sqlx::query_as(
            "select b.booking_id, cast(total_amount as signed), bootpay_receipt_id
             from bookings b left join payments p on p.booking_id = b.booking_id and p.status = 'PAID'
             where b.status = 'CONFIRMED'",
        )
        .fetch_all(db)
        .await
        .expect("bookings");
        let (mut owed, mut bookings) = (BTreeMap::new(), BTreeSet::new());
        for (booking_id, total, receipt) in paid {
            let receipt = receipt.unwrap_or_else(|| panic!("booking {booking_id} is confirmed, and nobody paid"));
            assert!(bookings.insert(booking_id), "booking {booking_id} is paid twice");
            assert!(owed.insert(receipt, total).is_none(), "a receipt pays for booking {booking_id} and for another");
        }
        let back = sqlx::query_as("select receipt_id, cast(cancelled as signed) from charges").fetch_all(db).await;
        let mut back: BTreeMap<String, i64> = back.expect("charges").into_iter().collect();
        for receipt in self.desk.provider().receipts() {
            let won = |field: &str| receipt[field].as_i64().expect("an amount");
            let taken = if matches!(receipt["status"].as_i64(), Some(1 | 20)) { won("price") } else { 0 };
            let (id, cancelled) = (receipt["receipt_id"].as_str().unwrap_or_default(), won("cancelled_price"));
            assert_eq!(taken - cancelled, owed.remove(id).unwrap_or_default(), "won they keep: {receipt}");
            assert_eq!(cancelled, back.remove(id).unwrap_or_default(), "won we know to be back: {receipt}");
        }
        assert!(owed.is_empty(), "paid by receipts that the provider doesn't have: {owed:?}");
    }

    async fn assert_none(&self, what: &str, query: &'static str) {
        let found: Vec<String> = sqlx::query_scalar(query).fetch_all(&self.desk.world.db).await.expect("rows");
        assert!(found.is_empty(), "{what}: {found:?}");
    }
}

/// Waits until something is so.
pub async fn until(so: impl AsyncFn() -> bool) {
    let waited = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("it should be so long ago");
}

/// A service's program under way. It is killed when dropped.
#[derive(Debug)]
pub struct Program {
    process: Child,
    address: SocketAddr,
    /// Its own, and that of its probes.
    _ports: [Port; 2],
}

impl Program {
    async fn start(file: &str, environment: &[(&str, String)]) -> Self {
        let name = Path::new(file).file_name().and_then(|name| name.to_str()).expect("a program");
        let port_is = format!("{}_PORT", name.to_uppercase().replace('-', "_"));
        let ports = [Port::kept(), Port::kept()];
        let mut process = Command::new(file)
            .env_clear()
            .current_dir(std::env::temp_dir())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env(&port_is, ports[0].number().to_string())
            .env("INTERNAL_PORT", ports[1].number().to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a program");
        let mut log = BufReader::new(process.stdout.take().expect("its log")).lines();
        while let Some(line) = log.next_line().await.expect("its log") {
            if line.contains("is listening") {
                tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
                return Self { process, address: ports[0].address(), _ports: ports };
            }
        }
        panic!("{name} doesn't start");
    }

    /// Calls `POST path` for `buyer`. Of a program that is stopped there is no answer, ever.
    pub async fn post(&self, buyer: &Buyer, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, buyer, path, body).await
    }

    /// Calls `PUT path` for `buyer`.
    pub async fn put(&self, buyer: &Buyer, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, buyer, path, body).await
    }

    async fn call(&self, method: Method, buyer: &Buyer, path: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header(AUTHORIZATION, format!("Bearer {}", buyer.session))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::<Bytes>::from(body.to_string()))
            .expect("a request");
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        let response = client.request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = Body::new(body).collect().await.expect("a body").to_bytes();
        let body = serde_json::from_slice(&bytes).expect("an answer of JSON");
        Answer { status: parts.status, headers: parts.headers, body, bytes }
    }

    /// Kills it: `kill -9`.
    pub async fn kill(mut self) {
        self.process.kill().await.expect("it can be killed");
    }
}
