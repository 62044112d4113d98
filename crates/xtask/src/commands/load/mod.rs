//! `cargo xtask load`: customers of a running system, whose journeys must succeed and be fast.
//!
//! The journeys and what must hold of them are k6's scripts in deploy/cloudjet/load, the same that compose and the chart
//! run; here a system is started for them, and what k6 counted is told. k6 says yes to a rate of nothing, so whatever was
//! not fed is a failure here as well.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;

use crate::machine;
use crate::migrate::ADMIN;
use crate::report;
use crate::services::Ports;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::system::demo;
use crate::verdicts::Verdicts;
use crate::workspace::{self, Workspace};

mod k6;
mod summary;
mod usage;

pub(crate) use k6::K6;
use k6::Said;
use summary::Summary;
use usage::Usage;

/// Where the report goes, among k6's output and the services' logs.
const REPORT: &str = "report.md";

/// Let customers come, as k6's scenarios have them, and hold what they met against thresholds.
///
/// Starts the whole system on a throw-away database, with the simulator of the payment provider, unless --url names one
/// that runs; k6 is installed below the target directory where python3 is there to do it. Tells what customers met, and
/// what requests cost each program of its own system in memory and the processor's time. Ends with 1 if a threshold
/// wasn't kept or nothing was counted for it, or if a service's memory grew in the hours of a soak. The report, k6's
/// output and the services' logs stay in target/load.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many customers come, and for how long.
    #[arg(long, value_enum, default_value_t = Profile::Smoke)]
    profile: Profile,
    /// What they do, more than one separated by commas; everything if not given.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SCENARIO")]
    scenario: Vec<Scenario>,
    /// How many times the profile's rates.
    #[arg(long, default_value_t = 1.0, value_parser = positive, value_name = "TIMES")]
    scale: f64,
    /// Within how long 95 of 100 requests must be answered, if not within 200 (stress and spike: 2000): for a machine
    /// that others keep busy, or unoptimised programs.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "MILLISECONDS")]
    p95: Option<u32>,
    /// Where the customers' choices begin: the same seed makes the same ones.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u32,
    /// The gateway of a running system, which makes accounts, flights and bookings: never one that sells to people.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The payment simulator of that system; `pay` needs it.
    #[arg(long, requires = "url", default_value = "http://localhost:5010", value_name = "URL")]
    simulator: String,
    /// Optimised programs, as figures want them.
    #[arg(long, conflicts_with = "url")]
    release: bool,
    /// Never install missing servers.
    #[arg(long)]
    no_install: bool,
}

/// Within how many milliseconds 95 of 100 must be answered by a machine that does other things, too.
const UNHURRIED: &str = "5000";

/// The profile that only the chart asks for: whoever always looks around.
const TRAFFIC: &str = "traffic";

/// How many come, as profiles.js has it.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Profile {
    /// Twenty seconds of few: does everything work, and fast when nothing is in its way?
    Smoke,
    /// Five times as many for five minutes: a usual day.
    Load,
    /// Ever more, up to forty times as many: where does it end, and how?
    Stress,
    /// Three times as many for two hours: does anything grow?
    Soak,
    /// Suddenly twenty times as many for a minute: a sale.
    Spike,
}

/// A journey, as main.js has it.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// Offers, searches, seat maps.
    Browse,
    /// Sign up, log in, see one's profile.
    SignIn,
    /// Many want few seats.
    Book,
    /// Book, pay at the provider, be confirmed by its webhook.
    Pay,
}

/// What k6 is told of the system.
struct Target {
    gateway: String,
    simulator: String,
    /// What it runs on, for the report.
    told: String,
    /// Where its services are, if they are ours.
    ports: Option<Ports>,
}

