//! Doing something once, however often it is asked for: a request may name itself by `Idempotency-Key`, and asked
//! again under that name it changes nothing and is told the same, byte for byte, for 24 hours.
//!
//! A handler brings the key, whose it is, and how what is done is told; that is a [`Once`]. Whoever does it works in
//! the transaction that [`Once::run`] begins, and ends that with [`Tx::commit`]: the effect and its answer are
//! committed together, so a crash leaves both or neither. What is refused is rolled back and leaves the key free.
//! Without a key it is a transaction like any other.
//!
//! The one trap is waiting. An insert waits for an equal one that isn't committed yet, and that as long as the server
//! pleases. So the row is asked for with `nowait` first: locked, it tells that an equal call is at work, which is
//! waited for a little, with no transaction open. It is locked before anything else, and nobody but equal calls wants
//! it, so it is in nobody's way.
//!
//! What can't be one transaction, because others are called or there is too much of it, is committed as *started* first
//! ([`Tx::commit_started`]). Equal calls are refused at once then, until it is told, or for so long that its first
//! caller must be gone: the next one may go on with it, and has to find out where it was left.

mod answer;
mod key;
mod store;

use std::ops::{ControlFlow, Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde::Serialize;
use sqlx::{MySql, MySqlConnection, MySqlPool};

pub use answer::{Answer, KeyRefusal, Told};
pub use key::{Key, Keyed};

use crate::db;
use crate::jobs::{self, Shift};
use crate::service::Job;

/// How long an equal call waits for the one that is at work.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it waits between two looks: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// How often keys are looked for whose day is over, and how many are deleted at a time. Nobody waits for it: they
/// don't count any more.
const TIDYING: Duration = Duration::from_mins(10);
const AT_A_TIME: u32 = 500;

/// Something that is done once, and how it is told.
pub struct Once<'a, T> {
    name: Option<Name>,
    tell: Tell<'a, T>,
    /// Whether this call has committed it as started.
    started: AtomicBool,
}

/// How something is told.
type Tell<'a, T> = Box<dyn Fn(&T) -> serde_json::Result<Answer> + Send + Sync + 'a>;

/// A key, whose it is, and what for.
#[derive(Clone, Debug)]
struct Name {
    scope: String,
    key: String,
    fingerprint: [u8; 32],
}

impl<'a, T> Once<'a, T> {
    /// What the account `user_id` asks for, under `key` if it has one. `tell` says how it is answered once it is done.
    pub fn new<B: Serialize>(
        user_id: i64,
        key: Option<Key>,
        tell: impl Fn(&T) -> (StatusCode, B) + Send + Sync + 'a,
    ) -> Self {
        let name = key.map(|Key { text, operation, fingerprint }| Name {
            scope: format!("{user_id} {operation}"),
            key: text,
            fingerprint,
        });
        let tell = move |value: &T| {
            let (status, shape) = tell(value);
            Answer::json(status, &shape)
        };
        Self { name, tell: Box::new(tell), started: AtomicBool::new(false) }
    }

    /// What no request asks for, and nobody is told.
    pub fn unkeyed() -> Self {
        Self { name: None, tell: Box::new(|_| Ok(Answer::silence())), started: AtomicBool::new(false) }
    }

