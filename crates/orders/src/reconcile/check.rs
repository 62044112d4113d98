//! What a check is made of: suspects that a query finds, and the look under lock that convicts or acquits each.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::db;
use common::events;
use serde::Serialize;
use sqlx::{MySql, Transaction};

use super::{Receipts, Scope};
use crate::Orders;

/// How many suspects are looked at together.
pub(super) const PAGE: u32 = 100;

/// Something that must be true, and what is done where it isn't.
#[derive(Debug)]
pub struct Check {
    /// Its name in reports and metrics.
    pub code: &'static str,
    /// What a finding of it means.
    pub means: &'static str,
    /// What heals it, where something does.
    pub heals: Option<&'static str>,
    /// What a person does about one that stays open.
    pub to_do: &'static str,
    pub(super) make: Make,
}

type Make = for<'a> fn(&'a Audit<'a>) -> Pin<Box<dyn Future<Output = sqlx::Result<Vec<Finding>>> + Send + 'a>>;

impl Check {
    /// The check that looks at suspects of type `S`.
    pub(super) const fn of<S: Suspect + 'static>() -> Self {
        let Rule { code, means, heals, to_do } = S::RULE;
        Self { code, means, heals, to_do, make: |audit| Box::pin(audit.walk::<S>()) }
    }
}

/// What is said of a check.
pub(super) struct Rule {
    pub(super) code: &'static str,
    pub(super) means: &'static str,
    pub(super) heals: Option<&'static str>,
    pub(super) to_do: &'static str,
}

/// Something that looks wrong, as a plain read sees it.
pub(super) trait Suspect: Sized + Send + Sync {
    /// What a page goes on after; its default comes before all.
    type Key: Default + Send + Sync;

    const RULE: Rule;

    /// The next page of suspects, in the order of their keys.
    fn find(audit: &Audit<'_>, after: &Self::Key) -> impl Future<Output = sqlx::Result<Vec<Self>>> + Send;

    fn key(&self) -> Self::Key;

    /// Looks again, under lock, and heals what it can. `None`: there is nothing wrong.
    fn settle(&self, audit: &Audit<'_>) -> impl Future<Output = sqlx::Result<Option<Found>>> + Send;
}

/// What a suspect turned out to be.
#[derive(Debug)]
pub(super) struct Found {
    subject: &'static str,
    id: String,
    what: String,
    state: State,
    /// The schedule whose searches show something else now.
    pub(super) reseated: Option<i64>,
}

impl Found {
    /// Something wrong with the `subject` numbered `id`. Open, until it is healed.
    pub(super) fn new(subject: &'static str, id: &impl ToString, what: String) -> Self {
        Self { subject, id: id.to_string(), what, state: State::Open, reseated: None }
    }

    /// The same, after which searches of a schedule show other seats.
    pub(super) fn reseating(self, schedule_id: i64) -> Self {
        Self { reseated: Some(schedule_id), ..self }
    }

    /// The same, healed, or only said to be healable.
    pub(super) fn healed(self, is_healed: bool) -> Self {
        Self { state: if is_healed { State::Healed } else { State::Healable }, ..self }
    }
}

/// What became of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is set right.
    Healed,
    /// It would be, by a run that may.
    Healable,
    /// A person has to look.
    Open,
}

/// Something that is, or was, wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check found it.
    pub check: &'static str,
    /// What kind of thing it is about.
    pub subject: &'static str,
    /// Which one.
    pub id: String,
    /// What is wrong, in numbers.
    pub what: String,
    /// What became of it.
    pub state: State,
    /// What a person does about it, while it is open.
    pub to_do: Option<&'static str>,
}

/// A round at work.
pub(super) struct Audit<'a> {
    pub(super) orders: &'a Orders,
    pub(super) scope: Scope,
    pub(super) memo: &'a Mutex<Memo>,
    pub(super) tell: &'a (dyn Fn(usize) + Send + Sync),
}

/// What a round keeps between its checks.
#[derive(Debug, Default)]
pub(super) struct Memo {
    pub(super) receipts: Receipts,
    /// How often in a row the provider gave no answer.
    pub(super) silences: u32,
}

impl Audit<'_> {
    async fn walk<S: Suspect>(&self) -> sqlx::Result<Vec<Finding>> {
        let Rule { code, to_do, .. } = S::RULE;
        let (mut findings, mut after, mut seen) = (Vec::new(), S::Key::default(), 0);
        loop {
            let page = S::find(self, &after).await?;
            let Some(last) = page.last() else { return Ok(findings) };
            after = last.key();
            for suspect in &page {
                let Some(found) = suspect.settle(self).await? else { continue };
                if let Some(schedule_id) = found.reseated.filter(|_| found.state == State::Healed) {
                    self.orders.seats_changed(schedule_id).await;
                }
                let Found { subject, id, what, state, .. } = found;
                let to_do = match state {
                    State::Healed => None,
                    State::Healable => Some("Run it again without --dry-run."),
                    State::Open => Some(to_do),
                };
                findings.push(Finding { check: code, subject, id, what, state, to_do });
            }
            seen += page.len();
            (self.tell)(seen);
        }
    }

    /// Whether there is more than what is still to be flown, or was touched lately, to look at.
    pub(super) fn is_thorough(&self) -> bool {
        self.scope.is_thorough || self.scope.schedule_id.is_some()
    }

    /// A transaction to look again in.
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction<'static, MySql>> {
        self.orders.db.begin().await
    }

    /// A connection to read with.
    pub(super) async fn connection(&self) -> sqlx::Result<sqlx::pool::PoolConnection<MySql>> {
        self.orders.db.acquire().await
    }

    /// Commits what heals; a run that may only look takes it back.
    pub(super) async fn heal(&self, tx: Transaction<'_, MySql>, found: Found) -> sqlx::Result<Option<Found>> {
        if self.scope.heals {
            db::commit(tx).await?;
        } else {
            take_back(tx).await?;
        }
        Ok(Some(found.healed(self.scope.heals)))
    }

    pub(super) fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Undoes a transaction that failed at nothing, and what it recorded.
pub(super) async fn take_back(tx: Transaction<'_, MySql>) -> sqlx::Result<()> {
    events::take_back();
    tx.rollback().await
}
