//! `cargo xtask monitoring`: alerts, their tests and runbooks, routes and dashboards, held against one another, against
//! what the programs export, and against the programs of the Prometheus project.
//!
//! Without those programs the rest is still checked. With `--live` a real Prometheus watches the real services.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::install;
use crate::metrics::{self, Metrics};
use crate::process::run_quietly;
use crate::programs;
use crate::report;
use crate::stack::Stack;
use crate::verdicts::Verdicts;
use crate::workspace::Workspace;

mod alertmanager;
mod dashboards;
mod exporters;
mod live;
mod picture;
mod prometheus;
mod routes;
mod rules;
mod runbooks;
mod slack;

use dashboards::Dashboard;
use rules::{Rule, UnitTests};

/// What Prometheus is told in compose, and where it finds the rules there.
const ON_ONE_MACHINE: &str = "deploy/monitoring/compose/prometheus.yaml";
const RULES_IN_CONTAINER: &str = "/etc/prometheus/rules";

/// Hold alerts, routes, runbooks and dashboards against one another and against what the services export.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Start the whole system and a real Prometheus beside it, let customers travel, and ask for every series and panel.
    #[arg(long)]
    live: bool,
    /// How long they travel.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(30..=3600))]
    seconds: u64,
    /// Draw what the dashboards showed of it into this directory (SVG).
    #[arg(long, requires = "live", value_name = "DIRECTORY")]
    pictures: Option<PathBuf>,
    /// Never install missing programs.
    #[arg(long)]
    no_install: bool,
}

/// What monitoring consists of.
struct Files {
    rules: Vec<Rule>,
    dashboards: Vec<Dashboard>,
    /// What our programs export, and what rules record of it.
    metrics: Metrics,
    /// What others export, as far as dashboards ask for it.
    others: BTreeSet<String>,
    /// The labels that alerts in one message share.
    grouped: BTreeSet<String>,
}

impl Files {
    fn read(workspace: &Workspace) -> Result<Self> {
        let rules = rules::read(workspace)?;
        let recorded = rules.iter().filter_map(|rule| rule.record.clone());
        let metrics = Metrics::read(&workspace.read(Path::new(metrics::DOCUMENT))?).with(recorded);
        let others = dashboards::others(&workspace.read(Path::new(dashboards::OTHERS))?).collect();
        let grouped = routes::grouped(&routes::config(workspace)?);
        Ok(Self { dashboards: dashboards::read(workspace)?, metrics, others, grouped, rules })
    }
}

/// Runs all checks; tells whether none failed.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<bool> {
    // What is missing is skipped, by name; but nothing is watched without Prometheus.
    if arguments.live || !arguments.no_install {
        install::ensure_monitoring(!arguments.no_install, workspace).await?;
    }
    let mut verdicts = Verdicts::new();
    check(&mut verdicts, workspace).await;
    if arguments.live {
        live::check(&mut verdicts, arguments, workspace, stack).await;
    }
    report::say(verdicts.table());
    Ok(verdicts.passed())
}

/// Adds the verdicts on everything that needs no running system.
pub(crate) async fn check(verdicts: &mut Verdicts, workspace: &Workspace) {
    let files = match Files::read(workspace) {
        Ok(files) => files,
        Err(error) => return verdicts.add::<()>("monitoring", async { Err(error) }).await,
    };
    verdicts.add("monitoring: alerts", async { alerts(&files, workspace) }).await;
    verdicts.add("monitoring: dashboards", async { told(&dashboards::faults(&files), panels(&files)) }).await;
    for (name, check) in [("promtool", Tool::Promtool), ("amtool", Tool::Amtool)] {
        let title = format!("monitoring: {name}");
        match programs::find(&[name]) {
            None => verdicts.skip(&title, format!("{name} is not installed; cargo xtask monitoring installs it")),
            Some(program) => verdicts.add(&title, check.run(&program, workspace)).await,
        }
    }
}

/// The two programs that read our files as Prometheus and Alertmanager will.
#[derive(Clone, Copy)]
enum Tool {
    Promtool,
    Amtool,
}

impl Tool {
    async fn run(self, program: &Path, workspace: &Workspace) -> Result<String> {
        match self {
            Self::Promtool => promtool(program, workspace).await,
            Self::Amtool => routes::check(program, workspace).await,
        }
    }
}

/// What is missing about the alerts, or how many there are.
fn alerts(files: &Files, workspace: &Workspace) -> Result<String> {
    let tests = UnitTests::read(workspace)?;
    let runbooks = workspace.read(Path::new(runbooks::PATH))?;
    let mut faults = rules::faults(files, &tests);
    faults.extend(runbooks::faults(files, &runbooks));
    let alerts = files.rules.iter().filter(|rule| rule.alert.is_some()).count();
    told(&faults, format!("{alerts} alerts, {} recorded series", files.rules.len() - alerts))
}

fn panels(files: &Files) -> String {
    let panels: usize = files.dashboards.iter().map(|dashboard| dashboard.panels.len()).sum();
    format!("{} dashboards, {panels} panels", files.dashboards.len())
}

async fn promtool(program: &Path, workspace: &Workspace) -> Result<String> {
    let mut check = Command::new(program);
    check.args(["check", "rules"]).args(rules::paths(workspace)?);
    run_quietly("promtool check rules", check).await?;
    let mut check = Command::new(program);
    check.args(["check", "config"]).arg(on_one_machine(workspace)?);
    run_quietly("promtool check config", check).await?;
    let tests = UnitTests::read(workspace)?;
    let mut test = Command::new(program);
    test.args(["test", "rules"]).args(rules::test_paths(workspace)?);
    run_quietly("promtool test rules", test).await?;
    Ok(format!("{} unit tests", tests.count()))
}

/// Prometheus' settings in compose, but for the rules being where they are here and not in its container.
fn on_one_machine(workspace: &Workspace) -> Result<PathBuf> {
    let settings = workspace.read(Path::new(ON_ONE_MACHINE))?;
    let (before, after) = settings
        .split_once(RULES_IN_CONTAINER)
        .with_context(|| format!("{ON_ONE_MACHINE} reads no rules from {RULES_IN_CONTAINER}"))?;
    let rules = workspace.root().join(rules::RULES);
    let path = workspace.renders().join("prometheus.yaml");
    fs::create_dir_all(workspace.renders())?;
    fs::write(&path, format!("{before}{}{after}", rules.display()))
        .with_context(|| format!("{} can't be written", path.display()))?;
    Ok(path)
}

/// Fails with all faults, or has something to tell.
fn told(faults: &[String], remark: String) -> Result<String> {
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(remark)
}

/// The YAML text of a file.
fn yaml<T: DeserializeOwned>(workspace: &Workspace, path: &Path) -> Result<T> {
    serde_saphyr::from_str(&workspace.read(path)?).with_context(|| format!("{} can't be read", path.display()))
}
