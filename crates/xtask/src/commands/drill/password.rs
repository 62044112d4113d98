//! The services' database password changes under load, service by service: by a second user, which every MySQL and MariaDB
//! knows. (MySQL 8 can also give one user two passwords.)
//!
//! The trap is the other order: a password that is changed first refuses every new connection of those who don't know it.

use anyhow::Result;

use super::customers::Crowd;
use super::protocol::Protocol;
use super::site::{Site, services};

/// The user that takes over.
const NEXT: &str = "cloudjet_rows_2";

pub(super) async fn rehearse(site: &mut Site<'_>, crowd: &mut Crowd, protocol: &mut Protocol) -> Result<()> {
    protocol.begin("The database password is rotated under load");
    let old = site.launcher.environment["DB_USER"].clone();
    let change = async {
        protocol
            .step("make a second user with the same rights", async {
                site.take_user(NEXT).await?;
                Ok(((), format!("{NEXT}: select, insert, update, delete")))
            })
            .await?;
        protocol
            .step("restart as that user, service by service", async {
                let restarts = site.roll(&services()).await?;
                Ok(((), format!("{restarts} restarts")))
            })
            .await?;
        let connections = format!("select count(*) from information_schema.processlist where user = '{old}'");
        let left = site.console.value(&connections).await?;
        protocol.fact("nobody uses the old user", left == "0", format!("{left} connections of it"));
        protocol
            .step("drop the old user", async {
                site.console.run(&format!("drop user '{old}'@'%'")).await?;
                Ok(((), String::new()))
            })
            .await
    };
    let ((), seen) = crowd.during(Box::pin(change)).await?;
    protocol.fact("no request was lost", seen.lost == 0, seen.told());
    Ok(())
}
