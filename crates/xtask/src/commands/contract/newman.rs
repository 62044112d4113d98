//! The Postman collection as a program runs it: the journey, then every operation.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::process::Command;

use super::run;
use crate::services::Ports;
use crate::stack::Stack;
use crate::tool;
use crate::verdicts::Verdicts;
use crate::workspace::Workspace;

const VERSION: &str = "6.2.2";

const COLLECTION: &str = "docs/postman/cloudjet.postman_collection.json";
const ENVIRONMENT: &str = "docs/postman/cloudjet.postman_environment.json";

const NAME: &str = "newman: the journey and every operation";

/// Runs the collection against the system on `ports`.
pub(super) async fn check(verdicts: &mut Verdicts, workspace: &Workspace, ports: &Ports, stack: &mut Stack) {
    match install(workspace).await {
        Ok(program) => {
            let log = workspace.contract_logs().join("newman.txt");
            verdicts.add(NAME, run_collection(&program, &[], workspace, ports, &log, stack)).await;
        }
        Err(why) => verdicts.skip(NAME, format!("{why:#}")),
    }
}

/// Installs newman where it isn't yet.
pub(crate) async fn install(workspace: &Workspace) -> Result<PathBuf> {
    Ok(tool::from_node(workspace, "newman", VERSION).await?.join(".bin/newman"))
}

/// The names of the requests of a passenger who pays and flies: all before the cancellation.
pub(crate) fn of_who_flies(workspace: &Workspace) -> Result<Vec<String>> {
    const CANCELS: &str = "15. Cancel";
    let collection: Value = serde_json::from_str(&workspace.read(Path::new(COLLECTION))?)?;
    let passenger = collection.pointer("/item/0/item/0/item").and_then(Value::as_array);
    let names = passenger.into_iter().flatten().filter_map(|request| request["name"].as_str());
    let names: Vec<String> = names.map(str::to_owned).collect();
    let end = names.iter().position(|name| name == CANCELS).with_context(|| format!("nobody does {CANCELS}"))?;
    Ok(names[..end].to_vec())
}

/// Goes through the collection once, on the system on `ports`, or through the requests `only` of it.
pub(crate) async fn run_collection(
    program: &Path,
    only: &[String],
    workspace: &Workspace,
    ports: &Ports,
    log: &Path,
    stack: &mut Stack,
) -> Result<String> {
    let [gateway, simulator] = ports.for_customers()?;
    let mut command = Command::new(program);
    command.current_dir(workspace.root()).args(["run", COLLECTION, "--environment", ENVIRONMENT]);
    command.args(only.iter().flat_map(|name| ["--folder", name]));
    command.args(["--env-var", &format!("baseUrl={gateway}")]);
    command.args(["--env-var", &format!("simulatorUrl={simulator}")]);
    command.args(["--color", "off", "--disable-unicode", "--reporter-cli-no-banner"]);
    let said = run::run("newman", command, log, |line| line.contains("failure  "), stack).await?;
    Ok(assertions(&said).map_or_else(String::new, |number| format!("{number} assertions")))
}

/// How many assertions the summary counts.
fn assertions(said: &str) -> Option<&str> {
    let line = said.lines().find(|line| line.contains(" assertions |"))?;
    line.split('|').nth(2).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read() {
        let said = "|  prerequest-scripts |  40 |  0 |\n|          assertions |  89 |  0 |\n";
        assert_eq!(assertions(said), Some("89"));
        assert_eq!(assertions("nothing"), None);
    }
}
