//! What a traveller still sees when the cache or the database is in a bad way.

use std::time::{Duration, Instant};

use common::cache::Cache;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Cable, Client, Condition, Redis, World, seed};

use crate::{by_hand, client_with};

/// A search through a cache that goes through much.
struct Search {
    world: World,
    client: Client,
    /// The cache as another service sees it.
    cache: Cache,
    path: String,
    key: String,
    schedule: i64,
}

impl Search {
    /// Through a cache as `connect` makes it: once for the search, and once for those who change what is found.
    async fn through(database: MySqlConnectOptions, connect: impl Fn() -> Cache) -> Self {
        let name = database.get_database().unwrap_or_default().to_owned();
        let world = World::new(database);
        let day = world.day(3);
        let prefix = format!("{name}:{}:", world.now().timestamp_micros());
        let [cache, client] = [(); 2].map(|()| connect().with_prefix(&prefix));
        let schedule = seed::schedule(day).insert(&world.db).await;
        Self {
            client: client_with(&world, client, 300),
            path: format!("/api/flights/search?departure=ICN&arrival=NRT&date={day}"),
            key: catalogue::search_key("ICN", "NRT", day),
            world,
            cache,
            schedule,
        }
    }

    /// The price that is shown.
    async fn price(&self) -> i64 {
        self.client.get(&self.path).await.expect(200)["flights"][0]["price"].as_i64().unwrap()
    }

    /// Changes the price, and tells the cache as every service does.
    async fn costs(&self, won: i64) {
        self.costs_silently(won).await;
        self.cache.forget(&self.key).await;
    }

    /// Changes the price behind the cache's back.
    async fn costs_silently(&self, won: i64) {
        sqlx::query("update flight_schedules set current_price = ? where schedule_id = ?")
            .bind(won)
            .bind(self.schedule)
            .execute(&self.world.db)
            .await
            .unwrap();
    }

