//! `cargo xtask drill`: what an operator dreads, rehearsed on a private system with customers in it.
//!
//! Everything is real: processes that are killed, data that is deleted, requests that are counted. Each rehearsal is a
//! room of its own in this folder and ends with facts; one that doesn't hold fails the drill. What an operator does in
//! earnest, with the figures seen here, stands in docs/operating.md.

use anyhow::Result;
use clap::ValueEnum;

use crate::report;
use crate::stack::Stack;
use crate::workspace::{Profile, Workspace};

mod backup;
mod cache;
mod customers;
mod keys;
mod password;
mod protocol;
mod restore;
mod site;
mod tail;
mod upgrade;

use customers::Crowd;
use protocol::Protocol;
use site::Site;

/// Rehearse what an operator dreads: a lost database, a lost cache, rotated secrets, an upgrade and its roll-back.
///
/// Starts a private system with two replicas of each service, lets customers book, pay and cancel, and does it to them.
/// Prints what was done, how long it took, and whether what must hold does; ends with 1 if something doesn't. It takes a
/// few minutes, and builds first. The services' logs stay in target/drill. Needs MariaDB's server and its tools.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these rehearsals.
    #[arg(value_enum)]
    rehearsals: Vec<Rehearsal>,
    /// Rehearse with optimised binaries.
    #[arg(long)]
    release: bool,
    /// Never install missing servers.
    #[arg(long)]
    no_install: bool,
}

/// What is rehearsed, in this order: the one that loses something for good comes last.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rehearsal {
    /// The database is lost; its dump and its binary log are not.
    Restore,
    /// Redis is lost.
    Cache,
    /// SECRET_KEY is rotated.
    Keys,
    /// The database password is rotated.
    Password,
    /// An upgrade, and its roll-back.
    Upgrade,
    /// The database is lost, and its binary log with it.
    Tail,
}

/// Rehearses, and tells whether everything held.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<bool> {
    let profile = if arguments.release { Profile::Release } else { Profile::Debug };
    let mut site = Site::set_up(profile, !arguments.no_install, workspace, stack).await?;
    let arriving = Crowd::arrive(&site.doors, site.provider);
    let mut crowd = report::step("Opening accounts for customers", arriving).await?;
    let mut protocol = Protocol::default();
    let mut outcome = Ok(());
    for rehearsal in Rehearsal::value_variants() {
        if outcome.is_ok() && (arguments.rehearsals.is_empty() || arguments.rehearsals.contains(rehearsal)) {
            outcome = Box::pin(rehearsal.rehearse(&mut site, &mut crowd, &mut protocol, stack)).await;
        }
    }
    report::say(&protocol);
    outcome?;
    report::step("Stopping the services", site.stop()).await?;
    Ok(protocol.holds())
}

impl Rehearsal {
    async fn rehearse(
        self,
        site: &mut Site<'_>,
        crowd: &mut Crowd,
        protocol: &mut Protocol,
        stack: &mut Stack,
    ) -> Result<()> {
        match self {
            Self::Restore => restore::rehearse(site, crowd, protocol, stack).await,
            Self::Cache => cache::rehearse(site, crowd, protocol, stack).await,
            Self::Keys => keys::rehearse(site, crowd, protocol).await,
            Self::Password => password::rehearse(site, crowd, protocol).await,
            Self::Upgrade => upgrade::rehearse(site, crowd, protocol).await,
            Self::Tail => tail::rehearse(site, crowd, protocol, stack).await,
        }
    }
}
