//! Searches through the cache: what is stored, for how long, and what is never believed.

use std::time::{Duration, Instant};

use catalogue::search_key;
use common::cache::Cache;
use common::config::Redis;
use redis::IntoConnectionInfo as _;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, World, seed};

use crate::{by_hand, client, client_with};

/// How long the cache is waited for where it is whole, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// One search, and the cache seen from outside.
struct Shelf {
    world: World,
    client: Client,
    search: String,
    /// The key without this test's prefix, as other services know it.
    key: String,
    /// The key as it stands in Redis.
    full_key: String,
    redis: MultiplexedConnection,
}

impl Shelf {
    async fn new(database: MySqlConnectOptions) -> Self {
        Self::remembering_for(database, 300).await
    }

    async fn remembering_for(database: MySqlConnectOptions, ttl: u64) -> Self {
        let mut world = World::new(database);
        let settings = crate::redis();
        let address = redis::ConnectionAddr::Tcp(settings.host.clone().unwrap(), settings.port);
        let redis = redis::Client::open(address.into_connection_info().unwrap()).unwrap();
        let name: String = sqlx::query_scalar("select database()").fetch_one(&world.db).await.unwrap();
        let prefix = format!("{name}:{}:", world.now().timestamp_micros());
        world.cache = Cache::patient(&settings, PATIENCE).unwrap().with_prefix(&prefix);
        let day = world.day(3);
        let key = search_key("ICN", "NRT", day);
        Self {
            client: client_with(&world, world.cache.clone(), ttl),
            search: format!("/api/flights/search?departure=ICN&arrival=NRT&date={day}"),
            full_key: format!("{prefix}{key}"),
            key,
            redis: redis.get_multiplexed_async_connection().await.unwrap(),
            world,
        }
    }

    /// A schedule that the search finds.
    async fn schedule(&self, flight: &str) -> i64 {
        seed::schedule(self.world.day(3)).flight(flight).insert(&self.world.db).await
    }

    async fn search(&self) -> Value {
        self.client.get(&self.search).await.expect(200)["flights"].clone()
    }

    async fn ids(&self) -> Vec<i64> {
        self.search().await.as_array().unwrap().iter().map(|f| f["schedule_id"].as_i64().unwrap()).collect()
    }

    /// The bytes that Redis holds.
    async fn stored(&self) -> Option<Vec<u8>> {
        redis::cmd("GET").arg(&self.full_key).query_async(&mut self.redis.clone()).await.unwrap()
    }

