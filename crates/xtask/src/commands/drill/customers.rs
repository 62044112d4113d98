//! Customers who travel while things go wrong, and remember what they were told.
//!
//! What was acknowledged must still be true afterwards, whatever happened in between; what wasn't may have happened or
//! not. So each remembers the last thing it was told of a booking, and whether it has asked for more since.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::Request;
use crate::visit::{Doors, Provider, Seen, Visitor, credentials, first_words};
use crate::{random, welcome};

/// How many there are.
const CUSTOMERS: usize = 6;

/// How long each rests between two trips, or after a request that was lost.
const REST: Duration = Duration::from_millis(150);

/// The days ahead on which they fly.
const DAYS: usize = 14;

/// The password of all of them.
const PASSWORD: &str = "blue-sky-0123";

/// How a booking stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its seat is held.
    Held,
    /// It is paid.
    Confirmed,
    /// It was cancelled by its owner.
    Cancelled,
}

/// What a customer was told of a booking.
pub(super) struct Told {
    pub(super) number: String,
    /// The order it is paid as, once there is one.
    pub(super) order: Option<String>,
    pub(super) amount: i64,
    pub(super) standing: Standing,
    /// Whether more was asked for, and not answered.
    asked_on: bool,
    /// When it was told.
    pub(super) at: Instant,
}

/// How a booking and its payment are.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) booking: String,
    pub(super) payment: Option<String>,
}

impl Status {
    /// Whether they are these.
    pub(super) fn is(&self, booking: &str, payment: &str) -> bool {
        self.booking == booking && self.payment.as_deref() == Some(payment)
    }
}

/// Somebody with an account.
pub(super) struct Customer {
    visitor: Visitor,
    provider: Provider,
    email: String,
    token: String,
    /// Whether it logs in again for each trip, or keeps its first session for ever.
    forgets: bool,
    trips: usize,
    pub(super) told: Vec<Told>,
}

impl Customer {
    /// Opens an account and logs in.
    pub(super) async fn arrive(doors: &Doors, provider: Provider, number: usize) -> Result<Self> {
        let email = format!("drill-{}@example.com", random::hex(6)?);
        let mut customer = Self {
            visitor: Visitor::new(doors, number),
            provider,
            email,
            token: String::new(),
            forgets: number % 2 == 1,
            trips: number,
            told: Vec::new(),
        };
        let person = json!({
            "name": "김여행", "email": customer.email, "password": PASSWORD, "phone": "010-1234-5678", "birthDate": "1990-02-03",
        });
        let sign_up = Request::post("/api/auth/signup", &person).answered(StatusCode::CREATED);
        customer.ask("auth", &sign_up).await?;
        customer.log_in().await?;
        Ok(customer)
    }

    async fn log_in(&mut self) -> Result<()> {
        let session = self.ask("auth", &credentials((&self.email, PASSWORD))).await?;
        text(&session["token"])?.clone_into(&mut self.token);
        Ok(())
    }

    /// The account's id, as the service says it to whoever has this session.
    pub(super) async fn id(&mut self) -> Result<i64> {
        let profile = self.ask("auth", &Request::get("/api/auth/profile").by(&self.token)).await?;
        profile["user"]["user_id"].as_i64().context("a profile without an id")
    }

    /// Whether its session is refused.
    pub(super) async fn is_refused(&mut self) -> bool {
        let request = Request::get("/api/auth/profile").by(&self.token).answered(StatusCode::UNAUTHORIZED);
        self.ask("auth", &request).await.is_ok()
    }

    /// Searches, books, pays, and cancels two of three.
    async fn travel(&mut self) -> Result<()> {
        self.trips += 1;
        if self.forgets {
            self.log_in().await?;
        }
        let booking = self.book().await?;
        self.pay(booking).await?;
        if !self.trips.is_multiple_of(3) {
            self.cancel(booking).await?;
        }
        let list = Request::get("/api/bookings").by(&self.token);
        self.ask("booking", &list).await.map(drop)
    }

