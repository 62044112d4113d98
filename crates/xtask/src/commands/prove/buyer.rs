//! One client: what it wants, how it asks, and what it writes down of the answers.
//!
//! It is a good client. What it asks for has a key, and it asks again under that key until it has a definite answer,
//! with the pauses it is told or growing ones of its own. So at the end it knows of each key what became of it, and may
//! say: this booking is mine, and there is no other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::ledger::{Booking, Pulse, Tally, Word, may_be_asked_again};
use super::room::HOLD;
use super::store::Schedule;
use crate::client::{Client, Lost, Request};
use crate::visit::Provider;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it asks for the same thing. Beyond that the system doesn't come back, and that is the finding.
const LAST: Duration = Duration::from_mins(10);

/// How long it waits at most until it asks again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// After which pause it first looks again whether there are seats, and the longest one: seats come back all the time.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LAST_LOOK: Duration = Duration::from_secs(12);

/// How long it waits between two looks at its booking, and how long it looks at all.
const LOOKING: Duration = Duration::from_millis(700);
const LONG_ENOUGH: Duration = Duration::from_secs(90);

/// The cabin's rows and their seats.
const ROWS: u32 = 25;
const LETTERS: [char; 6] = ['A', 'B', 'C', 'D', 'E', 'F'];

/// Where the system is, and what is wanted of it.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) gateway: SocketAddr,
    pub(super) provider: Provider,
    pub(super) schedule: Schedule,
    pub(super) tally: Arc<Tally>,
    /// Beats at each write that is acknowledged.
    pub(super) pulse: Arc<Pulse>,
    /// Whether everybody means it from now on: nobody gives seats back any more.
    pub(super) earnest: Arc<AtomicBool>,
    /// How many are giving back seats that were sold.
    pub(super) returning: Arc<AtomicUsize>,
    /// Whether all is sold, and who has nothing goes home.
    pub(super) over: Arc<AtomicBool>,
}

/// What a client does with the seats it got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    Keep,
    CancelUnpaid,
    CancelPaid,
    /// It begins to pay, perhaps, and is never seen again.
    Vanish {
        begins: bool,
    },
}

/// A client.
pub(super) struct Buyer {
    ground: Ground,
    user: u64,
    token: String,
    chance: StdRng,
    http: Client,
    keys: u32,
    bookings: Vec<Booking>,
}

