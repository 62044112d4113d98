//! Whether the books agree, by `payment-service reconcile`.

use std::collections::BTreeMap;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::site::Site;

/// Lets some minutes pass for what people began to pay: younger orders aren't asked about, because they may be on their
/// way.
pub(super) async fn let_minutes_pass(site: &Site<'_>) -> Result<((), String)> {
    site.sql("update payments set created_at = created_at - interval 5 minute").await?;
    Ok(((), "in the database: a younger order isn't asked about".to_owned()))
}

/// What it reports.
#[derive(Deserialize)]
pub(super) struct Books {
    pub(super) settled: bool,
    findings: Vec<Finding>,
    receipts: Receipts,
}

#[derive(Deserialize)]
struct Finding {
    check: String,
    state: String,
}

#[derive(Deserialize)]
struct Receipts {
    compared: u64,
}

impl Books {
    /// Has them compared, healed and reported.
    pub(super) async fn reconcile(site: &Site<'_>) -> Result<(Self, String)> {
        let mut command = site.launcher.program("payment-service");
        command.args(["reconcile", "--json"]).stdin(Stdio::null()).kill_on_drop(true);
        let answer = command.output().await?;
        // 1 means that a person has to look.
        let has_finished = answer.status.code().is_some_and(|code| code <= 1);
        ensure!(has_finished, "reconcile ended with {}", answer.status);
        let books: Self = serde_json::from_slice(&answer.stdout).context("reconcile reports no JSON")?;
        let told = books.told();
        Ok((books, told))
    }

    /// In a few words.
    pub(super) fn told(&self) -> String {
        let mut findings: BTreeMap<_, usize> = BTreeMap::new();
        for Finding { check, state } in &self.findings {
            *findings.entry((state, check)).or_default() += 1;
        }
        let findings = findings.iter().map(|((state, check), count)| format!("{count} {check} {state}"));
        let verdict = if self.settled { "settled" } else { "not settled" };
        let receipts = format!("{} receipts compared", self.receipts.compared);
        [verdict.to_owned(), receipts].into_iter().chain(findings).collect::<Vec<_>>().join(", ")
    }
}