    /// Does `work` in a transaction, unless the key tells that it is done, being done, or something else. Made to be
    /// [run anew](db::retry) as a whole.
    pub async fn run<'o, R, E, F>(&'o self, db: &MySqlPool, work: impl FnOnce(Tx<'o, T>) -> F) -> Result<R, E>
    where
        R: From<Told<T>>,
        E: From<sqlx::Error>,
        F: Future<Output = Result<R, E>>,
    {
        match self.begin(db).await? {
            ControlFlow::Continue(tx) => work(tx).await,
            ControlFlow::Break(told) => Ok(told.into()),
        }
    }

    /// Commits it as [started](Tx::commit_started) and no more, for what is many transactions and calls of others; that
    /// ends with [`conclude`](Self::conclude), or with [`give_up`](Self::give_up). `Some`: the key tells that it is done,
    /// being done, or something else. Without a key it asks the database nothing.
    pub async fn start(&self, db: &MySqlPool) -> sqlx::Result<Option<Told<T>>> {
        self.keep(db, Tx::commit_started).await
    }

    /// What was [started](Self::start) came to nothing that could be told again: the key is free.
    pub async fn give_up(&self, db: &MySqlPool) -> sqlx::Result<()> {
        self.keep(db, Tx::commit_refused).await.map(drop)
    }

    async fn keep<'o, F>(&'o self, db: &MySqlPool, commit: impl Fn(Tx<'o, T>) -> F) -> sqlx::Result<Option<Told<T>>>
    where
        F: Future<Output = sqlx::Result<()>>,
    {
        if self.name.is_none() {
            return Ok(None);
        }
        let commit = &commit;
        db::retry(|| self.run(db, |tx| async move { commit(tx).await.map(|()| None) })).await
    }

    /// Tells of something that is done and committed already: of what was [started](Tx::commit_started), or of what
    /// was found to be done by an earlier call without this key. Without a key it asks the database nothing.
    pub async fn conclude(&self, db: &MySqlPool, value: T) -> sqlx::Result<Told<T>>
    where
        T: Clone,
    {
        if self.name.is_none() {
            let answer = self.answer(&value)?;
            return Ok(Told::Done(value, answer));
        }
        db::retry(|| self.run(db, |tx| tx.commit(value.clone()))).await
    }

    async fn begin(&self, db: &MySqlPool) -> sqlx::Result<ControlFlow<Told<T>, Tx<'_, T>>> {
        let Some(name) = &self.name else {
            return Ok(ControlFlow::Continue(Tx { inner: db.begin().await?, once: self }));
        };
        let (since, (mut pause, longest)) = (Instant::now(), PAUSES);
        loop {
            let mut tx = db.begin().await?;
            let told = match claim(&mut tx, name, self.started.load(Ordering::Acquire)).await? {
                Claim::Ours => return Ok(ControlFlow::Continue(Tx { inner: tx, once: self })),
                Claim::Answered(answer) => Some(Told::Again(answer)),
                Claim::Reused => Some(Told::Refused(KeyRefusal::Reused)),
                Claim::Locked if since.elapsed() < PATIENCE => None,
                Claim::Started | Claim::Locked => Some(Told::Refused(KeyRefusal::InFlight)),
            };
            tx.rollback().await?;
            if let Some(told) = told {
                return Ok(ControlFlow::Break(told));
            }
            tokio::time::sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }

    fn answer(&self, value: &T) -> sqlx::Result<Answer> {
        (self.tell)(value).map_err(|error| sqlx::Error::Encode(error.into()))
    }
}

impl<T> std::fmt::Debug for Once<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Once").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How a key is found.
enum Claim {
    /// New, or left behind, or started by this very call; and locked by it now.
    Ours,
    /// Told before.
    Answered(Answer),
    /// For another request.
    Reused,
    /// Started by another call, which has it still.
    Started,
    /// Locked by another call.
    Locked,
}

async fn claim(connection: &mut MySqlConnection, name: &Name, started: bool) -> sqlx::Result<Claim> {
    let row = match store::lock(connection, name).await {
        Ok(Some(row)) => row,
        Ok(None) if store::insert(connection, name).await? => return Ok(Claim::Ours),
        Ok(None) => return Ok(Claim::Locked),
        Err(error) if db::is_locked(&error) => return Ok(Claim::Locked),
        Err(error) => return Err(error),
    };
    if row.is_over {
        store::renew(connection, name).await?;
        return Ok(Claim::Ours);
    }
    if row.fingerprint != name.fingerprint {
        return Ok(Claim::Reused);
    }
    match (row.status.and_then(|status| StatusCode::from_u16(status).ok()), row.body) {
        (Some(status), Some(body)) => Ok(Claim::Answered(Answer { status, body: body.into() })),
        _ if row.is_leased && !started => Ok(Claim::Started),
        _ => Ok(Claim::Ours),
    }
}

/// A transaction that does something once. Dropped, it is rolled back, and its key is as it was.
#[derive(Debug)]
pub struct Tx<'o, T> {
    inner: sqlx::Transaction<'static, MySql>,
    once: &'o Once<'o, T>,
}

impl<T> Tx<'_, T> {
    /// Commits what was done, with how it is told.
    pub async fn commit(mut self, value: T) -> sqlx::Result<Told<T>> {
        let answer = self.once.answer(&value)?;
        if let Some(name) = &self.once.name {
            store::answer(&mut self.inner, name, &answer).await?;
        }
        db::commit(self.inner).await?;
        Ok(Told::Done(value, answer))
    }

    /// Undoes what was done, so that the same [`Once`] may begin anew.
    pub async fn rollback(self) -> sqlx::Result<()> {
        self.inner.rollback().await
    }

    /// Commits a first part, after which the same [`Once`] goes on: with another [`run`](Once::run), or by telling how
    /// it [ended](Once::conclude).
    pub async fn commit_started(mut self) -> sqlx::Result<()> {
        if let Some(name) = &self.once.name {
            store::lease(&mut self.inner, name).await?;
        }
        db::commit(self.inner).await?;
        self.once.started.store(true, Ordering::Release);
        Ok(())
    }

    /// Commits what a refusal has changed. It isn't kept, so the key is free again.
    pub async fn commit_refused(mut self) -> sqlx::Result<()> {
        if let Some(name) = &self.once.name {
            store::delete(&mut self.inner, name).await?;
        }
        db::commit(self.inner).await
    }
}

impl<T> Deref for Tx<'_, T> {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        &self.inner
    }
}

impl<T> DerefMut for Tx<'_, T> {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        &mut self.inner
    }
}

/// Forgets at most `limit` keys whose day is over. Answers whether there was anything to do.
pub async fn forget_once(db: &MySqlPool, limit: u32) -> sqlx::Result<bool> {
    db::retry(|| store::purge(db, limit)).await.map(|forgotten| forgotten > 0)
}

/// The job that forgets keys, for services that take them.
pub fn forgetting(db: MySqlPool) -> impl FnOnce(Shift) -> Job {
    let forget = async |db: MySqlPool| forget_once(&db, AT_A_TIME).await;
    move |shift| Box::pin(jobs::every(TIDYING, "forget idempotency keys", shift, move || forget(db.clone())))
}
