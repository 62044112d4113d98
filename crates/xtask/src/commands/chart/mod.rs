//! `cargo xtask chart`: what is in deploy/, held against everything that can be known without a cluster.
//!
//! Helm renders the chart for every environment and for every two toggles together; each object is held against the
//! schema of its kind, and all of them together against our rules: what refers to what, what is allowed, what adds up.
//! None of this shows that a cluster does what it is told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::process::{run_quietly, said};
use crate::report;
use crate::verdicts::Verdicts;
use crate::workspace::Workspace;

mod cases;
mod compose;
mod golden;
mod helm;
mod object;
mod project;
mod refused;
mod rules;
mod values;

use compose::Compose;
pub(crate) use golden::Golden;
use helm::{Answer, Rendered, Request};
use object::Object;
use rules::{Faults, Project, Render};

const CHART: &str = "deploy/cloudjet";
const SCHEMAS: &str = "deploy/schemas";
const GOLDEN: &str = "deploy/golden";
const COMPOSE: &str = "docker-compose.yml";

/// The oldest Kubernetes that the chart says it runs on: what is too new for it is found.
const KUBERNETES: &str = "1.30";

/// Files of plain objects beside the chart.
const MANIFESTS: [&str; 11] = [
    "deploy/gitops/project.yaml",
    "deploy/gitops/root.yaml",
    "deploy/gitops/environments.yaml",
    "deploy/gitops/notifications.yaml",
    "deploy/gitops/namespaces/namespaces.yaml",
    "deploy/karpenter/nodes.yaml",
    "deploy/kind/data.yaml",
    "deploy/limits.yaml",
    "deploy/monitoring/istio-monitors.yaml",
    "deploy/monitoring/jaeger.yaml",
    "deploy/monitoring/network-policies.yaml",
];

/// Hold the Helm chart and what is beside it against schemas and rules.
///
/// Helm and the schemas of Kubernetes are installed as Python packages below the target directory, where python3 is
/// there to run them; otherwise the checks are skipped and named.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the kept renders (deploy/golden) and docs/values.md again.
    #[arg(long)]
    update: bool,
}

/// Runs all checks; tells whether none failed.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace) -> Result<bool> {
    let mut verdicts = Verdicts::new();
    check(&mut verdicts, workspace, if arguments.update { Golden::Update } else { Golden::Compare }).await;
    report::say(verdicts.table());
    Ok(verdicts.passed())
}

/// Adds the verdicts on everything in deploy/.
pub(crate) async fn check(verdicts: &mut Verdicts, workspace: &Workspace, golden: Golden) {
    match helm::install(workspace).await {
        Ok(python) => {
            let judged = judge(verdicts, workspace, &python, golden).await;
            if judged.is_err() {
                verdicts.add("chart", async { judged }).await;
            }
        }
        Err(error) => verdicts.skip("chart", format!("{error:#}")),
    }
    if has_compose().await {
        verdicts.add("compose: config", config(workspace)).await;
    } else {
        verdicts.leave("compose: config", "cargo xtask images: docker compose is not installed");
    }
}

