//! What is sold, and who buys: flights with more seats than a run can sell, and people who may hold them unpaid.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use common::auth::{Role, Tokens};
use common::clock::Clock;
use common::config::Database;
use common::db;
use secrecy::SecretString;
use sqlx::{MySqlPool, QueryBuilder};
use uuid::Uuid;

/// Over how many flights sales are spread.
const FLIGHTS: usize = 64;

/// How many people buy. Each may hold twenty unpaid seats of one flight.
const BUYERS: usize = 20_000;

/// What a seat costs.
pub(crate) const PRICE: i64 = 320_000;

/// How many seats a flight has, as good as endless.
const SEATS: i64 = 1_000_000;

/// Somebody who books.
#[derive(Debug)]
pub(crate) struct Buyer {
    pub(crate) user_id: i64,
    /// Their session.
    pub(crate) token: String,
}

/// The flights and the buyers, in a database.
pub(crate) struct Stage {
    pub(crate) db: MySqlPool,
    /// How to reach it without our pool.
    pub(crate) database: Database,
    schedules: Vec<i64>,
    buyers: Vec<Buyer>,
}

/// One sale to be made: who buys on which schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sale<'a> {
    pub(crate) schedule_id: i64,
    pub(crate) buyer: &'a Buyer,
}

/// An endless row of sales, on one flight or on many.
pub(crate) struct Sales<'a> {
    schedules: &'a [i64],
    buyers: &'a [Buyer],
    next: AtomicUsize,
}

impl Stage {
    /// Puts flights and buyers into the database.
    pub(crate) async fn set(database: &Database, key: &SecretString) -> Result<Self> {
        let db = MySqlPool::connect_with(db::options(database)).await.context("the database does not answer")?;
        let run = Uuid::new_v4().simple().to_string();
        let schedules = flights(&db).await.context("flights can't be made")?;
        let tokens = Tokens::new(key, Clock::system());
        let mut buyers = Vec::new();
        for user_id in people(&db, &run).await.context("people can't be made")? {
            let token = tokens.issue(user_id, Role::User).ok().context("a token can't be signed")?;
            buyers.push(Buyer { user_id, token: format!("Bearer {token}") });
        }
        Ok(Self { db, database: database.clone(), schedules, buyers })
    }

    /// How many deadlocks the database has had.
    pub(crate) async fn deadlocks(&self) -> Result<i64> {
        let metric =
            "select cast(count as signed) from information_schema.innodb_metrics where name = 'lock_deadlocks'";
        Ok(sqlx::query_scalar(metric).fetch_one(&self.db).await?)
    }

    /// How many bookings the stage's flights have.
    pub(crate) async fn bookings(&self) -> Result<i64> {
        let mut count = QueryBuilder::new("select count(*) from bookings where schedule_id in (");
        let mut ids = count.separated(", ");
        for id in &self.schedules {
            ids.push_bind(*id);
        }
        count.push(")");
        Ok(count.build_query_scalar().fetch_one(&self.db).await?)
    }
}

async fn flights(db: &MySqlPool) -> sqlx::Result<Vec<i64>> {
    let mut schedules = Vec::new();
    for n in 0..FLIGHTS {
        let flight_id = format!("BN{n:03}");
        sqlx::query(
            "insert into flights (flight_id, departure_airport, arrival_airport, departure_time, arrival_time, duration,
                 aircraft, base_price, total_seats)
             values (?, 'ICN', 'NRT', '10:00', '12:30', '2h 30m', 'Boeing 737-800', ?, ?)",
        )
        .bind(&flight_id)
        .bind(PRICE)
        .bind(SEATS)
        .execute(db)
        .await?;
        let done = sqlx::query(
            "insert into flight_schedules (flight_id, flight_date, current_price, available_seats)
             values (?, current_date + interval 30 day, ?, ?)",
        )
        .bind(&flight_id)
        .bind(PRICE)
        .bind(SEATS)
        .execute(db)
        .await?;
        schedules.push(i64::try_from(done.last_insert_id()).unwrap_or_default());
    }
    Ok(schedules)
}

async fn people(db: &MySqlPool, run: &str) -> sqlx::Result<Vec<i64>> {
    let numbers: Vec<usize> = (0..BUYERS).collect();
    for numbers in numbers.chunks(1_000) {
        let mut insert = QueryBuilder::new("insert into users (name, email, password_hash, phone) ");
        insert.push_values(numbers, |mut row, n| {
            row.push_bind("김승객")
                .push_bind(format!("{n}.{run}@example.com"))
                .push_bind("!")
                .push_bind("010-1234-5678");
        });
        insert.build().execute(db).await?;
    }
    let theirs = format!("%.{run}@example.com");
    sqlx::query_scalar("select user_id from users where email like ? order by user_id").bind(theirs).fetch_all(db).await
}

impl<'a> Sales<'a> {
    /// All on one flight: they stand in line for its row.
    pub(crate) fn hot(stage: &'a Stage) -> Self {
        Self { schedules: &stage.schedules[..1], buyers: &stage.buyers, next: AtomicUsize::new(0) }
    }

    /// On many flights, in turn.
    pub(crate) fn spread(stage: &'a Stage) -> Self {
        Self { schedules: &stage.schedules[1..], buyers: &stage.buyers, next: AtomicUsize::new(0) }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> String {
        match self.schedules.len() {
            1 => "one hot flight".to_owned(),
            many => format!("{many} flights"),
        }
    }

    /// The next sale.
    pub(crate) fn next(&self) -> Sale<'a> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        Sale { schedule_id: self.schedules[n % self.schedules.len()], buyer: &self.buyers[n % self.buyers.len()] }
    }
}
