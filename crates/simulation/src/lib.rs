//! A seeded, deterministic exploration of the whole flow over the real SQL.
//!
//! A seed stands for a [plan](plan): who does what, in what company, how the provider behaves, when time passes, and where
//! a process dies. Every statement and every call that moves money waits for its turn, and the seed says whose turn it is.
//! Afterwards what must hold is [asked for](rules) in the tables and in the provider's own ledger.
//!
//! Where to find what: `plan`, and `run`, which carries it out; `town`, who asks what, and `jobs`, what the system does by
//! itself; `conductor`, whose turn it is of those who wait on a `wire` to the database or at the door of the `provider`;
//! `process`, what dies; `rules`, what must hold.
//!
//! The one trap is to believe a simulation that has never found anything. So [faults] are planted, and each must be found.
//! See docs/simulation.md.

mod calls;
mod conductor;
pub mod faults;
mod figures;
mod jobs;
mod plan;
mod process;
mod provider;
pub mod rules;
mod run;
mod server;
mod statement;
mod story;
mod town;
mod wire;

use anyhow::{Context as _, Result};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, MySqlPool};

use crate::faults::{Fault, Planted};
pub use crate::figures::Figures;
use crate::plan::Plan;
pub use crate::rules::Broken;
use crate::run::Run;

/// How many shorter plans are tried to make a story short.
const TRIES: usize = 60;

/// A database in which seeds are run, one after the other.
#[derive(Debug)]
pub struct Simulation {
    database: MySqlConnectOptions,
    db: MySqlPool,
    planted: Planted,
}

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What was broken, if anything was.
    pub broken: Option<Broken>,
    /// What happened, step by step.
    pub story: Vec<String>,
    /// The same, with every statement.
    pub whole_story: Vec<String>,
    /// The same for the same story.
    pub hash: String,
    /// How much of what there was in it.
    pub figures: Figures,
}

impl Simulation {
    /// In a migrated database that nobody else uses, with a fault planted in it or none.
    pub async fn new(database: MySqlConnectOptions, fault: Option<&'static Fault>) -> Result<Self> {
        let database = database.disable_statement_logging();
        let db = MySqlPoolOptions::new().max_connections(2).connect_with(database.clone()).await?;
        for change in fault.into_iter().flat_map(|fault| fault.schema) {
            sqlx::query(*change).execute(&db).await.context("a fault that can't be planted any more")?;
        }
        Ok(Self { database, db, planted: Planted::new(fault) })
    }

    /// Runs a seed.
    pub async fn run(&self, seed: u64) -> Result<Outcome> {
        self.carry_out(&Plan::of(seed)).await
    }

    /// Looks for a shorter story that breaks the same rule as `outcome` does.
    pub async fn shorten(&self, outcome: Outcome) -> Result<Outcome> {
        let Some(rule) = outcome.broken.as_ref().map(|broken| broken.rule) else { return Ok(outcome) };
        let (mut plan, mut best) = (Plan::of(outcome.seed), outcome);
        let (mut at_once, mut tries) = (plan.bursts.len() / 2, 0);
        while at_once > 0 {
            let mut from = 0;
            while from < plan.bursts.len() && tries < TRIES {
                tries += 1;
                let shorter = plan.without(from, at_once);
                let outcome = self.carry_out(&shorter).await?;
                if outcome.broken.as_ref().is_some_and(|broken| broken.rule == rule) {
                    (plan, best) = (shorter, outcome);
                } else {
                    from += at_once;
                }
            }
            at_once /= 2;
        }
        Ok(best)
    }

    /// Whether the fault that is planted has changed anything.
    pub fn took_root(&self) -> bool {
        self.planted.took_root()
    }

    async fn carry_out(&self, plan: &Plan) -> Result<Outcome> {
        self.empty().await?;
        let run = Run::begin(&self.database, &self.db, &self.planted, plan.seed).await?;
        let (story, figures, broken) = run.carry_out(plan).await?;
        Ok(Outcome {
            seed: plan.seed,
            broken,
            story: story.lines(false),
            whole_story: story.lines(true),
            hash: story.hash(),
            figures: Figures { steps: plan.steps(), ..figures },
        })
    }

    /// Takes everything out that a run before has left.
    async fn empty(&self) -> Result<()> {
        let tables: Vec<String> = sqlx::query_scalar(
            "select table_name from information_schema.tables
             where table_schema = database() and table_type = 'BASE TABLE'
               and table_name not in ('_sqlx_migrations', 'refund_rules', 'refund_tiers', 'airports')",
        )
        .fetch_all(&self.db)
        .await?;
        let mut connection = self.db.acquire().await?;
        sqlx::query("set foreign_key_checks = 0").execute(&mut *connection).await?;
        for table in tables {
            sqlx::query(AssertSqlSafe(format!("truncate table `{table}`"))).execute(&mut *connection).await?;
        }
        sqlx::query("set foreign_key_checks = 1").execute(&mut *connection).await?;
        Ok(())
    }
}
