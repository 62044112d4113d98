//! A customer's way through a running system: sign up or log in, search, book a seat, see it, cancel it.
//!
//! Every answer is held against what a customer relies on, and the first that differs ends the journey with the name of
//! its step. The one trap is other customers: they may take the seat between looking and booking, so that is tried
//! again with another seat, and is no failure of the system.

use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use chrono::{Days, NaiveDate};
use serde::de::DeserializeOwned;
use serde_json::json;

mod answers;
mod http;

use answers::{Booked, Bookings, Cancelled, Flight, Found, Occupied, Session, SignedUp};
use http::Http;

/// The rows of a small aircraft, which every flight has.
const ROWS: u16 = 25;

/// The letters of the seats in a row.
const LETTERS: [char; 6] = ['A', 'B', 'C', 'D', 'E', 'F'];

/// How often another customer may be faster.
const TRIES: usize = 5;

/// Where the system is.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Where accounts are, as `http://host:port`.
    pub auth: String,
    /// Where flights are.
    pub flight: String,
    /// Where bookings are.
    pub booking: String,
    /// How long one answer may take.
    pub patience: Duration,
}

/// An account that exists.
pub struct Account {
    /// Its e-mail address.
    pub email: String,
    /// Its password.
    pub password: String,
}

/// What to search for.
#[derive(Clone, Debug)]
pub struct Route {
    /// Code of the airport to fly from.
    pub from: String,
    /// Code of the airport to fly to.
    pub to: String,
    /// The first day that is searched.
    pub first_day: NaiveDate,
    /// How many days are searched until one has a flight with a free seat.
    pub days: u16,
}

/// A step that went well.
#[derive(Clone, Debug)]
pub struct Step {
    /// What the customer did.
    pub name: &'static str,
    /// How long it took, all its requests together.
    pub took: Duration,
    /// What came of it.
    pub saw: String,
}

impl fmt::Display for Step {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:<8} {:>6} ms  {}", self.name, self.took.as_millis(), self.saw)
    }
}

/// Goes all the way, as `account` or as somebody new, and tells each step when it is done.
///
/// # Errors
/// The first step whose answer is not what a customer relies on, and why.
pub async fn travel(
    addresses: &Addresses,
    account: Option<Account>,
    route: &Route,
    tell: &mut impl FnMut(Step),
) -> Result<()> {
    let mut customer = Customer { http: Http::new(addresses.patience)?, addresses, token: String::new() };
    let account = match account {
        Some(account) => account,
        None => step("sign up", tell, customer.sign_up()).await?,
    };
    customer.token = step("log in", tell, customer.log_in(&account)).await?;
    let flight = step("search", tell, customer.search(route)).await?;
    let booking = step("book", tell, customer.book(&flight)).await?;
    step("list", tell, customer.sees(&booking, "PENDING")).await?;
    step("cancel", tell, customer.cancel(&booking)).await?;
    step("list", tell, customer.sees(&booking, "CANCELLED")).await
}

/// Does one step: what it is worth to the next ones, after a word about it.
async fn step<T>(
    name: &'static str,
    tell: &mut impl FnMut(Step),
    work: impl Future<Output = Result<(T, String)>>,
) -> Result<T> {
    let started = Instant::now();
    let (worth, saw) = work.await.with_context(|| format!("{name} failed"))?;
    tell(Step { name, took: started.elapsed(), saw });
    Ok(worth)
}

struct Customer<'a> {
    http: Http,
    addresses: &'a Addresses,
    token: String,
}

/// A booking of this customer's.
struct Held {
    number: String,
    seat: String,
}