    async fn plant(&self, bytes: &[u8]) {
        redis::cmd("SET").arg(&self.full_key).arg(bytes).exec_async(&mut self.redis.clone()).await.unwrap();
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_search_is_stored_as_it_went_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::new(database).await;
    let id = shelf.schedule("CJ1").await;
    seed::discount(&shelf.world.db, id, 25).await;
    shelf.schedule("CJ2").await;
    assert_eq!(shelf.stored().await, None);
    let answered = shelf.search().await;
    let stored = shelf.stored().await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap(), answered);
    assert!(String::from_utf8(stored).unwrap().contains("인천국제공항"), "UTF-8, not escaped");
    assert_eq!(shelf.search().await, answered);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn any_case_of_the_codes_shares_one_key(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::new(database).await;
    shelf.schedule("CJ1").await;
    let _ = shelf.client.get(&shelf.search.replace("ICN", "iCn").replace("NRT", "nrt")).await.expect(200);
    assert!(shelf.stored().await.is_some());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_search_is_stored_for_as_long_as_the_settings_say(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::remembering_for(database, 77).await;
    shelf.schedule("CJ1").await;
    let asked = Instant::now();
    shelf.search().await;
    let left: u64 = redis::cmd("PTTL").arg(&shelf.full_key).query_async(&mut shelf.redis.clone()).await.unwrap();
    let left = Duration::from_millis(left);
    let (least, most) = (Duration::from_secs(76).saturating_sub(asked.elapsed()), Duration::from_secs(77));
    assert!(least <= left && left <= most, "{left:?}");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nothing_found_is_not_stored(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::new(database).await;
    assert_eq!(shelf.search().await, json!([]));
    assert_eq!(shelf.stored().await, None);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_price_changed_by_hand_counts_once_its_entry_is_gone(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::new(database).await;
    let id = shelf.schedule("CJ1").await;
    assert_eq!(shelf.search().await[0]["price"], 320_000);
    by_hand(&shelf.world.db, "update flight_schedules set current_price = 111111 where schedule_id = ?", id).await;
    assert_eq!(shelf.search().await[0]["price"], 320_000);
    shelf.world.cache.forget(&shelf.key).await;
    assert_eq!(shelf.stored().await, None);
    assert_eq!(shelf.search().await[0]["price"], 111_111);
    assert!(String::from_utf8(shelf.stored().await.unwrap()).unwrap().contains("111111"));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_else_is_changed_by_hand_counts_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::new(database).await;
    let db = &shelf.world.db;
    let first = shelf.schedule("CJ1").await;
    assert_eq!(shelf.ids().await, [first]);
    let second = shelf.schedule("CJ2").await;
    assert_eq!(shelf.ids().await, [first, second]);
    let changes = [
        "update flight_schedules set status = 'CANCELLED' where schedule_id = ?",
        "update flight_schedules set status = 'DELAYED' where schedule_id = ?",
        "update flight_schedules set available_seats = 0 where schedule_id = ?",
        "update flight_schedules set flight_date = flight_date + interval 1 day where schedule_id = ?",
        "update flights set is_active = false where flight_id = (select flight_id from flight_schedules where schedule_id = ?)",
    ];
    let remedies = [
        "update flight_schedules set status = 'ACTIVE' where schedule_id = ?",
        "update flight_schedules set status = null where schedule_id = ?",
        "update flight_schedules set available_seats = 180 where schedule_id = ?",
        "update flight_schedules set flight_date = flight_date - interval 1 day where schedule_id = ?",
        "update flights set is_active = true where flight_id = (select flight_id from flight_schedules where schedule_id = ?)",
    ];
    for (change, remedy) in changes.into_iter().zip(remedies) {
        by_hand(db, change, first).await;
        assert_eq!(shelf.ids().await, [second], "{change}");
        by_hand(db, remedy, first).await;
        assert_eq!(shelf.ids().await, [first, second], "{remedy}");
    }
    by_hand(db, "update flight_schedules set available_seats = 7 where schedule_id = ?", second).await;
    assert_eq!(shelf.search().await[1]["available_seats"], 7);
    // One for another: as many schedules as before, but not the same.
    by_hand(db, "update flight_schedules set status = 'CANCELLED' where schedule_id = ?", first).await;
    let third = shelf.schedule("CJ3").await;
    assert_eq!(shelf.ids().await, [second, third]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn garbage_is_a_miss_and_replaced(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::new(database).await;
    let id = shelf.schedule("CJ1").await;
    let answered = shelf.search().await;
    let twice = json!([answered[0], answered[0]]).to_string();
    let other = answered.to_string().replace(&id.to_string(), "1");
    let of_the_original = answered.to_string().replace("\"price\":320000", "\"price\":\"1\"");
    for garbage in [
        "",
        "nonsense",
        "null",
        "{}",
        "[]",
        "[1]",
        "[{}]",
        "\u{0}",
        &twice,
        &other,
        &of_the_original,
        "{\"flights\":[]}",
    ] {
        shelf.plant(garbage.as_bytes()).await;
        assert_eq!(shelf.search().await, answered, "{garbage}");
        assert_eq!(serde_json::from_slice::<Value>(&shelf.stored().await.unwrap()).unwrap(), answered, "{garbage}");
    }
    shelf.plant(&[0xff, 0xfe, 0x00]).await;
    assert_eq!(shelf.search().await, answered);
    redis::pipe()
        .del(&shelf.full_key)
        .rpush(&shelf.full_key, "not a string")
        .exec_async(&mut shelf.redis.clone())
        .await
        .unwrap();
    assert_eq!(shelf.search().await, answered);
}

/// Waits until somebody waits for a locked table.
async fn somebody_waits(db: &MySqlPool) {
    for _ in 0..6000 {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from information_schema.processlist where db = database() and state like 'Waiting for table%'",
        )
        .fetch_one(db)
        .await
        .unwrap();
        if waiting > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody waits");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_search_under_way_does_not_put_the_old_state_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::new(database).await;
    shelf.schedule("CJ1").await;
    for forgotten in [true, false] {
        // Only the full question needs the discounts: the search stops behind its ticket, before its answer.
        let mut lock = shelf.world.db.acquire().await.unwrap();
        sqlx::query("lock tables flight_discounts write").execute(&mut *lock).await.unwrap();
        let (client, search) = (shelf.client.clone(), shelf.search.clone());
        let under_way = tokio::spawn(async move { client.get(&search).await.expect(200) });
        somebody_waits(&shelf.world.db).await;
        if forgotten {
            shelf.world.cache.forget(&shelf.key).await;
        }
        sqlx::query("unlock tables").execute(&mut *lock).await.unwrap();
        assert_eq!(under_way.await.unwrap()["total"], 1);
        assert_eq!(shelf.stored().await.is_none(), forgotten);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_cache_every_search_asks_the_database(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::new(database).await;
    let id = shelf.schedule("CJ1").await;
    let unreachable = Redis { port: 1, ..crate::redis() };
    for cache in [Cache::absent(), Cache::new(&unreachable).unwrap()] {
        let client = client_with(&shelf.world, cache, 300);
        for price in [100_000, 200_000] {
            sqlx::query("update flight_schedules set current_price = ? where schedule_id = ?")
                .bind(price)
                .bind(id)
                .execute(&shelf.world.db)
                .await
                .unwrap();
            assert_eq!(client.get(&shelf.search).await.expect(200)["flights"][0]["price"], price);
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cache_that_hangs_delays_a_search_a_little_and_only_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let day = world.day(3);
    seed::schedule(day).insert(&world.db).await;
    // Takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings =
        Redis { host: Some("127.0.0.1".to_owned()), port: silent.local_addr().unwrap().port(), ..crate::redis() };
    let client = client_with(&world, Cache::new(&settings).unwrap(), 300);
    let search = format!("/api/flights/search?departure=ICN&arrival=NRT&date={day}");
    let started = Instant::now();
    for _ in 0..5 {
        assert_eq!(client.get(&search).await.expect(200)["total"], 1);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cached_search_does_not_hide_that_the_database_is_gone(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut shelf = Shelf::new(database).await;
    shelf.schedule("CJ1").await;
    shelf.search().await;
    shelf.world = crate::without_database(shelf.world);
    client(&shelf.world).get(&shelf.search).await.refused(503, "unavailable");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn hits_misses_and_failures_are_counted(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shelf = Shelf::new(database).await;
    let world = &shelf.world;
    let _ = shelf.schedule("CJ101").await;
    let client = client_with(world, world.cache.clone().measured(&world.metrics).unwrap(), 300);
    for _ in 0..3 {
        let _ = client.get(&shelf.search).await.expect(200);
    }
    let reads = |outcome: &str| {
        world.counted(&format!("cloudjet_cache_reads_total{{kind=\"flights\",outcome=\"{outcome}\"}}")).to_string()
    };
    assert_eq!(["miss", "hit", "away"].map(reads), ["1", "2", "0"]);
    let fills = "cloudjet_cache_operation_duration_seconds_count{operation=\"fill\"}";
    assert_eq!(world.counted(fills).to_string(), "1");

    let away = World::new((*world.db.connect_options()).clone());
    let dead = Cache::new(&Redis { port: 1, ..crate::redis() }).unwrap().measured(&away.metrics).unwrap();
    let _ = client_with(&away, dead, 300).get(&shelf.search).await.expect(200);
    let failed = away.counted("cloudjet_cache_failures_total{operation=\"read\"}");
    let asked = away.counted("cloudjet_cache_reads_total{kind=\"flights\",outcome=\"away\"}");
    assert_eq!((failed.to_string(), asked.to_string()), ("1".to_owned(), "1".to_owned()));
}
