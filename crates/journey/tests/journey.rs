//! The journey through a system of a few lines, which is wrong in one place at a time.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic as tests may")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Json, Router};
use chrono::NaiveDate;
use journey::{Account, Addresses, Route, travel};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A system, as far as a customer sees it.
#[derive(Default)]
struct System {
    /// The request that is answered wrongly, and how.
    wrong: Option<(&'static str, StatusCode, Value)>,
    /// Seats that are taken at the moment they are booked.
    taken: Vec<&'static str>,
    booking: Option<(String, &'static str)>,
    asked: Vec<String>,
}

type Shared = Arc<Mutex<System>>;

async fn answer(State(system): State<Shared>, request: Request) -> (StatusCode, Json<Value>) {
    let name = format!("{} {}", request.method(), request.uri().path());
    let day = request.uri().query().unwrap_or_default().ends_with("2026-12-02");
    let body = axum::body::to_bytes(request.into_body(), 4096).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut system = system.lock().unwrap();
    system.asked.push(name.clone());
    if let Some((_, status, answer)) = system.wrong.as_ref().filter(|(wrong, _, _)| *wrong == name) {
        return (*status, Json(answer.clone()));
    }
    let (status, answer) = system.right(&name, day, &body);
    (status, Json(answer))
}

impl System {
    fn right(&mut self, name: &str, second_day: bool, body: &Value) -> (StatusCode, Value) {
        match name {
            "POST /api/auth/signup" => (StatusCode::CREATED, json!({ "success": true })),
            "POST /api/auth/login" => {
                (StatusCode::OK, json!({ "token": "t", "user": { "id": 7, "email": body["email"] } }))
            }
            "GET /api/flights/search" => {
                let seats = if second_day { 3 } else { 0 };
                let flight = json!({ "schedule_id": 1, "flight_id": "CJ101", "price": 9, "available_seats": seats });
                (StatusCode::OK, json!({ "flights": [flight], "total": 1 }))
            }
            "GET /api/bookings/occupied-seats/1" => {
                let gone: Vec<_> = ["1A"].iter().chain(self.taken.first()).collect();
                (StatusCode::OK, json!({ "occupied_seats": gone }))
            }
            "POST /api/bookings" => {
                let seat = body["seat_id"].as_str().unwrap().to_owned();
                if !self.taken.contains(&seat.as_str()) && seat == "1B" && self.wrong.is_none() && self.taken.len() == 1
                {
                    self.taken.insert(0, "1B");
                    return (StatusCode::CONFLICT, json!({ "code": "seat-taken" }));
                }
                self.booking = Some((seat, "PENDING"));
                let made = json!({ "success": true, "booking_number": "CJ1", "status": "PENDING", "total_amount": 9 });
                (StatusCode::CREATED, made)
            }
            "GET /api/bookings" => {
                let one = |(seat, status): &(String, &str)| json!({ "booking_number": "CJ1", "status": status, "passengers": [{ "seat_number": seat }] });
                (StatusCode::OK, json!({ "bookings": self.booking.iter().map(one).collect::<Vec<_>>() }))
            }
            "POST /api/bookings/CJ1/cancel" => {
                self.booking.iter_mut().for_each(|booking| booking.1 = "CANCELLED");
                (StatusCode::OK, json!({ "success": true, "booking_number": "CJ1" }))
            }
            _ => (StatusCode::NOT_FOUND, Value::Null),
        }
    }
}

/// Goes through `system`: the names of the steps that went well, what was asked, and how it ended.
async fn go(system: System, account: Option<Account>) -> (Vec<&'static str>, Vec<String>, Result<(), String>) {
    let shared: Shared = Arc::new(Mutex::new(system));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let url = format!("http://{address}/");
    let addresses =
        Addresses { auth: url.clone(), flight: url.clone(), booking: url, patience: Duration::from_secs(10) };
    let first_day = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
    let route = Route { from: "ICN".to_owned(), to: "NRT".to_owned(), first_day, days: 2 };
    let mut steps = Vec::new();
    let outcome = travel(&addresses, account, &route, &mut |step| steps.push(step.name)).await;
    server.abort();
    let asked = shared.lock().unwrap().asked.clone();
    (steps, asked, outcome.map_err(|error| format!("{error:#}")))
}

#[tokio::test]
async fn somebody_new_goes_all_the_way() {
    let (steps, asked, outcome) = go(System::default(), None).await;
    outcome.unwrap();
    assert_eq!(steps, ["sign up", "log in", "search", "book", "list", "cancel", "list"]);
    assert_eq!(asked.iter().filter(|request| *request == "GET /api/flights/search").count(), 2, "{asked:?}");
}

#[tokio::test]
async fn an_account_needs_no_sign_up() {
    let account = Account { email: "User@CloudJet.com".to_owned(), password: "p".to_owned() };
    let (steps, _, outcome) = go(System::default(), Some(account)).await;
    outcome.unwrap();
    assert_eq!(steps[0], "log in");
}

#[tokio::test]
async fn a_seat_that_somebody_took_meanwhile_is_no_failure() {
    let system = System { taken: vec!["9F"], ..System::default() };
    let (_, asked, outcome) = go(system, None).await;
    outcome.unwrap();
    assert_eq!(asked.iter().filter(|request| *request == "POST /api/bookings").count(), 2, "{asked:?}");
}

#[tokio::test]
async fn the_step_that_failed_is_named_with_what_was_answered() {
    let ok = StatusCode::OK;
    let booked = json!({ "success": true, "booking_number": "CJ1", "status": "PENDING", "total_amount": 10 });
    for (wrong, status, answer, told) in [
        ("POST /api/auth/signup", StatusCode::BAD_GATEWAY, json!({ "code": "down" }), "sign up failed: POST"),
        ("POST /api/auth/login", StatusCode::UNAUTHORIZED, Value::Null, "answered 401 instead of 200"),
        ("POST /api/auth/login", ok, json!({ "token": "t", "user": { "id": 7, "email": "x@y.z" } }), "somebody else's"),
        ("GET /api/flights/search", ok, json!({ "flights": [], "total": 1 }), "search failed: 0 flights"),
        ("GET /api/flights/search", ok, json!({ "flights": [], "total": 0 }), "there is no seat from ICN to NRT"),
        ("POST /api/bookings", StatusCode::CREATED, booked, "book failed: it costs 10 instead of 9"),
        ("POST /api/bookings", StatusCode::CONFLICT, json!({ "code": "sold-out" }), "answered 409 instead of 201"),
        ("GET /api/bookings", ok, json!({ "bookings": [] }), "list failed: CJ1 is not among"),
        ("POST /api/bookings/CJ1/cancel", StatusCode::SERVICE_UNAVAILABLE, Value::Null, "cancel failed: POST"),
        ("POST /api/bookings/CJ1/cancel", ok, json!({ "success": true, "booking_number": "CJ2" }), "something else"),
    ] {
        let (_, _, outcome) = go(System { wrong: Some((wrong, status, answer)), ..System::default() }, None).await;
        let error = outcome.unwrap_err();
        assert!(error.contains(told), "{told} in {error}");
    }
}

#[tokio::test]
async fn a_cancelled_booking_must_read_so() {
    let still = json!({ "success": true, "booking_number": "CJ1" });
    let wrong = Some(("POST /api/bookings/CJ1/cancel", StatusCode::OK, still));
    let (steps, _, outcome) = go(System { wrong, ..System::default() }, None).await;
    assert_eq!(outcome.unwrap_err(), "list failed: CJ1 is PENDING instead of CANCELLED");
    assert_eq!(steps.last(), Some(&"cancel"));
}
