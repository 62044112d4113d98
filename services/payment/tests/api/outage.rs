//! What is left when the database or the cache is away.

use std::time::Duration;

use common::cache::Cache;
use common::config::Redis;
use common::db;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Cable, World, outage};

use crate::support::{PRICE, Service, message};

/// `world`, cut off from its database.
pub(crate) fn without_database(mut world: World) -> World {
    let nowhere = MySqlConnectOptions::new().host("127.0.0.1").port(1).username("nobody").database("nothing");
    world.db = db::pool_options().acquire_timeout(Duration::from_millis(200)).connect_lazy_with(nowhere);
    world
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_database_everything_is_unavailable_and_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::with(without_database(World::new(database)), None);
    let session = service.client.signed_in(&service.world.token(1));
    for answer in [
        session.post("/api/payments/init", &json!({ "amount": PRICE })).await,
        session.post("/api/payments/attach-booking", &json!({ "orderId": "x", "bookingId": 1 })).await,
        service.signed(&message("x", "r-1", 1, PRICE)).await,
    ] {
        assert!(answer.headers.contains_key("retry-after"));
        let told = answer.body.to_string().to_lowercase();
        assert!(!["127.0.0.1", "sql", "pool"].iter().any(|detail| told.contains(detail)), "{told}");
        answer.refused(503, "unavailable");
    }
    service.client.post("/api/payments/init", &json!({})).await.refused(401, "unauthorized");
    service.unsigned(&message("x", "r-1", 1, PRICE)).await.refused(401, "not-authentic");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_cache_nothing_is_missing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let nowhere = Redis { host: Some("127.0.0.1".to_owned()), port: 1, db: 0, password: None, ssl: false };
    let mut world = World::new(database);
    world.cache = Cache::new(&nowhere).unwrap();
    let service = Service::with(world, None);
    let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let _ = service.signed(&message(&order, "r-1", 1, PRICE)).await.expect(200);
    let booking = service.booking(&buyer, schedule, 1).await;
    let _ = buyer.attach(&order, &booking).await.expect(200);
    assert_eq!(service.booking_status(&booking).await, "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_database_that_goes_and_comes_back_needs_no_restart(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let cable = Cable::to_database(&database).await;
    let whole = Service::start(database.clone());
    let (buyer, schedule) = (whole.buyer().await, whole.schedule(9).await);
    let order = buyer.begin(schedule, 1).await;
    let booking = whole.booking(&buyer, schedule, 1).await;
    let mut world = whole.world.clone();
    world.db = cable.pool(database, 5);
    let service = Service::with(world, None);
    let buyer = service.again(&buyer);
    let paid = message(&order, "r-1", 1, PRICE);
    outage::assert_survived(&cable, async |status| {
        let (attached, told) = tokio::join!(buyer.attach(&order, &booking), service.signed(&paid));
        for answer in [attached, told] {
            outage::assert_answered(answer, status);
        }
        if status == 503 {
            outage::assert_answered(buyer.init(&json!({ "amount": PRICE })).await, status);
        }
    })
    .await;
    assert_eq!(whole.booking_status(&booking).await, "CONFIRMED");
}
