//! The service under test, the people who call it, and what travellers see of it.

use std::ops::Deref;
use std::time::Duration;

use admin_service::{App, router};
use axum::Router;
use catalogue::Catalogue;
use chrono::NaiveDate;
use common::http::Envelope;
use flight_service::SearchTtl;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use testkit::desk::Desk;
use testkit::{Client, World, seed};

/// An admin service, its order desk, and a client that isn't signed in.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) desk: Desk,
    pub(crate) client: Client,
    pub(crate) catalogue: Catalogue,
    /// What travellers look at: flight-service on the same database and cache.
    pub(crate) flights: Client,
    /// Where travellers book: booking-service on the same database and cache.
    bookings: Client,
}

impl Deref for Service {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}

impl Service {
    /// Without a payment provider.
    pub(crate) fn start(database: MySqlConnectOptions) -> Self {
        Self::with(World::with_connections(database, 32), None)
    }

    /// With a payment provider on this machine.
    pub(crate) async fn selling(database: MySqlConnectOptions) -> Self {
        Self::of(Desk::with_provider(World::with_connections(database, 32)).await)
    }

    /// With the payment provider at hand.
    pub(crate) fn with(world: World, provider: Option<bootpay::Client>) -> Self {
        Self::of(Desk::new(world, provider))
    }

    fn of(desk: Desk) -> Self {
        let World { db, cache, clock, tokens, .. } = desk.world.clone();
        let app = App::new(desk.orders.clone(), tokens.clone());
        let catalogue = app.catalogue.clone();
        let search_ttl = SearchTtl(Duration::from_mins(5));
        let flights = flight_service::App { db: db.clone(), cache, clock: clock.clone(), search_ttl };
        let bookings = booking_service::App { orders: desk.orders.clone(), db, tokens, clock };
        Self {
            client: enveloped(router(app)),
            flights: enveloped(flight_service::router(flights)),
            bookings: enveloped(booking_service::router(bookings)),
            desk,
            catalogue,
        }
    }

    /// A new administrator, signed in.
    pub(crate) async fn admin(&self) -> Client {
        self.signed_in(seed::admin(&self.world.db).await)
    }

    /// A client of the account `user_id` with a session that begins now.
    pub(crate) fn signed_in(&self, user_id: i64) -> Client {
        self.client.signed_in(&self.world.token(user_id))
    }

    /// Somebody new, signed in where travellers book.
    pub(crate) async fn traveller(&self) -> Client {
        self.bookings.signed_in(&self.world.token(seed::user(&self.world.db).await))
    }

    /// A new traveller's booking of a schedule for so many passengers: pending, its seats held.
    pub(crate) async fn book(&self, schedule: i64, passengers: usize) -> i64 {
        let answer = self.traveller().await.post("/api/bookings", &booking(schedule, passengers)).await;
        answer.expect(201)["booking_id"].as_i64().unwrap()
    }

    /// What a search shows: the schedules with their prices, cheapest first.
    pub(crate) async fn search(&self, from: &str, to: &str, day: NaiveDate) -> Vec<(i64, i64)> {
        let answer = self.flights.get(&format!("/api/flights/search?departure={from}&arrival={to}&date={day}")).await;
        shown(&answer.expect(200)["flights"], "price")
    }

    /// What the front page shows: the schedules with their discounted prices, twice over.
    pub(crate) async fn offers(&self) -> [Vec<(i64, i64)>; 2] {
        let featured = self.flights.get("/api/flights/featured").await.expect(200);
        let promotions = self.flights.get("/api/flights/promotions").await.expect(200);
        [shown(&featured["flights"], "discounted_price"), shown(&promotions["promotions"], "discounted_price")]
    }

    /// Changes the row `id` by hand, as an operator would.
    pub(crate) async fn by_hand(&self, statement: &'static str, id: impl ToString) {
        let changed = sqlx::query(statement).bind(id.to_string()).execute(&self.world.db).await.unwrap();
        assert!(changed.rows_affected() > 0, "{statement}");
    }

    /// The one number that `query` finds for `id`.
    pub(crate) async fn number(&self, query: &'static str, id: i64) -> i64 {
        sqlx::query_scalar(query).bind(id).fetch_one(&self.world.db).await.unwrap()
    }

