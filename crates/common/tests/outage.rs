//! What a process says of itself, and to its clients, while its database or its cache is away, and when it is back.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::routing::get;
use common::cache::Cache;
use common::config::Redis;
use common::db;
use common::error::ApiError;
use common::health::{self, Dependencies};
use common::http::{Envelope, wrap};
use common::metrics::Registry;
use common::shutdown::Shutdown;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// How the way to the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// Calls are taken and broken off at once.
    Cut,
    /// Calls are taken and never answered.
    Silent,
}

/// A database on a way that can be cut, and the way.
async fn far(database: &MySqlConnectOptions, way: Way) -> (MySqlConnectOptions, watch::Sender<Way>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = format!("{}:{}", database.get_host(), database.get_port());
    let (way, seen) = watch::channel(way);
    tokio::spawn(async move {
        loop {
            let (mut call, _) = listener.accept().await.unwrap();
            let (target, mut seen) = (target.clone(), seen.clone());
            tokio::spawn(async move {
                let now = *seen.borrow_and_update();
                if now == Way::Open {
                    let mut answering = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut call, &mut answering) => return,
                        _ = seen.changed() => {}
                    }
                }
                if *seen.borrow() == Way::Silent {
                    let _ = seen.changed().await;
                }
            });
        }
    });
    (database.clone().host("127.0.0.1").port(port), way)
}

fn pool(database: MySqlConnectOptions) -> MySqlPool {
    db::pool_options().max_connections(5).connect_lazy_with(database)
}

/// A cache at `port` of this machine.
fn cache_at(port: u16) -> Cache {
    Cache::new(&Redis { host: Some("127.0.0.1".to_owned()), port, db: 0, password: None, ssl: false }).unwrap()
}

/// The port of somebody who takes calls and never answers.
async fn silent() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut calls: Vec<(TcpStream, SocketAddr)> = Vec::new();
        loop {
            calls.push(listener.accept().await.unwrap());
        }
    });
    port
}

/// The probes, for a test that asks nothing of their metrics.
fn probes(shutdown: Shutdown, dependencies: Dependencies) -> Router {
    health::probes(shutdown, dependencies, health::Metrics::new(&Registry::default()).unwrap())
}

