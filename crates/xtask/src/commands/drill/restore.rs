//! The database is lost under load. The dump and the binary log, which lived on another disk, bring all of it back; what
//! the payment provider took meanwhile is found by asking it.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::sleep;

use super::backup::Dump;
use super::customers::{Crowd, Customer};
use super::protocol::Protocol;
use super::site::Site;
use crate::stack::Stack;

/// How long customers travel before and after each thing that happens.
const WHILE: Duration = Duration::from_secs(4);

/// How many have a payment window open when it happens.
const WINDOWS: usize = 2;

pub(super) async fn rehearse(
    site: &mut Site<'_>,
    crowd: &mut Crowd,
    protocol: &mut Protocol,
    stack: &mut Stack,
) -> Result<()> {
    protocol.begin("The database is lost under load; its dump and its binary log are not");
    let mut buyer = Customer::arrive(&site.doors, site.provider, 0).await?;
    crowd.set_off();
    sleep(WHILE).await;
    let dump = protocol.step("dump, while customers travel", Dump::take(site)).await?;
    let mut windows = Vec::new();
    for _ in 0..WINDOWS {
        windows.push(buyer.book().await?);
    }
    sleep(WHILE).await;

    let lost = Instant::now();
    protocol
        .step("kill -9, and delete its data", async {
            site.lose_database(stack).await?;
            Ok(((), "customers travel on".to_owned()))
        })
        .await?;
    for &window in &windows {
        buyer.pay_unheard(window).await?;
    }
    protocol
        .step("start an empty one, where the services have no user", async {
            site.start_database(stack).await?;
            Ok(((), format!("{WINDOWS} cards are charged meanwhile, and nobody can be told")))
        })
        .await?;
    protocol.step("load the dump", dump.load(site)).await?;
    protocol.step("replay the binary log from there on", dump.replay(site)).await?;
    protocol
        .step("make their user, and wait until all are ready", async {
            site.let_services_in().await?;
            site.until_ready().await?;
            Ok(((), format!("{:.1} s after the loss; none was restarted", lost.elapsed().as_secs_f64())))
        })
        .await?;
    sleep(WHILE).await;
    let seen = crowd.come_home().await?;
    protocol.fact("customers are served again", seen.answered > 0, seen.told());

    let recount = crowd.recount().await;
    let holds = recount.missing.is_empty() && recount.there > 0;
    protocol.fact("every acknowledged booking and payment is there, by sessions of before", holds, recount.told());
    protocol.step("some minutes pass", site.let_minutes_pass()).await?;
    protocol.step("payment-service reconcile", site.reconcile()).await?;
    let mut confirmed = 0;
    for &window in &windows {
        confirmed += usize::from(buyer.status(window).await?.is("CONFIRMED", "PAID"));
    }
    let saw = format!("{confirmed} of {WINDOWS} are confirmed");
    protocol.fact("what was paid during the loss was found and confirmed", confirmed == WINDOWS, saw);
    let (books, told) = site.reconcile().await?;
    protocol.fact("the books agree", books.settled, told);
    Ok(())
}