    /// The schedules of a flight: id, day and status, in order.
    pub(crate) async fn days(&self, flight: &str) -> Vec<(i64, NaiveDate, Option<String>)> {
        sqlx::query_as(
            "select schedule_id, flight_date, status from flight_schedules where flight_id = ? order by flight_date",
        )
        .bind(flight)
        .fetch_all(&self.world.db)
        .await
        .unwrap()
    }

    /// Waits until somebody waits for a locked schedule.
    pub(crate) async fn somebody_waits(&self) {
        let waiting = "select count(*) from information_schema.processlist
                       where db = database() and id <> connection_id() and info like '%flight_schedules%for update%'";
        for _ in 0..6000 {
            if sqlx::query_scalar::<_, i64>(waiting).fetch_one(&self.world.db).await.unwrap() > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody waits");
    }

    /// What happened to a subject, in order: who did what, old and new.
    pub(crate) async fn history(&self, subject: &str, id: impl ToString) -> Vec<(String, String, Value)> {
        let rows: Vec<(String, Option<i64>, String, String)> = sqlx::query_as(
            "select actor, user_id, action, cast(detail as char) from events
             where subject = ? and subject_id = ? order by event_id",
        )
        .bind(subject)
        .bind(id.to_string())
        .fetch_all(&self.world.db)
        .await
        .unwrap();
        rows.into_iter()
            .map(|(actor, user_id, action, detail)| {
                assert_eq!(user_id.is_some(), actor == "ADMIN", "{action}");
                (actor, action, serde_json::from_str(&detail).unwrap())
            })
            .collect()
    }

    /// What was done to a subject, in order.
    pub(crate) async fn actions(&self, subject: &str, id: impl ToString) -> Vec<String> {
        self.history(subject, id).await.into_iter().map(|(_, action, _)| action).collect()
    }
}

/// A client of a whole service: the envelope is part of every answer's shape.
fn enveloped(router: Router) -> Client {
    let envelope = Envelope { service: "service", timeout: Duration::from_mins(1), trusted_proxy_hops: 0 };
    Client::anonymous(common::http::wrap(router, envelope))
}

fn shown(list: &Value, price: &str) -> Vec<(i64, i64)> {
    let number = |value: &Value| value.as_i64().unwrap();
    list.as_array().unwrap().iter().map(|item| (number(&item["schedule_id"]), number(&item[price]))).collect()
}

/// A booking of so many passengers, without seats.
pub(crate) fn booking(schedule: i64, passengers: usize) -> Value {
    let people: Vec<Value> =
        (0..passengers).map(|n| json!({ "name": format!("승객{n}"), "birth_date": "1990-02-03" })).collect();
    json!({ "schedule_id": schedule, "passengers": people })
}

/// A flight as the browser's form sends it.
pub(crate) fn flight(flight_id: &str) -> Value {
    json!({
        "flight_id": flight_id, "departure_airport": "ICN", "arrival_airport": "NRT", "departure_time": "06:30",
        "arrival_time": "09:15", "aircraft": "Boeing 737-800", "base_price": 320_000,
    })
}

/// The same with other fields.
pub(crate) fn with(mut flight: Value, changes: &Value) -> Value {
    for (field, value) in changes.as_object().unwrap() {
        flight[field] = value.clone();
    }
    flight
}

/// A flight on one day, as the browser's form sends it.
pub(crate) fn on(day: NaiveDate, flight: &Value) -> Value {
    json!({ "flight": flight, "schedule": { "mode": "single", "date": day.to_string(), "overwrite": false } })
}

/// The same, publishing the day anew.
pub(crate) fn anew(day: NaiveDate, flight: &Value) -> Value {
    json!({ "flight": flight, "schedule": { "mode": "single", "date": day.to_string(), "overwrite": true } })
}

/// What a season came to, as `publish` answers it: days created and skipped.
pub(crate) fn result(answer: &Value) -> (i64, i64) {
    (answer["result"]["created_schedules"].as_i64().unwrap(), answer["result"]["skipped"].as_i64().unwrap())
}

/// Where flights are published.
pub(crate) const PUBLISH: &str = "/api/admin/flights-with-schedules";
