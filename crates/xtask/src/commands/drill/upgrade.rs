//! A release comes and goes again under load: its migration first, then its services one replica at a time; then the
//! services of before, on the schema of after.
//!
//! There is only one build here, so both releases are the same programs. What the rehearsal has of a later release is
//! what the old one has to live with: its schema and its history.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::sleep;

use super::customers::Crowd;
use super::protocol::Protocol;
use super::site::{Site, services};
use crate::build::MIGRATE;
use crate::process::said;

/// What a later release's migration does first: it only adds, and waits for others no longer than `migrate` does.
const EXPAND: &str = "
    set session lock_wait_timeout = 3, innodb_lock_wait_timeout = 3;
    alter table bookings add column drill_note varchar(40) null;
    insert into _sqlx_migrations (version, description, success, checksum, execution_time)
    values (20991231000000, 'column bookings drill note', true, unhex(sha2('drill', 384)), 0);";

/// What the server says when it waited for others in vain.
const TIMED_OUT: &str = "ERROR 1205 ";

/// How often it is tried, and how long others may go on in between: as `migrate` does it.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_secs(2);

pub(super) async fn rehearse(site: &mut Site<'_>, crowd: &mut Crowd, protocol: &mut Protocol) -> Result<()> {
    protocol.begin("A release comes, and goes again, under load");
    let services = services();
    let come_and_go = async {
        protocol
            .step("migrate: a column more, as a later release adds it", async {
                let attempts = expand(site).await?;
                Ok(((), format!("while the old release serves, at attempt {attempts}")))
            })
            .await?;
        for step in ["upgrade: restart service by service", "roll back: restart service by service"] {
            protocol.step(step, async { Ok(((), format!("{} restarts", site.roll(&services).await?))) }).await?;
        }
        Ok(())
    };
    let ((), seen) = crowd.during(Box::pin(come_and_go)).await?;
    protocol.fact("no request was lost", seen.lost == 0, seen.told());
    protocol
        .step("the older migrate meets the newer schema", async {
            let mut migrate = site.launcher.program(MIGRATE);
            migrate.envs(site.owner().environment());
            said(migrate).await.context("it refuses a schema newer than itself")?;
            let column = "select count(*) from information_schema.columns where column_name = 'drill_note'";
            ensure!(site.console.value(column).await? == "1", "it took the newer column away");
            Ok(((), "it changes nothing, and succeeds".to_owned()))
        })
        .await?;
    let recount = crowd.recount().await;
    protocol.fact("every acknowledged booking and payment is there", recount.missing.is_empty(), recount.told());
    Ok(())
}

/// Migrates, and tells at which attempt.
async fn expand(site: &Site<'_>) -> Result<usize> {
    for attempt in 1..=ATTEMPTS {
        match site.console.run(EXPAND).await {
            Ok(()) => return Ok(attempt),
            Err(error) if error.to_string().contains(TIMED_OUT) => sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
    bail!("others were in the way at {ATTEMPTS} attempts")
}