    /// Waits until what is cached is shown, and not what a flight costs.
    async fn is_cached_again(&self) {
        for won in 500_000..503_000 {
            self.costs_silently(won).await;
            if self.price().await != won {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the cache is left alone");
    }

    /// Waits until this price is shown.
    async fn shows(&self, won: i64) {
        for _ in 0..3000 {
            if self.price().await == won {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("an old price stays");
    }
}

async fn redis_cable() -> Cable {
    let redis = crate::redis();
    Cable::to(&redis.host.unwrap(), redis.port).await
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cache_that_is_away_at_first_is_used_once_it_is_there(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let cable = redis_cable().await;
    cable.becomes(Condition::Cut).await;
    let search = Search::through(database, || cable.cache()).await;
    assert_eq!(search.price().await, 320_000);
    cable.becomes(Condition::Whole).await;
    search.is_cached_again().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_changed_while_the_cache_was_away_is_not_shown_from_it(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let cable = redis_cable().await;
    let search = Search::through(database, || cable.cache()).await;
    for (won, bad) in [
        (1_000, Condition::Cut),
        (2_000, Condition::Hanging),
        (3_000, Condition::Losing),
        (4_000, Condition::Slow(Duration::from_secs(5))),
    ] {
        search.is_cached_again().await;
        cable.becomes(bad).await;
        search.costs(won).await;
        assert_eq!(search.price().await, won, "{bad:?}");
        cable.becomes(Condition::Whole).await;
        search.shows(won).await;
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cache_that_is_slow_is_asked_by_one_at_a_time_and_costs_little(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let cable = redis_cable().await;
    let search = Search::through(database, || cable.cache()).await;
    search.is_cached_again().await;
    search.costs_silently(7).await;
    for bad in [Condition::Hanging, Condition::Losing, Condition::Slow(Duration::from_secs(5))] {
        cable.becomes(bad).await;
        let begun = Instant::now();
        let mut longest = Duration::ZERO;
        while begun.elapsed() < Duration::from_secs(3) {
            let asked = Instant::now();
            assert_eq!(search.price().await, 7);
            longest = longest.max(asked.elapsed());
        }
        assert!(longest < Duration::from_secs(5), "{bad:?}: {longest:?}");
        cable.becomes(Condition::Whole).await;
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_answer_that_breaks_off_anywhere_is_none(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let cable = redis_cable().await;
    let search = Search::through(database, || cable.cache()).await;
    for bytes in [0, 1, 5, 17, 40, 100, 300] {
        cable.becomes(Condition::Whole).await;
        search.is_cached_again().await;
        let cached = search.price().await;
        search.costs_silently(cached).await;
        cable.becomes(Condition::Tearing(bytes)).await;
        for _ in 0..3 {
            assert_eq!(search.price().await, cached, "torn after {bytes} bytes");
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_generation_that_is_none_of_ours_hurts_nobody(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let redis = Redis::start().await;
    let search = Search::through(database, || redis.cache()).await;
    let mut connection = redis.connect().await.unwrap();
    search.price().await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let generation = format!("{{{key}}}:generation");
    let spoil = [
        redis::cmd("SET").arg(&generation).arg(&[0xff_u8, 0xfe, 0][..]).to_owned(),
        redis::cmd("SET").arg(&generation).arg("nonsense").to_owned(),
        redis::cmd("RPUSH").arg(&generation).arg("a list").to_owned(),
        redis::cmd("HSET").arg(&generation).arg("a").arg("hash").to_owned(),
    ];
    for (n, spoil) in (1..).zip(spoil) {
        redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
        spoil.exec_async(&mut connection).await.unwrap();
        search.costs_silently(n * 100).await;
        assert_eq!(search.price().await, n * 100);
        search.costs_silently(1).await;
        assert_eq!(search.price().await, n * 100, "it was stored");
        search.costs(n * 100 + 1).await;
        assert_eq!(search.price().await, n * 100 + 1, "and forgotten");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_huge_or_deep_value_is_a_miss(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let redis = Redis::start().await;
    let search = Search::through(database, || redis.cache()).await;
    let mut connection = redis.connect().await.unwrap();
    search.price().await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    for huge in ["[".repeat(8 << 20), format!("\"{}\"", "x".repeat(8 << 20)), "{\"a\":".repeat(100_000)] {
        redis::cmd("SET").arg(&keys[0]).arg(huge).exec_async(&mut connection).await.unwrap();
        search.costs_silently(42).await;
        assert_eq!(search.price().await, 42);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cache_that_takes_no_writes_loses_what_is_old_all_the_same(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let redis = Redis::start().await;
    let search = Search::through(database, || redis.cache()).await;
    search.is_cached_again().await;
    // Out of memory: nothing can be stored, but old prices go.
    redis.tell(&["CONFIG", "SET", "maxmemory", "1"]).await;
    search.costs(1_000).await;
    assert_eq!(search.price().await, 1_000);
    search.costs_silently(2_000).await;
    assert_eq!(search.price().await, 2_000);
    redis.tell(&["CONFIG", "SET", "maxmemory", "0"]).await;
    search.is_cached_again().await;
    // Somebody's replica: it has the old price as long as it is one.
    redis.tell(&["REPLICAOF", "127.0.0.1", "1"]).await;
    search.costs(3_000).await;
    redis.tell(&["REPLICAOF", "NO", "ONE"]).await;
    search.shows(3_000).await;
    search.is_cached_again().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cache_that_lets_nobody_in_is_used_once_it_does(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let redis = Redis::start().await;
    redis.tell(&["CONFIG", "SET", "requirepass", "hush-hush"]).await;
    for password in ["", "wrong"] {
        let search = Search::through(database.clone(), || redis.cache_with(password)).await;
        for won in [1_000, 2_000] {
            search.costs(won).await;
            assert_eq!(search.price().await, won);
        }
        by_hand(&search.world.db, "delete from flight_schedules where schedule_id = ?", search.schedule).await;
    }
    let search = Search::through(database, || redis.cache_with("right")).await;
    assert_eq!(search.price().await, 320_000);
    let mut connection = redis.connect().await.unwrap();
    redis::cmd("AUTH").arg("hush-hush").exec_async(&mut connection).await.unwrap();
    let open = ["CONFIG", "SET", "requirepass", "right"];
    redis::cmd(open[0]).arg(&open[1..]).exec_async(&mut connection).await.unwrap();
    search.is_cached_again().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_cache_that_dies_and_comes_back_empty_is_filled_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut redis = Redis::start().await;
    let search = Search::through(database, || redis.cache()).await;
    search.is_cached_again().await;
    redis.stop();
    search.costs(1_000).await;
    assert_eq!(search.price().await, 1_000);
    redis.restart().await;
    search.shows(1_000).await;
    search.is_cached_again().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_database_that_goes_and_comes_back_needs_no_restart(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let cable = Cable::to_database(&database).await;
    let mut world = World::new(database.clone());
    let day = world.day(3);
    seed::schedule(day).insert(&world.db).await;
    world.db = cable.pool(database, 5);
    let client = client_with(&world, world.cache.clone(), 300);
    let search = format!("/api/flights/search?departure=ICN&arrival=NRT&date={day}");
    let paths = [search.as_str(), "/api/airports", "/api/flights/featured", "/api/promotions"];
    testkit::outage::assert_survived(&cable, async |status| {
        let answers = futures_util::future::join_all(paths.map(|path| client.get(path))).await;
        for answer in answers {
            testkit::outage::assert_answered(answer, status);
        }
    })
    .await;
}
