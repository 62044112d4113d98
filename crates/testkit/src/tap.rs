//! A tap on the line between a service and its database: it understands what the service asks for, and stops it at a
//! step of a test's choosing, so that the service can be killed there or the answer be lost.
//!
//! A step is whatever can make a difference: every statement of a transaction, and every write outside of one. Reading
//! is none, so jobs that find nothing to do don't count.
#![expect(clippy::missing_panics_doc, reason = "a test without its line has nothing to say")]

use std::io;

use common::db;
use sqlx::MySqlPool;
use sqlx::mysql::MySqlConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::NearEnd;
use crate::protocol::{Statements, greet, packet};

/// On which side of a step a service is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The database doesn't hear of it.
    Before,
    /// It is done, and the service doesn't hear of that.
    After,
}

/// At which step a service is stopped; they are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At the n-th of all.
    Step(usize),
    /// At the n-th that lasts: a commit, or a write that is a transaction of its own.
    Lasting(usize),
}

/// A tapped line to a database. It is cut when dropped.
#[derive(Debug)]
pub struct Tap {
    end: NearEnd,
    line: watch::Sender<Line>,
}

/// What has gone through since it was last told where to stop.
#[derive(Debug, Default)]
struct Line {
    stop: Option<(Moment, At)>,
    steps: usize,
    lasting: usize,
    /// Somebody came to the step, and is stopped as soon as it is done, or isn't.
    reached: bool,
    /// The statement it has stopped at.
    stopped: Option<String>,
}

impl Tap {
    /// A tapped line to the server of `database`, on which nothing is stopped yet.
    pub async fn to_database(database: &MySqlConnectOptions) -> Self {
        let line = watch::Sender::new(Line::default());
        let tapped = line.clone();
        let end = NearEnd::of(database, move |near, far| carry(near, far, tapped.clone())).await.expect("a port");
        Self { end, line }
    }

    /// Where its near end is, on this machine.
    pub fn port(&self) -> u16 {
        self.end.port()
    }

    /// A pool of ours, of up to `connections`, at its end.
    pub fn pool(&self, database: MySqlConnectOptions, connections: u32) -> MySqlPool {
        db::pool_options().max_connections(connections).connect_lazy_with(self.end.reach(database))
    }

    /// Counts anew, and stops whoever comes to this step.
    pub fn stop(&self, moment: Moment, at: At) {
        self.line.send_replace(Line { stop: Some((moment, at)), ..Line::default() });
    }

    /// Waits until somebody was stopped; answers at which statement.
    pub async fn stopped(&self) -> String {
        let mut line = self.line.subscribe();
        let line = line.wait_for(|line| line.stopped.is_some()).await.expect("it lives as long as this");
        line.stopped.clone().unwrap_or_default()
    }

    /// At which statement somebody was stopped or is about to be; `None` where nobody has come that far.
    pub async fn stopped_by_now(&self) -> Option<String> {
        let reached = self.line.borrow().reached;
        if reached { Some(self.stopped().await) } else { None }
    }

    /// Breaks off the connection that was stopped, and stops nobody any more.
    pub fn break_off(&self) {
        self.line.send_replace(Line::default());
    }
}

/// Carries one connection until one side ends it, or it is stopped and broken off.
async fn carry(mut near: TcpStream, mut far: TcpStream, line: watch::Sender<Line>) -> io::Result<()> {
    for end in [&near, &far] {
        // What is dropped is reset.
        end.set_zero_linger()?;
    }
    greet(&mut near, &mut far).await?;
    let ((mut asks, mut hears), (mut answers, mut is_asked)) = (near.split(), far.split());
    let (mut asked, mut answered, mut framed, mut talk) = (Vec::new(), Vec::new(), Vec::new(), Talk::default());
    loop {
        tokio::select! {
            read = asks.read_buf(&mut asked) => {
                if read? == 0 {
                    return Ok(());
                }
                while let Some(packet) = packet(&mut asked) {
                    let step = talk.asked(&packet);
                    let stop = step.as_ref().and_then(|step| count(&line, step));
                    if stop != Some(Moment::Before) {
                        is_asked.write_all(&packet).await?;
                    }
                    if stop == Some(Moment::After) {
                        answers.peek(&mut [0]).await?;
                    }
                    if let (Some(_), Some(step)) = (stop, step) {
                        line.send_modify(|line| line.stopped = Some(step.statement));
                        let _ = line.subscribe().wait_for(|line| line.stopped.is_none()).await;
                        return Ok(());
                    }
                }
            }
            read = answers.read_buf(&mut answered) => {
                if read? == 0 {
                    return Ok(());
                }
                framed.extend_from_slice(&answered);
                while let Some(packet) = packet(&mut framed) {
                    talk.statements.answered(&packet);
                }
                hears.write_all(&answered).await?;
                answered.clear();
            }
        }
    }
}

