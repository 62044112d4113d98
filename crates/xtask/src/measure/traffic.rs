//! What each service is asked while it is measured: what its users ask most, on the demo data.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::bench::Bench;
use super::client::{Client, Request};
use crate::migrate::ADMIN;
use crate::report;
use crate::welcome::{PASSENGER, tomorrow};

/// Requests of one kind of visitor, asked one after the other.
#[derive(Clone)]
pub(crate) struct Traffic {
    /// What they do, for people.
    pub(crate) name: &'static str,
    pub(crate) requests: Arc<[Request]>,
    /// Whether each takes a password's hash.
    pub(crate) hashes: bool,
}

impl Traffic {
    fn new(name: &'static str, requests: impl Into<Arc<[Request]>>) -> Self {
        Self { name, requests: requests.into(), hashes: false }
    }
}

/// What the requests need to know of the demo data.
pub(crate) struct Visitors {
    passenger: String,
    administrator: String,
    search: Request,
    schedule: i64,
}

impl Visitors {
    /// Signs everybody in and books a little, on services that stop again.
    pub(super) async fn arrive(bench: &Bench<'_>) -> Result<Self> {
        report::step("Signing in and booking", async {
            let mut instances = Vec::new();
            for name in ["auth", "flight", "booking"] {
                instances.push(bench.start(Bench::service(name)?).await?);
            }
            let [auth, flight, booking] = [0, 1, 2].map(|n: usize| instances[n].address.public);
            let visitors = Self::meet(auth, flight, booking).await?;
            for instance in instances {
                instance.stop().await?;
            }
            Ok(visitors)
        })
        .await
    }

    /// Signs everybody in and books a little, where these services are: they may all be one address.
    pub(crate) async fn meet(auth: SocketAddr, flight: SocketAddr, booking: SocketAddr) -> Result<Self> {
        let passenger = log_in(auth, PASSENGER).await?;
        let [(_, email), (_, password)] = ADMIN;
        let administrator = log_in(auth, (email, password)).await?;
        let search = Request::get(format!("/api/flights/search?departure=ICN&arrival=NRT&date={}", tomorrow()));
        let found = ask(flight, &search).await?;
        let schedule = found["flights"][0]["schedule_id"].as_i64().context("there is no demo flight tomorrow")?;
        for seat in ["12A", "14C"] {
            ask(booking, &book(schedule, seat).by(&passenger)).await?;
        }
        Ok(Self { passenger, administrator, search, schedule })
    }

    /// What is asked of `service`.
    pub(crate) fn traffic(&self, service: &str) -> Vec<Traffic> {
        let Self { passenger, administrator, schedule, .. } = self;
        match service {
            "auth" => vec![
                Traffic::new("profile", [Request::get("/api/auth/profile").by(passenger)]),
                Traffic { hashes: true, ..Traffic::new("log-in", [credentials(PASSENGER)]) },
            ],
            "booking" => vec![Traffic::new(
                "list, seats",
                [
                    Request::get("/api/bookings").by(passenger),
                    Request::get(format!("/api/bookings/occupied-seats/{schedule}")),
                ],
            )],
            "admin" => vec![Traffic::new(
                "lists",
                ["bookings", "flights", "schedules", "discounts"]
                    .map(|list| Request::get(format!("/api/admin/{list}?limit=50")).by(administrator)),
            )],
            // Everything is looked up and computed, and nothing is held, so that the last is like the first.
            "payment" => vec![Traffic::new(
                "refused init",
                [Request::post("/api/payments/init", &json!({ "scheduleId": schedule.to_string(), "amount": 1 }))
                    .by(passenger)
                    .answered(StatusCode::BAD_REQUEST)],
            )],
            // Flight, and the gateway in front of it.
            _ => vec![Traffic::new("search", [self.search.clone()])],
        }
    }
}

fn credentials((email, password): (&str, &str)) -> Request {
    Request::post("/api/auth/login", &json!({ "email": email, "password": password }))
}

async fn log_in(auth: SocketAddr, account: (&str, &str)) -> Result<String> {
    let answer = ask(auth, &credentials(account)).await?;
    Ok(answer["token"].as_str().context("a log-in gave no token")?.to_owned())
}

fn book(schedule: i64, seat: &str) -> Request {
    let passenger = json!({ "name": "김여행", "birth_date": "1995-05-05", "phone": "010-1234-5678" });
    let booking = json!({ "schedule_id": schedule, "seat_id": seat, "passengers": [passenger] });
    Request::post("/api/bookings", &booking).answered(StatusCode::CREATED)
}

async fn ask(server: SocketAddr, request: &Request) -> Result<Value> {
    let answer = Client::new(server).ask(request).await?;
    Ok(serde_json::from_slice(&answer)?)
}
