//! What is left when the database or the cache is away.

use std::time::{Duration, Instant};

use common::cache::Cache;
use common::config::Redis;
use common::db;
use serde_json::{Value, json};
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{At, Cable, Condition, Moment, Tap, World, outage};
use tokio::net::TcpListener;

use crate::support::{Service, id, number, request};

/// A database that isn't there.
pub(crate) fn dead_database() -> MySqlPool {
    let nowhere = MySqlConnectOptions::new().host("127.0.0.1").port(1).username("nobody").database("nothing");
    db::pool_options().acquire_timeout(Duration::from_millis(200)).connect_lazy_with(nowhere)
}

/// A cache that isn't there.
pub(crate) fn dead_cache() -> Cache {
    cache_at(1)
}

fn cache_at(port: u16) -> Cache {
    Cache::new(&Redis { host: Some("127.0.0.1".to_owned()), port, db: 0, password: None, ssl: false }).unwrap()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_database_everything_is_unavailable_and_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut world = World::new(database);
    world.db = dead_database();
    let service = Service::with(world, None);
    let session = service.signed_in(1);
    for answer in [
        session.post("/api/bookings", &request(10_000_001, 1, 320_000, &["1A"])).await,
        session.get("/api/bookings").await,
        session.get("/api/bookings/CJ00000000").await,
        session.post("/api/bookings/CJ00000000/cancel", &Value::Null).await,
        session.put("/api/bookings/CJ00000000/seats", &json!({ "seats": [{ "passenger_id": 1 }] })).await,
        service.client.get("/api/bookings/occupied-seats/10000001").await,
        service.client.get("/api/bookings/seat-map/10000001").await,
    ] {
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert!(answer.headers.contains_key("retry-after"));
        let told = answer.body.to_string().to_lowercase();
        assert!(!["127.0.0.1", "sql", "pool", "connection"].iter().any(|detail| told.contains(detail)), "{told}");
        answer.refused(503, "unavailable");
    }
    service.client.get("/api/bookings").await.refused(401, "unauthorized");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_database_that_goes_and_comes_back_needs_no_restart(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let cable = Cable::to_database(&database).await;
    let whole = Service::start(database.clone());
    let (buyer, schedule) = (whole.traveller().await, whole.schedule(180).await);
    let made = buyer.books(201, &request(schedule, 1, 320_000, &["25F"])).await;
    let mut world = whole.world.clone();
    world.db = cable.pool(database, 5);
    let service = Service::with(world, None);
    let (session, seats) = (service.signed_in(buyer.id), format!("/api/bookings/occupied-seats/{schedule}"));
    // What was booked and cancelled already: the same answer whenever it is answered at all.
    let (again, one) = (request(schedule, 1, 320_000, &["25F"]), format!("/api/bookings/{}", number(&made)));
    outage::assert_survived(&cable, async |status| {
        let (booked, listed, shown, free) = tokio::join!(
            session.post("/api/bookings", &again),
            session.get("/api/bookings"),
            session.get(&one),
            service.client.get(&seats),
        );
        for answer in [booked, listed, shown, free] {
            outage::assert_answered(answer, status);
        }
        if status == 503 {
            outage::assert_answered(session.post(&format!("{one}/cancel"), &Value::Null).await, status);
        }
    })
    .await;
    assert_eq!(whole.bookings(schedule).await, 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_commit_that_nobody_answers_is_not_called_undone_and_not_repeated(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let tap = Tap::to_database(&database).await;
    let whole = Service::start(database.clone());
    let (buyer, schedule) = (whole.traveller().await, whole.schedule(180).await);
    let mut world = whole.world.clone();
    world.db = tap.pool(database, 5);
    let service = Service::with(world, None);
    let session = service.signed_in(buyer.id);
    let (cancelled, held) = (("CANCELLED".to_owned(), Some("OWNER".to_owned())), ("PENDING".to_owned(), None));
    for (seat, moment, comes_to, again) in [("1A", Moment::Before, held, 200), ("1B", Moment::After, cancelled, 404)] {
        let made = buyer.books(201, &request(schedule, 1, 320_000, &[seat])).await;
        let cancel = format!("/api/bookings/{}/cancel", number(&made));
        tap.stop(moment, At::Lasting(1));
        let (answer, stopped_at) = tokio::join!(session.post(&cancel, &Value::Null), async {
            let stopped_at = tap.stopped().await;
            tap.break_off();
            stopped_at
        });
        assert_eq!(stopped_at, "COMMIT");
        answer.refused(504, "outcome-unknown");
        assert_eq!(whole.booking(id(&made)).await, comes_to, "{moment:?}");
        assert_eq!(session.post(&cancel, &Value::Null).await.status.as_u16(), again, "{moment:?}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_made_while_the_cache_is_away_is_told_it_later(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let (host, port) = crate::support::redis();
    let cable = Cable::to(&host, port).await;
    let name = database.get_database().unwrap_or_default().to_owned();
    let mut world = World::new(database);
    world.cache = cable.cache().with_prefix(&format!("{name}:{}:", world.now().timestamp_micros()));
    let service = Service::with(world.clone(), None);
    let (buyer, schedule) = (service.traveller().await, service.schedule(180).await);
    let key = catalogue::search_key("ICN", "NRT", world.day(3));
    // An answer that comes late, on a busy machine, is none, and the cache is left alone for a moment.
    let filled = async {
        while let (None, ticket) = world.cache.read::<u8>(&key).await {
            world.cache.fill(ticket, &1_u8, Duration::from_mins(5)).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), filled).await.expect("a cache that answers");
    cable.becomes(Condition::Losing).await;
    let _ = buyer.books(201, &request(schedule, 1, 320_000, &["1A"])).await;
    cable.becomes(Condition::Whole).await;
    for _ in 0..3000 {
        if let (None, Some(_)) = world.cache.read::<u8>(&key).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("an old search stays");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_cache_nothing_is_missing_and_nothing_is_slow(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    // One that takes calls and never answers them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let _taking_calls = tokio::spawn(async move {
        let mut calls = Vec::new();
        while let Ok((call, _)) = silent.accept().await {
            calls.push(call);
        }
    });
    let schedule = Service::with(world.clone(), None).schedule(180).await;
    for (n, cache) in [Cache::absent(), dead_cache(), cache_at(port)].into_iter().enumerate() {
        let mut world = world.clone();
        world.cache = cache;
        let service = Service::with(world, None);
        let buyer = service.traveller().await;
        let asked = Instant::now();
        let made = buyer.books(201, &request(schedule, 1, 320_000, &[&format!("{}A", n + 1)])).await;
        assert_eq!(buyer.newest().await["booking_number"], made["booking_number"]);
        assert_eq!(buyer.cancel(number(&made)).await, 200);
        assert!(asked.elapsed() < Duration::from_secs(3), "{n}: {:?}", asked.elapsed());
    }
}