async fn ask(router: &Router, path: &str) -> (u16, Value) {
    let answer = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Asks until the answer is `status`.
async fn until(router: &Router, path: &str, status: u16) {
    let asked = async { while ask(router, path).await.0 != status {} };
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("it should have come about long ago");
}

#[tokio::test]
async fn who_depends_on_nothing_has_started_and_is_ready_until_it_is_asked_to_stop() {
    let shutdown = Shutdown::default();
    let probes = probes(shutdown.clone(), Dependencies::default());
    assert_eq!(ask(&probes, "/livez").await.0, 200);
    assert_eq!(ask(&probes, "/startupz").await, (200, json!({"started": true})));
    assert_eq!(ask(&probes, "/readyz").await, (200, json!({"ready": true})));
    shutdown.announce();
    assert_eq!(ask(&probes, "/readyz").await, (503, json!({"ready": false})));
    assert_eq!(ask(&probes, "/livez").await.0, 200);
    assert_eq!(ask(&probes, "/startupz").await.0, 200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn started_is_who_has_once_had_a_database_and_ready_is_who_has_it(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let (database, way) = far(&database, Way::Cut).await;
    let dependencies = Dependencies { database: Some(pool(database)), cache: Some(cache_at(1)) };
    let probes = probes(Shutdown::default(), dependencies);
    assert_eq!(ask(&probes, "/startupz").await, (503, json!({"started": false})));
    let unready = (503, json!({"ready": false, "database": "unreachable", "cache": "degraded"}));
    assert_eq!(ask(&probes, "/readyz").await, unready);

    way.send(Way::Open).unwrap();
    until(&probes, "/startupz", 200).await;
    assert_eq!(ask(&probes, "/readyz").await, (200, json!({"ready": true, "database": "ok", "cache": "degraded"})));

    for away in [Way::Cut, Way::Silent] {
        way.send(away).unwrap();
        until(&probes, "/readyz", 503).await;
        assert_eq!(ask(&probes, "/startupz").await.0, 200, "{away:?}");
        way.send(Way::Open).unwrap();
        until(&probes, "/readyz", 200).await;
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn metrics_tell_the_last_answer_about_readiness_because_who_is_not_ready_has_no_requests_to_count(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let (database, way) = far(&database, Way::Open).await;
    let dependencies = Dependencies { database: Some(pool(database)), cache: None };
    let (metrics, shutdown) = (Registry::default(), Shutdown::default());
    let probes = health::probes(shutdown.clone(), dependencies, health::Metrics::new(&metrics).unwrap());
    let says = |line: &str| metrics.text().unwrap().lines().any(|l| l == line);
    assert!(says("cloudjet_ready 0"), "nobody has asked yet");

    until(&probes, "/readyz", 200).await;
    assert!(says("cloudjet_ready 1"));
    way.send(Way::Cut).unwrap();
    until(&probes, "/readyz", 503).await;
    assert!(says("cloudjet_ready 0"), "without its database");
    way.send(Way::Open).unwrap();
    until(&probes, "/readyz", 200).await;
    assert!(says("cloudjet_ready 1"));
    shutdown.announce();
    assert_eq!(ask(&probes, "/readyz").await.0, 503);
    assert!(says("cloudjet_ready 0"), "on its way out");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_busy_pool_is_no_dead_database(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let pool = db::pool_options().max_connections(1).connect_lazy_with(database);
    let probes = probes(Shutdown::default(), Dependencies { database: Some(pool.clone()), cache: None });
    let _all_of_it = pool.acquire().await.unwrap();
    until(&probes, "/readyz", 200).await;
    assert_eq!(ask(&probes, "/readyz").await, (200, json!({"ready": true, "database": "ok"})));
}

#[tokio::test(start_paused = true)]
async fn twenty_who_ask_at_once_wait_no_longer_than_one_for_what_never_answers() {
    let port = silent().await;
    let nowhere = MySqlConnectOptions::new().host("127.0.0.1").port(port).username("nobody").database("nothing");
    let dependencies = Dependencies { database: Some(pool(nowhere)), cache: Some(cache_at(port)) };
    let probes = probes(Shutdown::default(), dependencies);
    let mut asking = JoinSet::new();
    for n in 0..20 {
        let probes = probes.clone();
        let path = if n % 2 == 0 { "/readyz" } else { "/startupz" };
        asking.spawn(async move { tokio::time::timeout(Duration::from_secs(5), ask(&probes, path)).await });
    }
    while let Some(answered) = asking.join_next().await {
        assert_eq!(answered.unwrap().expect("one after the other they would take fourteen seconds").0, 503);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_crowd_is_told_soon_that_the_database_is_away_and_served_when_it_is_back(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    for away in [Way::Cut, Way::Silent] {
        let (database, way) = far(&database, away).await;
        let handler = async |State(pool): State<MySqlPool>| {
            sqlx::query("select 1").execute(&pool).await.map(|_| "here").map_err(ApiError::from)
        };
        let router = Router::new().route("/", get(handler)).with_state(pool(database));
        // Where waiting for a connection took as long as a request may, it would be 504.
        let envelope = Envelope { service: "probe", timeout: Duration::from_secs(10), trusted_proxy_hops: 0 };
        let router = wrap(router, envelope);
        let mut crowd = JoinSet::new();
        for _ in 0..100 {
            let router = router.clone();
            crowd.spawn(async move { ask(&router, "/").await });
        }
        while let Some(answered) = crowd.join_next().await {
            let (status, body) = answered.unwrap();
            assert_eq!((status, &body["code"]), (503, &json!("unavailable")), "{away:?}");
        }
        way.send(Way::Open).unwrap();
        assert_eq!(ask(&router, "/").await.0, 200, "{away:?}");
    }
}
