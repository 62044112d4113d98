//! The yardsticks: the statements of a booking and nothing else, by a plain blocking client and by a bare loop of sqlx.
//!
//! Each of their connections prepares a statement once and runs it again and again, as the service's do; each booking
//! reads all the rows it asks for.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use common::db;
use futures_util::TryStreamExt as _;
use futures_util::future::try_join_all;
use mysql::prelude::Queryable as _;
use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Either, Executor as _, MySqlConnection};

use crate::clock::Lap;
use crate::processes::Processes;
use crate::stage::{Sale, Sales, Stage};
use crate::statements::{Draft, Statement, Value};

/// A plain blocking client's turn: a thread for each connection.
pub(crate) fn blocking(
    stage: &Stage,
    statements: &[Statement],
    sales: &Sales<'_>,
    connections: u16,
    turn: Duration,
    processes: &Processes,
) -> Result<Lap> {
    let clients = (0..connections).map(|_| Blocking::connect(stage, statements)).collect::<Result<Vec<_>>>()?;
    let (before, started) = (processes.used(), Instant::now());
    let sold = thread::scope(|threads| {
        let sell = |mut client: Blocking| move || client.sell(sales, started + turn);
        let threads: Vec<_> = clients.into_iter().map(|client| threads.spawn(sell(client))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a client has panicked")?)
            .collect::<Result<Vec<_>>>()
    })?;
    Ok(Lap::new(sold.concat(), started.elapsed(), processes.used_since(&before)))
}

struct Blocking {
    connection: mysql::Conn,
    steps: Vec<Step<mysql::Statement>>,
}

/// A statement, as a client has it ready.
enum Step<P> {
    Control(&'static str),
    Run { prepared: P, known: usize, makes_booking: bool },
}

impl<P> Step<P> {
    fn prepare(statement: &Statement, prepare: impl FnOnce(&str) -> Result<P>) -> Result<Self> {
        Ok(match statement {
            Statement::Begin => Self::Control("begin"),
            Statement::Commit => Self::Control("commit"),
            Statement::Run { text, known } => {
                Self::Run { prepared: prepare(text)?, known: *known, makes_booking: statement.makes_booking() }
            }
        })
    }
}

impl Blocking {
    fn connect(stage: &Stage, statements: &[Statement]) -> Result<Self> {
        let database = &stage.database;
        let options = mysql::OptsBuilder::new()
            .ip_or_hostname(Some(&database.host))
            .tcp_port(database.port)
            .user(Some(&database.user))
            .pass(Some(database.password.expose_secret()))
            .db_name(Some(&database.name))
            .prefer_socket(false)
            .init(vec!["set session transaction isolation level read committed"]);
        let mut connection = mysql::Conn::new(options).context("the plain client can't connect")?;
        let steps =
            statements.iter().map(|s| Step::prepare(s, |text| Ok(connection.prep(text)?))).collect::<Result<_>>()?;
        Ok(Self { connection, steps })
    }

    fn sell(&mut self, sales: &Sales<'_>, end: Instant) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        loop {
            let asked = Instant::now();
            if asked >= end {
                return Ok(latencies);
            }
            self.book(sales.next()).context("the plain client can't book")?;
            latencies.push(asked.elapsed());
        }
    }

    fn book(&mut self, sale: Sale<'_>) -> mysql::Result<()> {
        let mut draft = Draft::of(sale);
        for step in &self.steps {
            match step {
                Step::Control(order) => self.connection.query_drop(order)?,
                Step::Run { prepared, known, makes_booking } => {
                    let values = Statement::values(*known, &draft).into_iter().map(mysql::Value::from).collect();
                    let _: Vec<mysql::Row> = self.connection.exec(prepared, mysql::Params::Positional(values))?;
                    if *makes_booking {
                        draft.booking_id = i64::try_from(self.connection.last_insert_id()).unwrap_or_default();
                    }
                }
            }
        }
        Ok(())
    }
}

impl From<Value> for mysql::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Int(number) => Self::Int(number),
            Value::Text(text) => Self::Bytes(text.into_bytes()),
            Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// A bare loop's turn: a task for each connection, on one thread as in the service.
pub(crate) async fn sqlx(
    stage: &Stage,
    statements: &[Statement],
    sales: &Sales<'_>,
    connections: u16,
    turn: Duration,
    processes: &Processes,
) -> Result<Lap> {
    let steps = statements.iter().map(|s| Step::prepare(s, |text| Ok(text.to_owned()))).collect::<Result<Vec<_>>>()?;
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut connection = db::options(&stage.database).connect().await.context("sqlx can't connect")?;
        db::prepare(&mut connection).await?;
        clients.push(connection);
    }
    let (before, started) = (processes.used(), Instant::now());
    let sold = try_join_all(clients.into_iter().map(|client| sell(client, &steps, sales, started + turn))).await?;
    Ok(Lap::new(sold.concat(), started.elapsed(), processes.used_since(&before)))
}

async fn sell(
    mut connection: MySqlConnection,
    steps: &[Step<String>],
    sales: &Sales<'_>,
    end: Instant,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    loop {
        let asked = Instant::now();
        if asked >= end {
            return Ok(latencies);
        }
        book(&mut connection, steps, sales.next()).await.context("the bare loop can't book")?;
        latencies.push(asked.elapsed());
    }
}

async fn book(connection: &mut MySqlConnection, steps: &[Step<String>], sale: Sale<'_>) -> sqlx::Result<()> {
    let mut draft = Draft::of(sale);
    for step in steps {
        match step {
            Step::Control(order) => {
                connection.execute(*order).await?;
            }
            Step::Run { prepared, known, makes_booking } => {
                let mut query = sqlx::query(AssertSqlSafe(prepared.as_str()));
                for value in Statement::values(*known, &draft) {
                    query = match value {
                        Value::Null => query.bind(None::<String>),
                        Value::Int(number) => query.bind(number),
                        Value::Text(text) => query.bind(text),
                        Value::Bytes(bytes) => query.bind(bytes),
                    };
                }
                let mut answers = connection.fetch_many(query);
                while let Some(answer) = answers.try_next().await? {
                    if let (Either::Left(done), true) = (answer, *makes_booking) {
                        draft.booking_id = i64::try_from(done.last_insert_id()).unwrap_or_default();
                    }
                }
            }
        }
    }
    Ok(())
}
