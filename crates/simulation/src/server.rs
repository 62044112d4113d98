//! What the database server tells of its threads, on a line of our own that nobody conducts: who waits for a lock, and who
//! is still there.

use std::collections::BTreeSet;

use anyhow::Result;
use sqlx::{MySqlPool, Row as _};

/// The server that all processes work on.
#[derive(Debug)]
pub(crate) struct Server(MySqlPool);

impl Server {
    /// Over a line of our own.
    pub(crate) fn new(line: MySqlPool) -> Self {
        Self(line)
    }

    /// The threads that wait for a lock.
    pub(crate) async fn waiting(&self) -> Result<BTreeSet<u32>> {
        let status = sqlx::query("show engine innodb status").fetch_one(&self.0).await?;
        Ok(waiting_threads(&status.try_get::<String, _>("Status")?))
    }

    /// All threads.
    pub(crate) async fn threads(&self) -> Result<Vec<u64>> {
        let threads = sqlx::query_scalar("select cast(id as unsigned) from information_schema.processlist");
        Ok(threads.fetch_all(&self.0).await?)
    }
}

/// The threads that wait for a lock, read from the server's report. It also marks those as waiting that have their lock
/// and haven't woken up yet; for which lock one waits it tells only of the others.
fn waiting_threads(status: &str) -> BTreeSet<u32> {
    let transactions = status.split("---TRANSACTION").skip(1);
    let waiting = transactions.filter(|transaction| transaction.contains("TRX HAS BEEN WAITING"));
    let thread = |transaction: &str| {
        let number = transaction.split_once("thread id ")?.1;
        number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    waiting.filter_map(thread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_who_waits_from_either_servers_report() {
        let status = "TRANSACTIONS\n---TRANSACTION 421, not started\n0 lock struct(s)\n\
                      ---TRANSACTION 77, ACTIVE 0 sec starting index read\nmysql tables in use 1, locked 1\n\
                      LOCK WAIT 2 lock struct(s), heap size 1128\nMariaDB thread id 12, OS thread handle 1, query id 3\n\
                      ------- TRX HAS BEEN WAITING 12 ns FOR THIS LOCK TO BE GRANTED:\n\
                      ---TRANSACTION 78, ACTIVE 0 sec\nLOCK WAIT 1 lock struct(s)\nMySQL thread id 13, OS thread handle 1\n\
                      ---TRANSACTION 79, ACTIVE 1 sec\nLOCK WAIT 1 lock struct(s)\nMySQL thread id 14, query id 8\n\
                      ------- TRX HAS BEEN WAITING 3 SEC FOR THIS LOCK TO BE GRANTED:\n";
        assert_eq!(waiting_threads(status), BTreeSet::from([12, 14]));
    }
}
