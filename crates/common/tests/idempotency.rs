//! Doing something once that leaves the database: an intent is committed as started, somebody is called, and what
//! they said is committed with the answer. Whoever dies in between is followed by whoever asks next.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use common::db;
use common::error::ApiError;
use common::http::{Envelope, wrap};
use common::idempotency::{Key, Once, Told, Tx};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// A till whose bank is slow: it answers once for each permit, and declines while it is told to.
#[derive(Clone, Debug)]
struct Till {
    db: MySqlPool,
    bank: Arc<Semaphore>,
}

/// What the first step comes to.
enum Step {
    /// The bank is to be called about this intent.
    Call(i64),
    Told(Told<Paid>),
}

impl From<Told<Paid>> for Step {
    fn from(told: Told<Paid>) -> Self {
        Self::Told(told)
    }
}

/// How often the intent's bank was called, and that it paid.
#[derive(Clone, Copy, Debug)]
struct Paid {
    calls: i64,
}

impl Till {
    async fn pay(&self, once: &Once<'_, Paid>) -> Result<Told<Paid>, ApiError> {
        let call = match db::retry(|| once.run(&self.db, |tx| self.intend(tx))).await? {
            Step::Call(intent) => intent,
            Step::Told(told) => return Ok(told),
        };
        self.bank.acquire().await.unwrap().forget();
        db::retry(|| once.run(&self.db, |tx| self.settle(tx, call))).await?.ok_or_else(declined)
    }

    /// Writes the intent down, or finds the one that was left behind.
    async fn intend(&self, mut tx: Tx<'_, Paid>) -> sqlx::Result<Step> {
        let open = "select intent_id from intents where state = 'STARTED' for update";
        let intent = if let Some(left_behind) = sqlx::query_scalar(open).fetch_optional(&mut *tx).await? {
            left_behind
        } else {
            let new = sqlx::query("insert into intents (state, calls) values ('STARTED', 0)");
            i64::try_from(new.execute(&mut *tx).await?.last_insert_id()).unwrap()
        };
        tx.commit_started().await?;
        Ok(Step::Call(intent))
    }

    /// Writes down what the bank said; `None`: it declined.
    async fn settle(&self, mut tx: Tx<'_, Paid>, intent: i64) -> sqlx::Result<Option<Told<Paid>>> {
        let declines: i64 = sqlx::query_scalar("select count(*) from declined").fetch_one(&mut *tx).await?;
        let state = if declines > 0 { "DECLINED" } else { "DONE" };
        sqlx::query("update intents set state = ?, calls = calls + 1 where intent_id = ?")
            .bind(state)
            .bind(intent)
            .execute(&mut *tx)
            .await?;
        if declines > 0 {
            tx.commit_refused().await?;
            return Ok(None);
        }
        let calls = sqlx::query_scalar("select cast(calls as signed) from intents where intent_id = ?");
        let calls = calls.bind(intent).fetch_one(&mut *tx).await?;
        Ok(Some(tx.commit(Paid { calls }).await?))
    }
}

fn declined() -> ApiError {
    ApiError::conflict("declined", "승인이 거절되었습니다.", "The bank declined.")
}

async fn pay(State(till): State<Till>, key: Option<Key>) -> Result<Told<Paid>, ApiError> {
    let once = Once::new(7, key, |paid: &Paid| (StatusCode::OK, json!({ "calls": paid.calls })));
    till.pay(&once).await
}

/// A till, and how it is asked under a key: status, body, and whether it was told again.
async fn till(database: MySqlConnectOptions) -> (Till, Router) {
    let db = db::pool_options().connect_with(database).await.unwrap();
    for table in [
        "create table intents (intent_id bigint auto_increment primary key, state varchar(20), calls int)",
        "create table declined (id int primary key)",
    ] {
        sqlx::query(table).execute(&db).await.unwrap();
    }
    let till = Till { db, bank: Arc::new(Semaphore::new(0)) };
    let router = Router::new().route("/pay", post(pay)).with_state(till.clone());
    (till, wrap(router, Envelope { service: "till", timeout: Duration::from_mins(1), trusted_proxy_hops: 0 }))
}

