//! A backup of the running database, and the way back: the dump, and what the binary log has beyond it.
//!
//! The traps: a dump knows no users, and the numbers that rows get are part of it. So after a restore that lost rows, the
//! numbers the lost ones had would be given away anew, to accounts for which sessions are about: see [`leave_a_gap`].

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::site::Site;
use crate::process::said;
use crate::servers::DATABASE_NAME;

/// How many numbers are left out after a loss.
const GAP: u32 = 1_000_000;

/// A dump, and where the binary log stood then.
pub(super) struct Dump {
    file: PathBuf,
    log: String,
    position: u64,
    /// When it was begun: what was acknowledged before is in it.
    pub(super) begun: Instant,
}

impl Dump {
    /// Dumps the database as it is in one moment, while everybody goes on.
    pub(super) async fn take(site: &Site<'_>) -> Result<(Self, String)> {
        let (file, begun) = (site.file("dump.sql"), Instant::now());
        let mut dump = site.console.program(&["mariadb-dump"])?;
        dump.args(["--single-transaction", "--master-data=2", "--hex-blob", "--result-file"])
            .arg(&file)
            .arg(DATABASE_NAME);
        said(dump).await?;
        let text = fs::read(&file).with_context(|| format!("{} can't be read", file.display()))?;
        let (log, position) = told_position(&String::from_utf8_lossy(&text))
            .context("the dump doesn't tell where the binary log stood")?;
        let saw = format!("{:.1} MB; {log} at {position}", mega(text.len() as u64));
        Ok((Self { file, log, position, begun }, saw))
    }

    /// Loads it into a new database.
    pub(super) async fn load(&self, site: &Site<'_>) -> Result<((), String)> {
        site.console.feed(&self.file).await?;
        let bookings = site.console.value("select count(*) from bookings").await?;
        Ok(((), format!("{bookings} bookings")))
    }

    /// Does everything again that the lost database's binary log has beyond the dump.
    pub(super) async fn replay(&self, site: &Site<'_>) -> Result<((), String)> {
        let files = site.lost_log()?;
        let beyond: Vec<_> =
            files.iter().filter(|file| file.file_name().is_some_and(|name| *name >= *self.log)).collect();
        ensure!(!beyond.is_empty(), "{} is gone", self.log);
        let rest = site.file("rest.sql");
        let mut tool = site.console.program(&["mariadb-binlog"])?;
        tool.arg(format!("--start-position={}", self.position)).arg(format!("--database={DATABASE_NAME}"));
        tool.arg("--result-file").arg(&rest).args(&beyond);
        said(tool).await?;
        site.console.feed(&rest).await?;
        let bookings = site.console.value("select count(*) from bookings").await?;
        Ok(((), format!("{:.1} MB of statements; {bookings} bookings", mega(fs::metadata(&rest)?.len()))))
    }
}

/// Leaves out numbers that lost rows may have had, in every table that numbers its rows.
pub(super) async fn leave_a_gap(site: &Site<'_>) -> Result<((), String)> {
    let wanted = format!(
        "select concat('alter table ', table_name, ' auto_increment = ', auto_increment + {GAP}, ';')
         from information_schema.tables where table_schema = database() and auto_increment is not null"
    );
    let statements = site.console.rows(&wanted).await?.concat();
    site.console.run(&statements.concat()).await?;
    Ok(((), format!("{} tables, {GAP} numbers each", statements.len())))
}

/// The file and the position that a dump begins with.
fn told_position(dump: &str) -> Option<(String, u64)> {
    let line = dump.lines().find(|line| line.contains("MASTER_LOG_POS="))?;
    let log = line.split("MASTER_LOG_FILE='").nth(1)?.split('\'').next()?;
    let position = line.split("MASTER_LOG_POS=").nth(1)?.trim_end_matches(';');
    Some((log.to_owned(), position.parse().ok()?))
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_of_a_dump_is_read() {
        let dump = "-- MariaDB dump\n-- CHANGE MASTER TO MASTER_LOG_FILE='binlog.000001', MASTER_LOG_POS=4711;\nCREATE";
        assert_eq!(told_position(dump), Some(("binlog.000001".to_owned(), 4711)));
        assert_eq!(told_position("-- MariaDB dump\n"), None);
    }
}