/// Lets them come, and tells whether everything held.
pub(crate) async fn run(
    arguments: &Arguments,
    workspace: &Workspace,
    settings: &Settings,
    stack: &mut Stack,
) -> Result<bool> {
    let k6 = K6::install(workspace).await?;
    let logs = workspace.load_logs();
    fs::create_dir_all(&logs).with_context(|| format!("{} can't be made", logs.display()))?;
    let busy = machine::load();
    let target = match &arguments.url {
        Some(url) => {
            Target { gateway: url.clone(), simulator: arguments.simulator.clone(), told: url.clone(), ports: None }
        }
        None => start(arguments, workspace, stack).await?,
    };
    let mut command = k6.command(workspace, settings, &logs);
    command.envs(told(arguments, &target));
    // Of a system of our own only the defaults are true, whatever the developer's settings are.
    command.envs(if arguments.url.is_some() { administrator(settings)? } else { ADMIN.map(owned) });
    let coming = async |stack: &mut Stack| k6::run(command, &logs, stack).await;
    let (said, usage) = Usage::during(stack, target.ports.as_ref(), coming).await?;
    let (summary, faults) = judged(&said)?;
    let grown = if arguments.profile == Profile::Soak { usage.growing() } else { Vec::new() };
    let heading = format!(
        "Profile {}, {}× its rates, seed {}, on {}.\nThis machine: {} cores; busy before with {busy}, after with {}.",
        name(&arguments.profile),
        arguments.scale,
        arguments.seed,
        target.told,
        machine::cores(),
        machine::load()
    );
    let growth: String = grown.iter().flat_map(|program| ["\n✘ ", program, "\n"]).collect();
    let report = logs.join(REPORT);
    let page = format!("# What customers met\n\n{heading}\n\n{}{}{growth}", summary.markdown(), usage.markdown());
    fs::write(&report, page).with_context(|| format!("{} can't be written", report.display()))?;
    report::say(format_args!("\n{heading}\n\n{}{}{growth}", summary.table(), usage.table()));
    report::note(format_args!("\nThe report is {}.", workspace.shown(&report)));
    Ok(faults.is_empty() && grown.is_empty())
}

/// What k6 counted, and what of it isn't as it must be.
fn judged(said: &Said) -> Result<(Summary, Vec<String>)> {
    let summary = Summary::read(&said.summary)?;
    let faults = summary.faults();
    ensure!(said.kept || !faults.is_empty(), "k6 says that a threshold wasn't kept, and its summary doesn't say which");
    Ok((summary, faults))
}

/// Lets the customers of the smallest profile come to a system of ours, while somebody else watches it; tells how many there
/// were. It asks whether the journeys work: how fast they are is no question to a machine that does other things.
///
/// # Errors
/// If a threshold wasn't kept, or nothing was counted for it.
pub(crate) async fn smoke(
    k6: &K6,
    ports: &Ports,
    logs: &Path,
    workspace: &Workspace,
    stack: &mut Stack,
) -> Result<String> {
    let mut command = k6.command(workspace, &Settings::default(), logs);
    let [gateway, simulator] = ports.for_customers()?;
    command.envs(ADMIN).envs([("PROFILE", name(&Profile::Smoke)), ("P95", UNHURRIED.to_owned())]);
    command.envs([("BASE_URL", gateway), ("SIMULATOR_URL", simulator)]);
    let (summary, faults) = judged(&k6::run(command, logs, stack).await?)?;
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(summary.told())
}