async fn ask(router: &Router, key: &str) -> (u16, Value, bool) {
    let request = Request::post("/pay").header("idempotency-key", key).body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    (parts.status.as_u16(), body, parts.headers.contains_key("idempotent-replayed"))
}

async fn intents(till: &Till) -> Vec<(String, i64)> {
    sqlx::query_as("select state, cast(calls as signed) from intents order by intent_id")
        .fetch_all(&till.db)
        .await
        .unwrap()
}

/// Returns once an intent is committed: the bank is being called.
async fn is_calling(till: &Till) {
    while intents(till).await.iter().all(|(state, _)| state != "STARTED") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn done(calls: i64) -> (String, i64) {
    ("DONE".to_owned(), calls)
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_somebody_is_called_an_equal_call_is_refused_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let (till, router) = till(database).await;
    let first = tokio::spawn({
        let router = router.clone();
        async move { ask(&router, "k").await }
    });
    is_calling(&till).await;
    let (status, body, _) = ask(&router, "k").await;
    assert_eq!((status, &body["code"]), (409, &json!("idempotency-key-in-flight")));
    till.bank.add_permits(1);
    assert_eq!(first.await.unwrap(), (200, json!({ "calls": 1 }), false));
    assert_eq!(ask(&router, "k").await, (200, json!({ "calls": 1 }), true));
    assert_eq!(intents(&till).await, [done(1)]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_dies_while_calling_is_followed_by_who_asks_once_the_lease_is_over(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let (till, router) = till(database).await;
    // Without the envelope, which would finish what was begun.
    let bare = Router::new().route("/pay", post(pay)).with_state(till.clone());
    let dies = tokio::spawn(async move { ask(&bare, "k").await });
    is_calling(&till).await;
    dies.abort();
    assert!(dies.await.unwrap_err().is_cancelled());
    assert_eq!(ask(&router, "k").await.0, 409);
    let over = "update idempotency_keys set leased_until = now(6) - interval 1 microsecond";
    sqlx::query(over).execute(&till.db).await.unwrap();
    till.bank.add_permits(1);
    assert_eq!(ask(&router, "k").await, (200, json!({ "calls": 1 }), false));
    assert_eq!(ask(&router, "k").await, (200, json!({ "calls": 1 }), true));
    assert_eq!(intents(&till).await, [done(1)], "the one intent, gone on with");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_comes_late_is_told_what_its_follower_was_told(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let (till, router) = till(database).await;
    let late = tokio::spawn({
        let router = router.clone();
        async move { ask(&router, "k").await }
    });
    is_calling(&till).await;
    // The first one's lease runs out while it still waits for the bank; the second is answered before it.
    let over = "update idempotency_keys set leased_until = now(6) - interval 1 microsecond";
    sqlx::query(over).execute(&till.db).await.unwrap();
    let follower = tokio::spawn({
        let router = router.clone();
        async move { ask(&router, "k").await }
    });
    while sqlx::query_scalar::<_, bool>("select leased_until > now(6) from idempotency_keys")
        .fetch_one(&till.db)
        .await
        .is_ok_and(|leased| !leased)
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    till.bank.add_permits(2);
    let (late, follower) = (late.await.unwrap(), follower.await.unwrap());
    assert_eq!((late.0, &late.1), (follower.0, &follower.1));
    assert!(late.2 != follower.2, "one of them was told again");
    assert_eq!(intents(&till).await, [done(1)]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_declined_is_not_kept_and_may_be_tried_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let (till, router) = till(database).await;
    till.bank.add_permits(2);
    sqlx::query("insert into declined values (1)").execute(&till.db).await.unwrap();
    let (status, body, _) = ask(&router, "k").await;
    assert_eq!((status, &body["code"]), (409, &json!("declined")));
    sqlx::query("delete from declined").execute(&till.db).await.unwrap();
    assert_eq!(ask(&router, "k").await, (200, json!({ "calls": 1 }), false));
    assert_eq!(intents(&till).await, [("DECLINED".to_owned(), 1), done(1)]);
}
