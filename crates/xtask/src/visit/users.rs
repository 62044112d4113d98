//! What each service is asked by its users most, on the demo data.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use hyper::StatusCode;
use serde_json::json;

use crate::client::{Request, ask};
use crate::migrate::ADMIN;
use crate::services::Service;
use crate::welcome::{PASSENGER, tomorrow};

/// Requests of one kind of user to one service, asked one after the other.
#[derive(Clone)]
pub(crate) struct Traffic {
    pub(crate) service: &'static str,
    /// What they do, for people.
    pub(crate) name: &'static str,
    pub(crate) requests: Arc<[Request]>,
    /// Whether each takes a password's hash.
    pub(crate) hashes: bool,
}

/// Users who are signed in, and what they know of the demo data.
pub(crate) struct Users {
    passenger: String,
    administrator: String,
    search: Request,
    schedule: i64,
}

impl Users {
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
    pub(crate) fn traffic(&self, service: &Service) -> Vec<Traffic> {
        let Self { passenger, administrator, search, schedule } = self;
        let traffic = |name, requests: Vec<Request>| Traffic {
            service: service.name,
            name,
            requests: requests.into(),
            hashes: false,
        };
        match service.name {
            "auth" => vec![
                traffic("profile", vec![Request::get("/api/auth/profile").by(passenger)]),
                Traffic { hashes: true, ..traffic("log-in", vec![credentials(PASSENGER)]) },
            ],
            "booking" => vec![traffic(
                "list, seats",
                vec![
                    Request::get("/api/bookings").by(passenger),
                    Request::get(format!("/api/bookings/occupied-seats/{schedule}")),
                ],
            )],
            "admin" => {
                let lists = ["bookings", "flights", "schedules", "discounts"];
                let lists = lists.map(|list| Request::get(format!("/api/admin/{list}?limit=50")).by(administrator));
                vec![traffic("lists", lists.into())]
            }
            // Everything is looked up and computed, and nothing is held, so that the last is like the first.
            "payment" => vec![traffic(
                "refused init",
                vec![
                    Request::post("/api/payments/init", &json!({ "scheduleId": schedule.to_string(), "amount": 1 }))
                        .by(passenger)
                        .answered(StatusCode::BAD_REQUEST),
                ],
            )],
            // Flight, and the gateway in front of it.
            _ => vec![traffic("search", vec![search.clone()])],
        }
    }
}

/// The request that opens a session for whoever has this e-mail address and password.
pub(crate) fn credentials((email, password): (&str, &str)) -> Request {
    Request::post("/api/auth/login", &json!({ "email": email, "password": password }))
}

/// The token of a session that is opened at `auth`.
pub(crate) async fn log_in(auth: SocketAddr, account: (&str, &str)) -> Result<String> {
    let answer = ask(auth, &credentials(account)).await.with_context(|| format!("{} can't log in", account.0))?;
    Ok(answer["token"].as_str().with_context(|| format!("{} got no token", account.0))?.to_owned())
}

fn book(schedule: i64, seat: &str) -> Request {
    let passenger = json!({ "name": "김여행", "birth_date": "1995-05-05", "phone": "010-1234-5678" });
    let booking = json!({ "schedule_id": schedule, "seat_id": seat, "passengers": [passenger] });
    Request::post("/api/bookings", &booking).answered(StatusCode::CREATED)
}