/// Counts a step, and answers whether it is the one to stop at.
fn count(line: &watch::Sender<Line>, step: &Step) -> Option<Moment> {
    let mut here = None;
    line.send_if_modified(|line| {
        line.steps += 1;
        line.lasting += usize::from(step.lasts);
        here = line.stop.filter(|(_, at)| match at {
            At::Step(n) => line.steps == *n,
            At::Lasting(n) => step.lasts && line.lasting == *n,
        });
        line.reached |= here.is_some();
        false
    });
    here.map(|(moment, _)| moment)
}

/// Something that can make a difference.
#[derive(Debug)]
struct Step {
    statement: String,
    /// It is there for good once it is done.
    lasts: bool,
}

/// What is known of a connection from what was said on it.
#[derive(Debug, Default)]
struct Talk {
    in_transaction: bool,
    statements: Statements,
}

impl Talk {
    /// Understands a packet of the client's.
    fn asked(&mut self, packet: &[u8]) -> Option<Step> {
        let statement = self.statements.asked(packet)?;
        self.step(statement)
    }

    fn step(&mut self, statement: String) -> Option<Step> {
        let word = statement.split_whitespace().next().unwrap_or_default().to_lowercase();
        let was_in_transaction = self.in_transaction;
        let (counts, lasts) = match word.as_str() {
            "begin" => (true, false),
            "commit" => (true, true),
            "rollback" => (false, false),
            "insert" | "update" | "delete" | "replace" => (true, !was_in_transaction),
            _ => (was_in_transaction, false),
        };
        self.in_transaction = word == "begin" || was_in_transaction && !matches!(word.as_str(), "commit" | "rollback");
        counts.then_some(Step { statement, lasts })
    }
}

#[cfg(test)]
mod tests {
    use sqlx::mysql::MySqlPoolOptions;

    use super::*;

    #[sqlx::test(migrations = false)]
    async fn stops_where_it_is_told_to(_: MySqlPoolOptions, database: MySqlConnectOptions) {
        let direct = MySqlPool::connect_lazy_with(database.clone());
        sqlx::query("create table counts (n int not null)").execute(&direct).await.unwrap();
        let tap = Tap::to_database(&database).await;
        let tapped = tap.pool(database, 1);
        let work = async || {
            sqlx::query("select n from counts where n > ?").bind(0).execute(&tapped).await?;
            sqlx::query("insert into counts values (?)").bind(1).execute(&tapped).await?;
            let mut tx = tapped.begin().await?;
            sqlx::query("insert into counts values (?)").bind(1).execute(&mut *tx).await?;
            db::commit(tx).await
        };
        let (insert, begin, commit) = ("insert into counts values (?)", "BEGIN", "COMMIT");
        for (moment, at, statement, kept) in [
            (Moment::Before, At::Step(1), insert, 0),
            (Moment::After, At::Step(1), insert, 1),
            (Moment::After, At::Step(2), begin, 1),
            (Moment::Before, At::Step(4), commit, 1),
            (Moment::Before, At::Lasting(2), commit, 1),
            (Moment::After, At::Lasting(2), commit, 2),
        ] {
            tap.stop(moment, at);
            let (worked, stopped) = tokio::join!(work(), async {
                let stopped = tap.stopped().await;
                tap.break_off();
                stopped
            });
            assert_eq!(stopped, statement);
            let error = worked.unwrap_err();
            assert_eq!(db::is_outcome_unknown(&error), statement == commit, "{error}");
            let all: i64 = sqlx::query_scalar("select count(*) from counts").fetch_one(&direct).await.unwrap();
            assert_eq!(all, kept, "{moment:?} {at:?}");
            sqlx::query("delete from counts").execute(&direct).await.unwrap();
        }
        work().await.unwrap();
    }
}