/// What the scripts are told of what is wanted, and where.
fn told(arguments: &Arguments, target: &Target) -> [(&'static str, String); 7] {
    let scenarios: Vec<String> = arguments.scenario.iter().map(name).collect();
    [
        ("PROFILE", name(&arguments.profile)),
        ("SCENARIOS", scenarios.join(",")),
        ("SCALE", arguments.scale.to_string()),
        ("SEED", arguments.seed.to_string()),
        ("P95", arguments.p95.map_or_else(String::new, |limit| limit.to_string())),
        ("BASE_URL", target.gateway.clone()),
        ("SIMULATOR_URL", target.simulator.clone()),
    ]
}

/// Adds the verdict on the scripts: whether k6 takes them, for each profile.
pub(crate) async fn check(verdicts: &mut Verdicts, workspace: &Workspace) {
    const NAME: &str = "load: scripts";
    match K6::install(workspace).await {
        Ok(k6) => verdicts.add(NAME, inspect(&k6, workspace)).await,
        Err(why) => verdicts.skip(NAME, format!("{why:#}")),
    }
}

async fn inspect(k6: &K6, workspace: &Workspace) -> Result<String> {
    let mut profiles: Vec<String> = Profile::value_variants().iter().map(name).collect();
    profiles.push(TRAFFIC.to_owned());
    for profile in &profiles {
        k6.inspect(workspace, profile).await?;
    }
    Ok(format!("{} profiles", profiles.len()))
}

/// Starts a system that nobody else knows. Settings have no say in it: it is written to without restraint.
async fn start(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<Target> {
    let profile = if arguments.release { workspace::Profile::Release } else { workspace::Profile::Debug };
    let settings = Settings::from([("LOG_FORMAT", "json")]);
    let (may_install, logs) = (!arguments.no_install, workspace.load_logs());
    let (ports, servers) = demo::start("load", may_install, profile, &settings, logs, workspace, stack).await?;
    let [gateway, simulator] = ports.for_customers()?;
    let (commit, database) = (machine::commit(workspace).await, &servers.database.description);
    Ok(Target {
        gateway,
        simulator,
        told: format!("{} build of {commit} with {database}", profile.name()),
        ports: Some(ports),
    })
}

/// Who publishes flights in a system that runs, as the settings have it: a password may stand in a file.
fn administrator(settings: &Settings) -> Result<[(&'static str, String); 2]> {
    let mut administrator = ADMIN.map(|(name, default)| owned((name, settings.get_or(name, default))));
    if let Some(file) = settings.get("ADMIN_PASSWORD_FILE") {
        let text = fs::read_to_string(file).with_context(|| format!("ADMIN_PASSWORD_FILE: {file} can't be read"))?;
        text.trim_end_matches('\n').clone_into(&mut administrator[1].1);
    }
    Ok(administrator)
}

fn owned((name, value): (&'static str, &str)) -> (&'static str, String) {
    (name, value.to_owned())
}

/// What a choice is called on the command line, and in the scripts.
fn name(choice: &impl clap::ValueEnum) -> String {
    choice.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn positive(text: &str) -> Result<f64> {
    match text.parse() {
        Ok(times) if times > 0.0 && times <= 1000.0 => Ok(times),
        _ => bail!("a number above 0, up to 1000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever can be asked for here is in the scripts, and nothing is there that can't.
    #[test]
    fn profiles_and_journeys_are_those_of_the_scripts() {
        let script = include_str!("../../../../../deploy/cloudjet/load/profiles.js");
        let keys = |from: &str| -> Vec<String> {
            let block = script.split_once(from).unwrap().1.split_once('}').unwrap().0;
            let names = block.split([',', '{']).filter_map(|part| part.split_once(':'));
            names.map(|(name, _)| name.trim().trim_matches('\'').to_owned()).collect()
        };
        let journeys: Vec<String> = Scenario::value_variants().iter().map(name).collect();
        assert_eq!(keys("const SHARES = {"), journeys);
        for profile in Profile::value_variants() {
            assert!(script.contains(&format!("\n  {}: {{ start", name(profile))), "{}", name(profile));
        }
    }

    #[test]
    fn the_administrators_password_may_stand_in_a_file() {
        let file = std::env::temp_dir().join(format!("cloudjet-load-{}", std::process::id()));
        fs::write(&file, "hush hush\n").unwrap();
        let path = file.to_str().unwrap();
        let found =
            administrator(&Settings::from([("ADMIN_EMAIL", "desk@example.com"), ("ADMIN_PASSWORD_FILE", path)]));
        fs::remove_file(&file).unwrap();
        let expected = [("ADMIN_EMAIL", "desk@example.com"), ("ADMIN_PASSWORD", "hush hush")];
        assert_eq!(found.unwrap(), expected.map(owned));

        let missing = administrator(&Settings::from([("ADMIN_PASSWORD_FILE", "/nowhere/at/all")])).unwrap_err();
        assert!(missing.to_string().starts_with("ADMIN_PASSWORD_FILE"), "{missing}");
        assert_eq!(administrator(&Settings::default()).unwrap(), ADMIN.map(owned));
    }

    #[test]
    fn nobody_comes_less_than_never() {
        assert!(positive("0").is_err() && positive("-1").is_err() && positive("much").is_err());
        assert!((positive("2.5").unwrap() - 2.5).abs() < f64::EPSILON);
    }
}