/// A definite answer.
struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Buyer {
    /// The client with the account `user` and its session. Its choices follow from `seed`.
    pub(super) fn new(ground: Ground, user: u64, token: String, seed: u64) -> Self {
        let http = Client::new(ground.gateway);
        let chance = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(user));
        Self { ground, user, token, chance, http, keys: 0, bookings: Vec::new() }
    }

    /// Buys until it has what it keeps, or all is sold. Tells what it was told of each of its bookings.
    ///
    /// # Errors
    /// When it gets no definite answer for minutes.
    pub(super) async fn live(mut self) -> Result<Vec<Booking>> {
        let mut wanted = self.chance.random_range(1..=3);
        let mut pause = FIRST_LOOK;
        while !self.is_over() {
            let seat = self.chance.random_bool(0.5).then(|| self.any_seat());
            match self.book(wanted, seat).await? {
                Some(booking) if self.use_it(booking).await? => break,
                Some(_) => pause = FIRST_LOOK,
                None => {
                    // Fewer seats are found sooner, and all go in the end.
                    wanted = 1;
                    self.rest(pause).await;
                    pause = (pause * 2).min(LAST_LOOK);
                }
            }
        }
        Ok(self.bookings)
    }

    /// Books and cancels by turns until all is sold: somebody who can always do something.
    pub(super) async fn come_and_go(mut self) -> Result<Vec<Booking>> {
        while !self.is_over() {
            if let Some(booking) = self.book(1, None).await? {
                self.cancel(booking).await?;
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(self.bookings)
    }

    fn is_over(&self) -> bool {
        self.ground.over.load(Ordering::Relaxed)
    }

    fn plan(&mut self) -> Plan {
        if self.ground.earnest.load(Ordering::Relaxed) {
            return Plan::Keep;
        }
        match self.chance.random_range(0..100) {
            0..5 => Plan::Keep,
            5..40 => Plan::CancelUnpaid,
            40..90 => Plan::CancelPaid,
            dice => Plan::Vanish { begins: dice % 2 == 0 },
        }
    }

    fn any_seat(&mut self) -> String {
        let letter = LETTERS[self.chance.random_range(0..LETTERS.len())];
        format!("{}{letter}", self.chance.random_range(1..=ROWS))
    }

    /// Does with a booking what this client came for. Answers whether it has what it keeps.
    async fn use_it(&mut self, booking: usize) -> Result<bool> {
        let plan = self.plan();
        match plan {
            Plan::CancelUnpaid => {
                self.think().await;
                self.cancel(booking).await?;
            }
            Plan::Vanish { begins } => {
                if begins {
                    self.begin_payment(booking).await?;
                }
                // Its seats come back when their time is over; so does the client, as somebody else.
                self.rest(HOLD + Duration::from_secs(2)).await;
            }
            Plan::Keep | Plan::CancelPaid => {
                self.pay(booking).await?;
                if self.bookings[booking].word == Word::Confirmed && plan == Plan::CancelPaid {
                    self.think().await;
                    self.give_back(booking).await?;
                }
            }
        }
        Ok(self.bookings[booking].word == Word::Confirmed)
    }

    /// Cancels what is paid, unless everybody means it by now.
    async fn give_back(&mut self, booking: usize) -> Result<()> {
        // Counted before it looks: who sees none returning after everybody means it knows that none will.
        let returning = Arc::clone(&self.ground.returning);
        returning.fetch_add(1, Ordering::SeqCst);
        if !self.ground.earnest.load(Ordering::SeqCst) {
            self.cancel(booking).await?;
        }
        returning.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    /// Books `seats`, the first of them `seat`. `None`: they can't be had.
    async fn book(&mut self, seats: usize, seat: Option<String>) -> Result<Option<usize>> {
        let passenger = json!({ "name": "김여행", "birth_date": "1995-05-05", "phone": "010-1234-5678" });
        let mut body = json!({ "schedule_id": self.ground.schedule.id, "passengers": vec![passenger; seats] });
        if let Some(seat) = &seat {
            body["seat_id"] = json!(seat);
        }
        let since = Instant::now();
        let answer = self.ask(Request::post("/api/bookings", &body)).await?;
        match (answer.status, answer.code()) {
            (StatusCode::CREATED, _) => {
                self.ground.tally.took(since);
                let number = answer.body["booking_number"].as_str().context("a booking has no number")?.to_owned();
                let total = answer.body["total_amount"].as_i64().context("a booking has no total")?;
                let (user, schedule) = (self.user, self.ground.schedule.id);
                let word = Word::Pending;
                self.bookings.push(Booking { user, schedule, number, seats, seat, total, word, agreed: false });
                Ok(Some(self.bookings.len() - 1))
            }
            // It still has that very seat, from before it vanished: the same booking, and no second one.
            (StatusCode::OK, _) => {
                let mine = self.bookings.iter().position(|booking| answer.body["booking_number"] == *booking.number);
                if mine.is_none() {
                    self.be_surprised("a booking", &answer);
                }
                Ok(mine)
            }
            (StatusCode::CONFLICT, "sold-out" | "seat-taken" | "too-many-held-seats") => Ok(None),
            _ => {
                self.be_surprised("a booking", &answer);
                Ok(None)
            }
        }
    }

    async fn cancel(&mut self, booking: usize) -> Result<()> {
        let path = format!("/api/bookings/{}/cancel", self.bookings[booking].number);
        let answer = self.ask(Request::post(path, &json!({}))).await?;
        match (answer.status, answer.code()) {
            (StatusCode::OK, _) => {
                let refund = answer.body["refund_amount"].as_i64().context("a cancelled booking names no refund")?;
                self.bookings[booking].word = Word::Cancelled(refund);
            }
            // Its time was over meanwhile.
            (StatusCode::NOT_FOUND, "booking-not-cancellable") if self.bookings[booking].word == Word::Pending => {
                self.bookings[booking].word = Word::Lapsed;
            }
            _ => self.be_surprised("a cancellation", &answer),
        }
        Ok(())
    }

    /// The order by which the provider knows the booking's payment. `None`: its time is over.
    async fn begin_payment(&mut self, booking: usize) -> Result<Option<String>> {
        let Booking { number, total, .. } = &self.bookings[booking];
        let request = Request::post("/api/payments/init", &json!({ "bookingId": number, "amount": total }));
        let answer = self.ask(request).await?;
        match (answer.status, answer.code()) {
            (StatusCode::OK, _) => Ok(Some(answer.body["order_id"].as_str().context("no order id")?.to_owned())),
            (StatusCode::CONFLICT, "booking-not-payable") => {
                self.bookings[booking].word = Word::Lapsed;
                Ok(None)
            }
            _ => {
                self.be_surprised("the begin of a payment", &answer);
                Ok(None)
            }
        }
    }

    /// Pays in the provider's window: at once, or so that the server asks for the money. Then looks until it is told
    /// what became of it.
    async fn pay(&mut self, booking: usize) -> Result<()> {
        let Some(order) = self.begin_payment(booking).await? else { return Ok(()) };
        self.think().await;
        let separately = self.chance.random_bool(0.5);
        let script = if separately { "separate" } else { "approve" };
        let booked = &mut self.bookings[booking];
        booked.agreed = true;
        // The window is a person's browser: it isn't asked twice.
        let window = self.ground.provider.pay(&order, booked.total, script);
        let Ok(Ok(receipt)) = timeout(PATIENCE, window).await else { return Ok(()) };
        if separately {
            let request = Request::post("/api/payments/confirm", &json!({ "orderId": order, "receiptId": receipt }));
            let answer = self.ask(request).await?;
            match (answer.status, answer.code()) {
                (StatusCode::OK, _) => {}
                (StatusCode::CONFLICT, "booking-not-payable" | "payment-closed") => {
                    self.bookings[booking].word = Word::Lapsed;
                    return Ok(());
                }
                _ => self.be_surprised("a confirmation", &answer),
            }
        }
        self.look(booking).await
    }

    /// Looks at a booking until it is confirmed or over.
    async fn look(&mut self, booking: usize) -> Result<()> {
        let since = Instant::now();
        let path = format!("/api/bookings/{}", self.bookings[booking].number);
        while since.elapsed() < LONG_ENOUGH {
            let answer = self.ask(Request::get(path.as_str())).await?;
            match answer.body["booking"]["status"].as_str() {
                Some("CONFIRMED") => {
                    self.bookings[booking].word = Word::Confirmed;
                    return Ok(());
                }
                Some("CANCELLED") => {
                    self.bookings[booking].word = Word::Lapsed;
                    return Ok(());
                }
                Some("PENDING") => sleep(LOOKING).await,
                _ => self.be_surprised("a look at a booking", &answer),
            }
        }
        Ok(())
    }

    /// Asks under a new key until there is a definite answer.
    async fn ask(&mut self, request: Request) -> Result<Answer> {
        self.keys += 1;
        let request = request.by(&self.token).under(format!("prove-{}-{}", self.user, self.keys));
        let since = Instant::now();
        let mut pause = Duration::from_millis(200);
        let mut is_again = false;
        while since.elapsed() < LAST {
            let told = match self.send(&request, is_again).await {
                Ok(answer) => return Ok(answer),
                Err(told) => told,
            };
            is_again = true;
            // As long as it was told at least, and longer each time, so that a crowd spreads out.
            sleep(told.unwrap_or_default().max(pause).mul_f64(self.chance.random_range(1.0..1.5))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        bail!("{} was not answered definitely for {} s", request.path(), LAST.as_secs())
    }

    /// Sends `request` once. The error: nothing definite, and after which pause to ask again if that was told.
    async fn send(&mut self, request: &Request, is_again: bool) -> Result<Answer, Option<Duration>> {
        let tally = Arc::clone(&self.ground.tally);
        {
            let mut counts = tally.counts();
            counts.requests += 1;
            counts.again += u64::from(is_again);
        }
        let answer = match timeout(PATIENCE, self.http.send(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(lost)) => {
                tally.trouble(match lost {
                    Lost::Unsent => "not sent",
                    Lost::Failed(_) => "connection lost",
                });
                return Err(None);
            }
            Err(_) => {
                tally.trouble("no answer in time");
                return Err(None);
            }
        };
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            tally.surprise(format!("{} answers {} with no JSON", request.path(), answer.status));
            return Err(None);
        };
        let read = Answer { status: answer.status, body };
        if may_be_asked_again(read.status, read.code()) {
            tally.trouble(format!("{} {}", read.status.as_u16(), read.code()));
            let pause = answer.headers.get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
            return Err(pause.map(Duration::from_secs));
        }
        if read.status.is_server_error() {
            tally.surprise(format!("{} answers {} {}", request.path(), read.status.as_u16(), read.code()));
            return Err(None);
        }
        if read.status.is_success() {
            if request.is_write() {
                self.ground.pulse.beat();
            }
            let mut counts = tally.counts();
            counts.acknowledged += u64::from(request.is_write());
            counts.replayed += u64::from(answer.headers.contains_key("idempotent-replayed"));
        } else {
            tally.refuse(read.code());
        }
        Ok(read)
    }

    fn be_surprised(&self, by: &str, answer: &Answer) {
        self.ground.tally.surprise(format!("{by} is answered {} {}", answer.status.as_u16(), answer.code()));
    }

    /// As long as a person takes.
    async fn think(&mut self) {
        let pause = Duration::from_millis(self.chance.random_range(200..2500));
        sleep(pause).await;
    }

    /// About `pause`, less if all is sold meanwhile.
    async fn rest(&mut self, pause: Duration) {
        let until = Instant::now() + pause.mul_f64(self.chance.random_range(0.7..1.3));
        while Instant::now() < until && !self.is_over() {
            sleep(Duration::from_millis(250)).await;
        }
    }
}
