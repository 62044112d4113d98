//! Redis is killed under load, is away for a while, and comes back with nothing in it.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::customers::Crowd;
use super::protocol::Protocol;
use super::site::Site;
use crate::servers::redis;
use crate::stack::Stack;

/// How long customers travel with it, without it, and with it again.
const WHILE: Duration = Duration::from_secs(4);

pub(super) async fn rehearse(
    site: &mut Site<'_>,
    crowd: &mut Crowd,
    protocol: &mut Protocol,
    stack: &mut Stack,
) -> Result<()> {
    protocol.begin("Redis is lost under load, and starts empty");
    let lose_and_start = async {
        sleep(WHILE).await;
        protocol
            .step("kill -9, and leave it away", async {
                redis::lose(stack).await?;
                sleep(WHILE).await;
                Ok(((), "customers travel on".to_owned()))
            })
            .await?;
        protocol
            .step("start an empty one", async {
                redis::start_at(site.servers.cache.port, stack).await?;
                Ok(((), String::new()))
            })
            .await?;
        sleep(WHILE).await;
        Ok(())
    };
    let ((), seen) = crowd.during(lose_and_start).await?;
    protocol.fact("no request was lost", seen.lost == 0, seen.told());
    let recount = crowd.recount().await;
    protocol.fact("every acknowledged booking and payment is there", recount.missing.is_empty(), recount.told());
    Ok(())
}
