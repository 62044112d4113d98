//! `cargo xtask contract`: the running system held against what it says of itself.
//!
//! A private system is started beside whatever runs, on a throw-away database and cache, and tools that know nothing
//! of our code read the committed descriptions and try them: newman goes the Postman collection through, schemathesis
//! makes up requests, sound ones and unsound ones. Any answer of 500 and above fails, 503 and 504 too: nothing is
//! away and nothing is busy here.

use anyhow::Result;

use crate::migrate::ADMIN;
use crate::report;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::system::demo;
use crate::verdicts::Verdicts;
use crate::welcome::PASSENGER;
use crate::workspace::{Profile, Workspace};

pub(crate) mod newman;
mod run;
mod schemathesis;
pub(crate) mod session;

use schemathesis::{Budget, Schemathesis};
use session::{Role, Session};

/// Hold the running system against its own description.
///
/// Starts a private system and lets newman (the Postman collection) and schemathesis (requests made up from each
/// service's description) ask it. Both are installed below the target directory, where node or python3 are there to
/// run them; what is missing is skipped and named. Their full output and the services' logs stay in target/contract.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Never install missing servers.
    #[arg(long)]
    no_install: bool,
    /// Where the made-up requests begin: the same seed makes the same ones.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u32,
    /// The most requests made up at random for one operation, beside the systematic ones.
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    examples: u32,
}

/// Runs everything; tells whether nothing failed.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<bool> {
    // Settings of the developer have no say in it: it is written to without restraint.
    let (settings, logs, may_install) = (Settings::default(), workspace.contract_logs(), !arguments.no_install);
    let starting = demo::start("contract", may_install, Profile::Debug, &settings, logs.clone(), workspace, stack);
    let (ports, _) = starting.await?;
    let mut verdicts = Verdicts::new();
    newman::check(&mut verdicts, workspace, &ports, stack).await;

    let [(_, email), (_, password)] = ADMIN;
    let passenger = Session::open(Role::Passenger, PASSENGER, &ports).await?;
    let administrator = Session::open(Role::Administrator, (email, password), &ports).await?;
    match Schemathesis::install(workspace).await {
        Ok(tool) => {
            let budget = Budget { seed: arguments.seed, examples: arguments.examples };
            for session in [&passenger, &administrator] {
                for (service, port) in ports.services().filter(|(service, _)| session.may_differ_at(service)) {
                    let check = tool.check(workspace, service, port, session, budget, stack);
                    verdicts.add(&format!("schemathesis: {}, {}", service.name, session.who), check).await;
                }
            }
        }
        Err(why) => verdicts.skip("schemathesis", format!("{why:#}")),
    }
    report::say(verdicts.table());
    report::note(format_args!("\nSeed {}. All that was said is in {}.", arguments.seed, workspace.shown(&logs)));
    Ok(verdicts.passed())
}