async fn judge(verdicts: &mut Verdicts, workspace: &Workspace, python: &Path, golden: Golden) -> Result<()> {
    let mut asked = cases::all();
    let sound = asked.len();
    asked.extend(refused::cases());
    let manifests = MANIFESTS.map(|path| workspace.root().join(path));
    let request = Request {
        chart: workspace.root().join(CHART),
        schemas: workspace.root().join(SCHEMAS),
        kubernetes: KUBERNETES,
        linted: cases::ENVIRONMENTS.iter().map(|name| vec![cases::file_of(name)]).collect(),
        cases: &asked,
        manifests: &manifests,
        compose: workspace.root().join(COMPOSE),
    };
    let asking = helm::ask(python, &request);
    let answer = report::step(&format!("Rendering the chart {} times", asked.len()), asking).await?;
    let app_project =
        answer.manifests.first().and_then(|file| file.objects.iter().next()).context("there is no AppProject")?;
    let project = project::read(workspace, app_project)?;
    let (taken, tried) = answer.cases.split_at(sound);

    verdicts.add("chart: lint", async { told(&lint(&answer), "4 environments") }).await;
    let renders =
        format!("{} renders, {} objects", taken.len(), taken.iter().map(|r| r.objects.iter().count()).sum::<usize>());
    verdicts.add("chart: schemas", async { told(&schemas(taken), &renders) }).await;
    verdicts.add("chart: rules", async { told(&broken(taken, &project), &format!("{} rules", rules::count())) }).await;
    let refusals = tried.iter().map(|r| (r.name.as_str(), r.refusal.as_deref()));
    verdicts
        .add("chart: bad values", async { told(&refused::faults(refusals), &format!("{} refused", tried.len())) })
        .await;
    verdicts.add("chart: kept renders", keep(workspace, taken, golden)).await;
    let values = values::document(&answer.values);
    verdicts.add("chart: docs/values.md", golden::settle(golden, workspace, Path::new(values::PATH), &values)).await;
    let kept = said(workspace.git(&["ls-files", "deploy"])).await?;
    let compose = Compose { file: &answer.compose, settings: &project.settings, kept: &kept, root: workspace.root() };
    let containers = format!("{} services", answer.compose["services"].as_object().map_or(0, serde_json::Map::len));
    verdicts.add("compose: rules", async { told(&compose.faults(), &containers) }).await;
    verdicts.add("deploy", async { told(&beside(workspace, &answer, app_project), "manifests") }).await;
    Ok(())
}

/// Fails with all faults, or has something to tell.
fn told(faults: &Faults, remark: &str) -> Result<String> {
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(remark.to_owned())
}

/// Warnings and errors; that a chart could have an icon is neither.
fn lint(answer: &Answer) -> Faults {
    let serious = answer.lint.iter().filter(|message| message.severity > 1);
    serious.map(|message| format!("{}: {}", message.path, message.error)).collect()
}

fn schemas(rendered: &[Rendered]) -> Faults {
    let refusal = |r: &Rendered| r.refusal.as_ref().map(|refusal| format!("it isn't rendered: {refusal}"));
    gathered(rendered, |r| r.faults.iter().cloned().chain(refusal(r)).collect())
}

fn broken(rendered: &[Rendered], project: &Project) -> Faults {
    gathered(rendered, |r| rules::faults(&Render { objects: &r.objects, values: &r.values, project }))
}

/// What is wrong with the renders, each fault once, with a render that has it.
fn gathered(rendered: &[Rendered], faults: impl Fn(&Rendered) -> Faults) -> Faults {
    let mut all: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for rendered in rendered {
        for fault in faults(rendered) {
            all.entry(fault).or_insert((&rendered.name, 0)).1 += 1;
        }
    }
    all.into_iter().map(|(fault, (render, times))| format!("{fault} (in {times} renders; {render})")).collect()
}

async fn keep(workspace: &Workspace, rendered: &[Rendered], golden: Golden) -> Result<()> {
    let mut differences = Vec::new();
    for (rendered, text) in rendered.iter().filter_map(|r| Some((r, r.text.as_ref()?))) {
        let path: PathBuf = [GOLDEN, &format!("{}.yaml", rendered.name)].iter().collect();
        if let Err(difference) = golden::settle(golden, workspace, &path, text).await {
            differences.push(format!("{difference:#}"));
        }
    }
    if !differences.is_empty() {
        bail!("{}", differences.join("\n"));
    }
    Ok(())
}

/// What is wrong with the files beside the chart.
fn beside(workspace: &Workspace, answer: &Answer, project: &Object) -> Faults {
    let mut faults = Faults::new();
    for file in &answer.manifests {
        let name = workspace.shown(&file.path);
        faults.extend(file.faults.iter().map(|fault| format!("{name}: {fault}")));
        for object in file.objects.iter().filter(|o| matches!(o.kind(), "Application" | "ApplicationSet")) {
            faults.extend(rules::astray(object, project, workspace.root()));
            faults.extend(rules::careless(object));
        }
    }
    faults
}

async fn has_compose() -> bool {
    let mut command = Command::new("docker");
    command.args(["compose", "version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

async fn config(workspace: &Workspace) -> Result<()> {
    let mut command = Command::new("docker");
    command.args(["compose", "config", "--quiet"]).current_dir(workspace.root());
    run_quietly("docker compose", command).await
}
