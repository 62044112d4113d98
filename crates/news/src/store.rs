//! The SQL of news, once `common::outbox` has appended it.
//!
//! The order rests on this: of one subject, positions grow as its transactions commit, because each has the subject
//! locked. So once the first that waits is known to be the first, nothing can come before it.

use chrono::{DateTime, TimeDelta, Utc};
use common::db;
use common::outbox::Topic;
use common::page::Page;
use common::telemetry::trace::Origin;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{MySqlConnection, MySqlPool};
use uuid::Uuid;

use crate::{Kept, Metrics, News, State};

/// A piece of news whose time has come, and the first that waits of its subject.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) position: i64,
    pub(crate) head: i64,
}

pub(crate) async fn due(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"select position,
                  (select min(head.position) from outbox head
                   where head.subject = due.subject and head.subject_id = due.subject_id
                     and head.state = 'WAITING') as "head!: i64"
           from outbox due
           where state = 'WAITING' and due_at <= now(6)
           order by due_at, position limit ?"#,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Lets a piece wait as long as the head of its subject does, so that it isn't looked at in every round meanwhile.
pub(crate) async fn wait_behind(db: &MySqlPool, due: &Due) -> sqlx::Result<()> {
    sqlx::query!(
        "update outbox behind join outbox head on head.position = ?
         set behind.due_at = head.due_at
         where behind.position = ? and behind.state = 'WAITING' and head.state = 'WAITING'",
        due.head,
        due.position,
    )
    .execute(db)
    .await
    .map(drop)
}

/// Takes a piece for one try; `None` if somebody else did. A process that dies with it lets it be taken again in a
/// minute.
pub(crate) async fn take(connection: &mut MySqlConnection, position: i64) -> sqlx::Result<Option<News>> {
    let taken = sqlx::query!(
        "update outbox set attempts = attempts + 1, due_at = now(6) + interval 60 second
         where position = ? and state = 'WAITING' and due_at <= now(6)",
        position,
    )
    .execute(&mut *connection)
    .await?;
    if taken.rows_affected() == 0 {
        return Ok(None);
    }
    let row = sqlx::query!(
        r#"select news_id as "news_id: Uuid", subject, subject_id, topic as "topic: Topic", data as "data: Json<Value>",
                  created_at as "created_at: DateTime<Utc>", attempts, traceparent, tracestate
           from outbox where position = ?"#,
        position,
    )
    .fetch_one(connection)
    .await?;
    let state = row.tracestate;
    Ok(Some(News {
        position,
        id: row.news_id,
        subject: row.subject,
        subject_id: row.subject_id,
        topic: row.topic,
        data: row.data.0,
        happened_at: row.created_at,
        attempts: row.attempts,
        origin: row.traceparent.map(|parent| Origin { parent, state }),
    }))
}

/// Writes down that the subscriber has a piece, whoever sent it: even if it has been given up meanwhile.
pub(crate) async fn deliver(db: &MySqlPool, news: &News) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    sqlx::query!(
        "update outbox
         set state = 'DELIVERED', delivered_at = now(6), due_at = now(6) + interval 7 day, last_error = null
         where position = ? and state <> 'DELIVERED'",
        news.position,
    )
    .execute(&mut *tx)
    .await?;
    let_next_go(&mut tx, news).await?;
    db::commit(tx).await
}

/// Tries a piece again later, unless somebody else has taken it since.
pub(crate) async fn postpone(
    connection: &mut MySqlConnection,
    news: &News,
    wait: TimeDelta,
    error: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update outbox set due_at = now(6) + interval ? microsecond, last_error = ?
         where position = ? and state = 'WAITING' and attempts = ?",
        wait.num_microseconds(),
        error,
        news.position,
        news.attempts,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Gives a piece up, unless somebody else has taken it since.
pub(crate) async fn park(db: &MySqlPool, news: &News, error: &str) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    sqlx::query!(
        "update outbox set state = 'PARKED', due_at = now(6) + interval 30 day, last_error = ?
         where position = ? and state = 'WAITING' and attempts = ?",
        error,
        news.position,
        news.attempts,
    )
    .execute(&mut *tx)
    .await?;
    let_next_go(&mut tx, news).await?;
    db::commit(tx).await
}

/// What waited behind a piece has waited long enough.
async fn let_next_go(connection: &mut MySqlConnection, news: &News) -> sqlx::Result<()> {
    sqlx::query!(
        "update outbox set due_at = now(6)
         where subject = ? and subject_id = ? and state = 'WAITING' and position > ? and due_at > now(6)",
        news.subject,
        news.subject_id,
        news.position,
    )
    .execute(connection)
    .await
    .map(drop)
}

pub(crate) async fn forget(connection: &mut MySqlConnection, limit: u32, unread: bool) -> sqlx::Result<bool> {
    let forgotten = sqlx::query!(
        "delete from outbox
         where (state in ('DELIVERED', 'PARKED') and due_at <= now(6))
            or (state = 'WAITING' and due_at <= now(6) - interval 7 day and ?)
         limit ?",
        unread,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected() == u64::from(limit))
}

pub(crate) async fn list(connection: &mut MySqlConnection, state: State, page: Page) -> sqlx::Result<Vec<Kept>> {
    let rows = sqlx::query!(
        r#"select news_id as "news_id: Uuid", topic as "topic: Topic", data as "data: Json<Value>",
                  created_at as "created_at: DateTime<Utc>", state as "state: State", attempts,
                  due_at as "due_at: DateTime<Utc>", last_error, delivered_at as "delivered_at: DateTime<Utc>"
           from outbox where state = ? order by due_at desc, position desc limit ? offset ?"#,
        state,
        page.limit(),
        page.offset(),
    )
    .fetch_all(connection)
    .await?;
    let kept = rows.into_iter().map(|row| Kept {
        id: row.news_id,
        topic: row.topic,
        data: row.data.0,
        happened_at: row.created_at,
        state: row.state,
        attempts: row.attempts,
        due_at: row.due_at,
        last_error: row.last_error,
        delivered_at: row.delivered_at,
    });
    Ok(kept.collect())
}

/// Lets a piece that was given up be tried as if it were new. Answers whether it was given up.
pub(crate) async fn retry(connection: &mut MySqlConnection, id: Uuid) -> sqlx::Result<bool> {
    let retried = sqlx::query!(
        "update outbox set state = 'WAITING', attempts = 0, due_at = now(6) where news_id = ? and state = 'PARKED'",
        id,
    );
    Ok(retried.execute(connection).await?.rows_affected() == 1)
}

pub(crate) async fn exists(connection: &mut MySqlConnection, id: Uuid) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!("select position from outbox where news_id = ?", id);
    Ok(found.fetch_optional(connection).await?.is_some())
}

/// Measures how much waits, and since when, and how much was given up.
pub(crate) async fn measure(connection: &mut MySqlConnection, metrics: &Metrics) -> sqlx::Result<()> {
    let waiting =
        sqlx::query!("select count(*) as pieces, min(position) as oldest from outbox where state = 'WAITING'")
            .fetch_one(&mut *connection)
            .await?;
    let age = sqlx::query_scalar!(
        r#"select timestampdiff(second, created_at, now(6)) as "age!: i64" from outbox where position = ?"#,
        waiting.oldest,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let parked =
        sqlx::query_scalar!("select count(*) from outbox where state = 'PARKED'").fetch_one(connection).await?;
    metrics.waiting.set(waiting.pieces);
    metrics.oldest.set(age.unwrap_or_default());
    metrics.parked.set(parked);
    Ok(())
}
