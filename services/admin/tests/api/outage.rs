//! What is left when the database or the cache is away.

use std::time::Duration;

use admin_service::api;
use axum::body::Body;
use common::cache::Cache;
use common::config::Redis;
use common::db;
use serde_json::json;
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::description::operations;
use testkit::{Cable, World, outage, seed};

use crate::support::{PUBLISH, Service, flight, on};

/// A database that isn't there.
pub(crate) fn dead_database() -> MySqlPool {
    let nowhere = MySqlConnectOptions::new().host("127.0.0.1").port(1).username("nobody").database("nothing");
    db::pool_options().acquire_timeout(Duration::from_millis(200)).connect_lazy_with(nowhere)
}

/// A cache that isn't there.
pub(crate) fn dead_cache() -> Cache {
    Cache::new(&Redis { host: Some("127.0.0.1".to_owned()), port: 1, db: 0, password: None, ssl: false }).unwrap()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_database_everything_is_unavailable_and_says_so(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut world = World::new(database);
    world.db = dead_database();
    let service = Service::with(world, None);
    let admin = service.signed_in(1);
    for operation in operations(&api().into_openapi()).into_iter().filter(|operation| operation.needs_session) {
        let path = operation.path.replace("{flight_id}", "CJ101").replace("{discount_id}", "1");
        let answer = admin.send(operation.method, &path, Some("application/json"), Body::from("{}")).await;
        let told = answer.body.to_string().to_lowercase();
        assert!(!["127.0.0.1", "sql", "pool", "connection"].iter().any(|detail| told.contains(detail)), "{told}");
        answer.refused(503, "unavailable");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_database_that_goes_and_comes_back_needs_no_restart(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let cable = Cable::to_database(&database).await;
    let whole = Service::start(database.clone());
    let schedule = whole.schedule(180).await;
    let administrator = seed::admin(&whole.world.db).await;
    let mut world = whole.world.clone();
    world.db = cable.pool(database, 5);
    let admin = Service::with(world, None).signed_in(administrator);
    let (published, grounded) =
        (on(whole.world.day(3), &flight("CJ1")), format!("/api/admin/schedules/{schedule}/cancel"));
    outage::assert_survived(&cable, async |status| {
        // Grounded once, the same answer whenever it is answered at all.
        let again = json!({});
        let (ground, flights, schedules, bookings, events) = tokio::join!(
            admin.post(&grounded, &again),
            admin.get("/api/admin/flights"),
            admin.get("/api/admin/schedules"),
            admin.get("/api/admin/bookings"),
            admin.get("/api/admin/events"),
        );
        for answer in [ground, flights, schedules, bookings, events] {
            outage::assert_answered(answer, status);
        }
        if status == 503 {
            outage::assert_answered(admin.post(PUBLISH, &published).await, status);
        }
    })
    .await;
    assert_eq!(whole.actions("SCHEDULE", schedule).await, ["cancelled"]);
    assert_eq!(whole.days("CJ1").await, []);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_cache_nothing_is_missing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    seed::airports(&world.db).await;
    for (n, cache) in [Cache::absent(), dead_cache()].into_iter().enumerate() {
        let mut world = world.clone();
        world.cache = cache;
        let service = Service::with(world, None);
        let (admin, day, number) =
            (service.admin().await, service.world.day(3 + i64::try_from(n).unwrap()), format!("CJ{n}"));
        let _ = admin.post(PUBLISH, &on(day, &flight(&number))).await.expect(201);
        let id = service.days(&number).await[0].0;
        let request = json!({ "schedule_id": id, "discount_percentage": 50 });
        let _ = admin.post("/api/admin/discounts", &request).await.expect(201);
        assert_eq!(service.search("ICN", "NRT", day).await, [(id, 160_000)]);
        let _ = admin.delete(&format!("/api/admin/flights/{number}")).await.expect(200);
        assert_eq!(service.search("ICN", "NRT", day).await, []);
    }
}