impl Customer<'_> {
    async fn sign_up(&self) -> Result<(Account, String)> {
        let id = uuid::Uuid::new_v4().simple();
        let account = Account { email: format!("journey-{id}@example.com"), password: format!("{id}") };
        let person = json!({
            "name": "여행자", "email": account.email, "password": account.password,
            "phone": "010-0000-0000", "birthDate": "1990-02-03",
        });
        let signed_up: SignedUp =
            self.http.post(&self.addresses.auth, "/api/auth/signup", None, &person).await?.json(201)?;
        ensure!(signed_up.success, "the answer doesn't say that it succeeded");
        Ok((account, "a new account".to_owned()))
    }

    async fn log_in(&self, account: &Account) -> Result<(String, String)> {
        let credentials = json!({ "email": account.email, "password": account.password });
        let answer = self.http.post(&self.addresses.auth, "/api/auth/login", None, &credentials).await?;
        let session: Session = answer.json(200)?;
        ensure!(!session.token.is_empty(), "there is no token in the answer");
        ensure!(session.user.email.eq_ignore_ascii_case(&account.email), "it is somebody else's session");
        Ok((session.token, format!("a session for customer {}", session.user.id)))
    }

    async fn search(&self, route: &Route) -> Result<(Flight, String)> {
        let Route { from, to, first_day, days } = route;
        for day in first_day.iter_days().take((*days).into()) {
            let path = format!("/api/flights/search?departure={from}&arrival={to}&date={day}");
            let found: Found = self.get(&self.addresses.flight, &path).await?;
            ensure!(
                found.total == found.flights.len(),
                "{} flights are said to be {}",
                found.flights.len(),
                found.total
            );
            if let Some(flight) = found.flights.into_iter().find(|flight| flight.available_seats > 0) {
                ensure!(flight.price > 0, "flight {} costs {}", flight.number, flight.price);
                let saw = format!("{} on {day} for {} won", flight.number, flight.price);
                return Ok((flight, saw));
            }
        }
        let last = first_day.checked_add_days(Days::new(u64::from(*days) - 1)).unwrap_or(*first_day);
        bail!("there is no seat from {from} to {to} between {first_day} and {last}")
    }

    async fn book(&self, flight: &Flight) -> Result<(Held, String)> {
        for _ in 0..TRIES {
            let seat = self.free_seat(flight.schedule_id).await?;
            let passenger = json!({ "name": "여행자", "birth_date": "1990-02-03", "phone": "010-0000-0000" });
            let wish = json!({ "schedule_id": flight.schedule_id, "seat_id": seat, "passengers": [passenger] });
            let answer = self.http.post(&self.addresses.booking, "/api/bookings", Some(&self.token), &wish).await?;
            if answer.is_refusal(409, "seat-taken") {
                continue;
            }
            let booked: Booked = answer.json(201)?;
            ensure!(booked.success && booked.status == "PENDING", "it is {} instead of PENDING", booked.status);
            ensure!(
                booked.total_amount == flight.price,
                "it costs {} instead of {}",
                booked.total_amount,
                flight.price
            );
            let saw = format!("{}, seat {seat}", booked.booking_number);
            return Ok((Held { number: booked.booking_number, seat }, saw));
        }
        bail!("{TRIES} seats in a row were taken by others before they could be booked")
    }

    async fn free_seat(&self, schedule: i64) -> Result<String> {
        let path = format!("/api/bookings/occupied-seats/{schedule}");
        let occupied: Occupied = self.get(&self.addresses.booking, &path).await?;
        let gone: HashSet<String> = occupied.occupied_seats.into_iter().collect();
        let mut seats = (1..=ROWS).flat_map(|row| LETTERS.map(|letter| format!("{row}{letter}")));
        seats.find(|seat| !gone.contains(seat)).context("every seat is gone on a flight that has some left")
    }

    async fn sees(&self, booking: &Held, status: &str) -> Result<((), String)> {
        let list: Bookings = self.get(&self.addresses.booking, "/api/bookings").await?;
        let mine = list.bookings.iter().find(|one| one.number == booking.number);
        let mine = mine.with_context(|| format!("{} is not among one's bookings", booking.number))?;
        ensure!(mine.status == status, "{} is {} instead of {status}", booking.number, mine.status);
        let seats: Vec<_> = mine.passengers.iter().filter_map(|passenger| passenger.seat_number.as_deref()).collect();
        ensure!(seats == [booking.seat.as_str()], "{} has the seats {seats:?}", booking.number);
        Ok(((), format!("{} is {status}", booking.number)))
    }

    async fn cancel(&self, booking: &Held) -> Result<((), String)> {
        let path = format!("/api/bookings/{}/cancel", booking.number);
        let answer = self.http.post(&self.addresses.booking, &path, Some(&self.token), &json!({})).await?;
        let cancelled: Cancelled = answer.json(200)?;
        ensure!(cancelled.success && cancelled.booking_number == booking.number, "the answer is about something else");
        Ok(((), booking.number.clone()))
    }

    async fn get<T: DeserializeOwned>(&self, base: &str, path: &str) -> Result<T> {
        let token = Some(self.token.as_str()).filter(|token| !token.is_empty());
        self.http.get(base, path, token).await?.json(200)
    }
}
