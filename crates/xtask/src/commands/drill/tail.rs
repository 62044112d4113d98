//! The database is lost, and its binary log with it: what is left is the dump. What was told since is gone; what the
//! payment provider knows of it is found as far as it can be, and the rest is told here as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use super::backup::{self, Dump};
use super::customers::{Crowd, Customer};
use super::protocol::Protocol;
use super::site::Site;
use crate::stack::Stack;
use crate::visit::Receipt;

/// How long customers travel after the dump.
const WHILE: Duration = Duration::from_secs(4);

/// How long money may take to go back: jobs of the payment service look every half a minute.
const PATIENCE: Duration = Duration::from_secs(100);

pub(super) async fn rehearse(
    site: &mut Site<'_>,
    crowd: &mut Crowd,
    protocol: &mut Protocol,
    stack: &mut Stack,
) -> Result<()> {
    protocol.begin("The database is lost, and its binary log with it");
    let mut buyer = Customer::arrive(&site.doors, site.provider, 0).await?;
    let (begun, paid) = (buyer.book().await?, buyer.book().await?);
    buyer.pay(paid).await?;
    let dump = protocol.step("dump", Dump::take(site)).await?;

    // What the dump doesn't know: a payment it saw begin, a refund, a new account, and all that the crowd does.
    buyer.pay(begun).await?;
    buyer.cancel(paid).await?;
    let mut newcomer = Customer::arrive(&site.doors, site.provider, 0).await?;
    let number = newcomer.id().await?;
    let ((), seen) = crowd
        .during(async {
            sleep(WHILE).await;
            Ok(())
        })
        .await?;
    until_given_back(site).await?;
    protocol.fact("customers travelled on after it", seen.lost == 0, seen.told());

    protocol.step("kill -9, delete its data, and start an empty one", start_empty(site, stack)).await?;
    protocol.step("load the dump", dump.load(site)).await?;
    protocol.step("leave out the numbers that lost rows had", backup::leave_a_gap(site)).await?;
    site.let_services_in().await?;
    site.until_ready().await?;

    let recount = crowd.recount().await;
    let holds = recount.missing.iter().all(|told| *told >= dump.begun);
    protocol.fact("what was acknowledged before the dump is there", holds, recount.told());
    crowd.forget_since(dump.begun);
    let refused = newcomer.is_refused().await;
    let next = Customer::arrive(&site.doors, site.provider, 0).await?.id().await?;
    let saw = format!("account {number} is gone; the next one is {next}");
    protocol.fact("the session of a lost account is nobody's", refused && next != number, saw);

    protocol.step("some minutes pass", site.let_minutes_pass()).await?;
    protocol.step("payment-service reconcile", site.reconcile()).await?;
    let (begun, paid) = (buyer.status(begun).await?, buyer.status(paid).await?);
    let holds = begun.is("CONFIRMED", "PAID") && paid.is("CANCELLED", "CANCELLED");
    let saw = format!("what was paid is {} again, what was cancelled is {}", begun.booking, paid.booking);
    protocol.fact("payments of the dump are as the provider has them", holds, saw);

    let unknown = protocol.step("look for money of orders that the dump doesn't have", count_unknown(site)).await?;
    let telling = tell_again(site, &unknown);
    protocol.step("have the provider's console send their webhooks again, an hour passes", telling).await?;
    let recount = crowd.recount().await;
    protocol.fact("nobody else's was touched", recount.missing.is_empty(), recount.told());
    let (books, told) = site.reconcile().await?;
    protocol.fact("the books agree", books.settled, told);
    Ok(())
}

async fn start_empty(site: &mut Site<'_>, stack: &mut Stack) -> Result<((), String)> {
    site.lose_database(stack).await?;
    site.start_database(stack).await?;
    Ok(((), String::new()))
}

async fn count_unknown(site: &Site<'_>) -> Result<(BTreeMap<String, Receipt>, String)> {
    let unknown = unknown_money(site).await?;
    let won: i64 = unknown.values().map(|receipt| receipt.price).sum();
    let saw = format!("{} receipts, {won} won: reconcile can't know of them", unknown.len());
    Ok((unknown, saw))
}

/// Has the provider tell of `receipts` once more, and waits until what is on them has gone back.
async fn tell_again(site: &Site<'_>, receipts: &BTreeMap<String, Receipt>) -> Result<((), String)> {
    for receipt in receipts.keys() {
        site.provider.tell_again(receipt).await?;
    }
    let hour = "update provider_events set received_at = received_at - interval 1 hour where applied_at is null";
    site.console.run(hour).await?;
    let asked = Instant::now();
    loop {
        let paid = still_paid(site, receipts).await?.len();
        if paid == 0 && unknown_money(site).await?.is_empty() {
            return Ok(((), format!("all {} went back", receipts.len())));
        }
        ensure!(asked.elapsed() < PATIENCE, "{paid} receipts still have money");
        sleep(Duration::from_millis(500)).await;
    }
}

/// Waits until no refund is under way.
async fn until_given_back(site: &Site<'_>) -> Result<()> {
    let started = Instant::now();
    while site.console.value("select count(*) from refunds where state <> 'SUCCEEDED'").await? != "0" {
        ensure!(started.elapsed() < PATIENCE, "refunds are under way for too long");
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// The provider's receipts with money on them that the database doesn't know.
async fn unknown_money(site: &Site<'_>) -> Result<BTreeMap<String, Receipt>> {
    let charges = site.console.rows("select receipt_id from charges").await?;
    let known: BTreeSet<String> = charges.into_iter().flatten().collect();
    let mut receipts = site.provider.receipts().await?;
    receipts.retain(|id, receipt| receipt.has_money() && !known.contains(id));
    Ok(receipts)
}

/// Those of `receipts` that have money on them by now.
async fn still_paid(site: &Site<'_>, receipts: &BTreeMap<String, Receipt>) -> Result<Vec<String>> {
    let now = site.provider.receipts().await?;
    Ok(now.into_iter().filter(|(id, now)| receipts.contains_key(id) && now.has_money()).map(|(id, _)| id).collect())
}
