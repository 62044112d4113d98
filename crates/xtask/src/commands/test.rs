//! `cargo xtask test`: every test, on a database and a cache that exist only for that.

use std::process::Stdio;

use anyhow::Result;

use crate::install::{self, Needs};
use crate::place::Place;
use crate::process::{Output, Process};
use crate::report;
use crate::servers;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::Workspace;

/// Run every test on a throw-away database and cache.
///
/// The runner is cargo-nextest where it is installed, else `cargo test`. DB_HOST or REDIS_HOST, in the environment or
/// in .env, name a database or cache to use instead; the tests make databases of their own there.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Never install missing servers.
    #[arg(long)]
    no_install: bool,
    /// What to pass on to the runner, for instance `-p orders` or the name of a test.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    runner: Vec<String>,
}

/// Runs the tests and returns the runner's exit code.
pub(crate) async fn run(
    arguments: &Arguments,
    workspace: &Workspace,
    settings: &Settings,
    stack: &mut Stack,
) -> Result<u8> {
    install::ensure(Needs::DatabaseAndCache, !arguments.no_install, workspace, settings).await?;
    stack.settle(Place::throw_away(&workspace.throw_away(), "test")?);
    let servers = report::step("Starting a throw-away database and cache", servers::provide(settings, stack)).await?;

    let mut command =
        if has_nextest(workspace).await { workspace.cargo(&["nextest", "run"]) } else { workspace.cargo(&["test"]) };
    if !chooses_packages(&arguments.runner) {
        command.arg("--workspace");
    }
    command.arg("--no-fail-fast").args(&arguments.runner);
    command.env("DATABASE_URL", servers.database.url()).envs(servers.cache.environment());
    stack.run(Process::start("The test runner", command, Output::Terminal)?).await
}

async fn has_nextest(workspace: &Workspace) -> bool {
    let mut command = workspace.cargo(&["nextest", "--version"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

/// Whether `arguments` say of which packages the tests are to run.
fn chooses_packages(arguments: &[String]) -> bool {
    let mut ours = arguments.iter().take_while(|argument| *argument != "--");
    ours.any(|argument| {
        let name = argument.split('=').next().unwrap_or_default();
        matches!(name, "--package" | "--workspace" | "--all" | "--manifest-path")
            || (argument.starts_with("-p") && !argument.starts_with("--"))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::process::Command;

    use serde_json::Value;

    use super::*;

    #[test]
    fn a_choice_of_packages_is_respected() {
        let chooses = |line: &str| chooses_packages(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(chooses("-p orders"));
        assert!(chooses("-porders never_oversells"));
        assert!(chooses("--package=orders"));
        assert!(!chooses("never_oversells --release"));
        assert!(!chooses("--profile ci"));
        assert!(!chooses("-- -p"));
    }

    /// Two that had one name would share the databases of tests with the same path, and nextest runs them side by side.
    #[test]
    fn every_test_program_has_a_name_of_its_own() {
        let asked = ["metadata", "--no-deps", "--offline", "--format-version=1"];
        let told = Command::new(env!("CARGO")).args(asked).output().unwrap().stdout;
        let told: Value = serde_json::from_slice(&told).unwrap();
        let targets = told["packages"].as_array().unwrap().iter().flat_map(|p| p["targets"].as_array().unwrap());
        let mut names = BTreeSet::new();
        for target in targets.filter(|target| target["kind"][0] == "test") {
            assert!(names.insert(target["name"].as_str()), "{target}");
        }
        assert!(!names.is_empty());
    }
}