    /// Holds a seat, and begins to pay for it. Answers where it stands in what was told.
    pub(super) async fn book(&mut self) -> Result<usize> {
        let day = welcome::in_days(u32::try_from(1 + self.trips % DAYS)?);
        let search = Request::get(format!("/api/flights/search?departure=ICN&arrival=NRT&date={day}"));
        let found = self.ask("flight", &search).await?;
        let flights = found["flights"].as_array().into_iter().flatten();
        let emptiest = flights.max_by_key(|flight| flight["available_seats"].as_i64());
        let schedule = &emptiest.context("there is no flight")?["schedule_id"];
        let passenger = json!({ "name": "김여행", "birth_date": "1990-02-03", "phone": "010-1234-5678" });
        let wish = json!({ "schedule_id": schedule, "passengers": [passenger] });
        let wish = Request::post("/api/bookings", &wish).by(&self.token).answered(StatusCode::CREATED);
        let made = self.ask("booking", &wish).await?;
        self.told.push(Told {
            number: text(&made["booking_number"])?.to_owned(),
            order: None,
            amount: made["total_amount"].as_i64().context("a booking without a price")?,
            standing: Standing::Held,
            asked_on: true,
            at: Instant::now(),
        });
        let booking = self.told.len() - 1;
        let Told { number, amount, .. } = &self.told[booking];
        let begin = json!({ "bookingId": number, "amount": amount });
        let begun = self.ask("payment", &Request::post("/api/payments/init", &begin).by(&self.token)).await?;
        self.told[booking].order = Some(text(&begun["order_id"])?.to_owned());
        self.learn(booking, Standing::Held);
        Ok(booking)
    }

    /// Agrees in the payment window, and has it confirmed.
    pub(super) async fn pay(&mut self, booking: usize) -> Result<()> {
        self.told[booking].asked_on = true;
        let Told { order, amount, .. } = &self.told[booking];
        let order = order.clone().context("its payment was never begun")?;
        let receipt = self.provider.pay(&order, *amount, "separate webhook-none").await?;
        let agreed = json!({ "orderId": order, "receiptId": receipt });
        let confirm = Request::post("/api/payments/confirm", &agreed).by(&self.token);
        self.ask("payment", &confirm).await?;
        self.learn(booking, Standing::Confirmed);
        Ok(())
    }

    /// Pays in the window, where nobody waits for our word; and nobody tells us.
    pub(super) async fn pay_unheard(&mut self, booking: usize) -> Result<()> {
        self.told[booking].asked_on = true;
        let Told { order, amount, .. } = &self.told[booking];
        let order = order.as_deref().context("its payment was never begun")?;
        self.provider.pay(order, *amount, "approve webhook-none").await.map(drop)
    }

    /// Cancels a booking.
    pub(super) async fn cancel(&mut self, booking: usize) -> Result<()> {
        self.told[booking].asked_on = true;
        let path = format!("/api/bookings/{}/cancel", self.told[booking].number);
        self.ask("booking", &Request::post(path, &json!({})).by(&self.token)).await?;
        self.learn(booking, Standing::Cancelled);
        Ok(())
    }

    async fn ask(&mut self, service: &str, request: &Request) -> Result<Value> {
        let answer = self.visitor.ask(service, request).await?;
        serde_json::from_slice(&answer).map_err(|error| self.visitor.seen.lose(error.into()))
    }

    fn learn(&mut self, booking: usize, standing: Standing) {
        let told = &mut self.told[booking];
        (told.standing, told.asked_on, told.at) = (standing, false, Instant::now());
    }

    /// How a booking is now, and its payment where one was begun.
    pub(super) async fn status(&mut self, booking: usize) -> Result<Status> {
        let Told { number, order, .. } = &self.told[booking];
        let show = |path: String| Request::get(path).by(&self.token);
        let (booking, order) = (show(format!("/api/bookings/{number}")), order.as_ref());
        let payment = order.map(|order| show(format!("/api/payments/{order}")));
        let booking = self.ask("booking", &booking).await?;
        let payment = match payment {
            Some(payment) => self.ask("payment", &payment).await?["payment"]["status"].take(),
            None => Value::Null,
        };
        Ok(Status {
            booking: text(&booking["booking"]["status"])?.to_owned(),
            payment: payment.as_str().map(str::to_owned),
        })
    }

    /// Makes sure that what was told of a booking is still true.
    async fn check(&mut self, booking: usize) -> Result<()> {
        let status = self.status(booking).await?;
        let Told { number, standing, asked_on, .. } = &self.told[booking];
        let holds = match standing {
            Standing::Confirmed => status.is("CONFIRMED", "PAID"),
            Standing::Cancelled => status.booking == "CANCELLED",
            Standing::Held => true,
        };
        ensure!(holds || *asked_on, "{number} is {status:?}");
        Ok(())
    }
}

/// All of them.
pub(super) struct Crowd {
    customers: Vec<Customer>,
    travelling: Option<(Arc<AtomicBool>, JoinSet<Customer>)>,
}

/// What a crowd found of what it had been told.
pub(super) struct Recount {
    /// How many bookings are as they were told.
    pub(super) there: usize,
    /// When the others were told of.
    pub(super) missing: Vec<Instant>,
    /// What is wrong with the first of them.
    pub(super) reason: Option<String>,
}

impl Recount {
    /// In a few words.
    pub(super) fn told(&self) -> String {
        let reason = self.reason.as_deref().map(first_words).unwrap_or_default();
        format!("{} bookings are as told, {} are not{reason}", self.there, self.missing.len())
    }
}

impl Crowd {
    /// Opens their accounts.
    pub(super) async fn arrive(doors: &Doors, provider: Provider) -> Result<Self> {
        let mut customers = Vec::new();
        for number in 0..CUSTOMERS {
            customers.push(Customer::arrive(doors, provider, number).await?);
        }
        Ok(Self { customers, travelling: None })
    }

    /// Lets them travel, trip after trip, until they are called.
    pub(super) fn set_off(&mut self) {
        let enough = Arc::new(AtomicBool::new(false));
        let mut travelling = JoinSet::new();
        for mut customer in self.customers.drain(..) {
            let enough = Arc::clone(&enough);
            customer.visitor.seen = Seen::default();
            travelling.spawn(async move {
                while !enough.load(Ordering::Relaxed) {
                    // What was lost is counted where it is lost.
                    let _ = customer.travel().await;
                    sleep(REST).await;
                }
                customer
            });
        }
        self.travelling = Some((enough, travelling));
    }

    /// Calls them, and waits until all have ended their trips.
    pub(super) async fn come_home(&mut self) -> Result<Seen> {
        let (enough, mut travelling) = self.travelling.take().context("nobody travels")?;
        enough.store(true, Ordering::Relaxed);
        let mut seen = Seen::default();
        while let Some(customer) = travelling.join_next().await {
            let mut customer = customer?;
            seen.add(std::mem::take(&mut customer.visitor.seen));
            self.customers.push(customer);
        }
        Ok(seen)
    }

    /// Does `work` while they travel.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<(T, Seen)> {
        self.set_off();
        let done = work.await?;
        Ok((done, self.come_home().await?))
    }

    /// Has everybody log in again.
    pub(super) async fn log_in(&mut self) -> Result<()> {
        for customer in &mut self.customers {
            customer.log_in().await?;
        }
        Ok(())
    }

    /// Holds everything they were told against what is.
    pub(super) async fn recount(&mut self) -> Recount {
        let mut recount = Recount { there: 0, missing: Vec::new(), reason: None };
        for customer in &mut self.customers {
            for booking in 0..customer.told.len() {
                match customer.check(booking).await {
                    Ok(()) => recount.there += 1,
                    Err(error) => {
                        recount.missing.push(customer.told[booking].at);
                        recount.reason.get_or_insert_with(|| format!("{error:#}"));
                    }
                }
            }
        }
        recount
    }

    /// Has them forget what they were told after `then`: it is lost, and they know.
    pub(super) fn forget_since(&mut self, then: Instant) {
        for customer in &mut self.customers {
            customer.told.retain(|told| told.at < then);
        }
    }
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("an answer lacks what it should have")
}
