//! Requests made up from a service's description, and every answer held against it.

use std::path::PathBuf;

use anyhow::Result;
use tokio::process::Command;

use super::run;
use super::session::Session;
use crate::services::Service;
use crate::stack::Stack;
use crate::tool;
use crate::workspace::Workspace;

const VERSION: &str = "4.32.5";

/// Ends of the operations' examples, their bounds, and chance. What follows from links between operations is the
/// journey's to try.
const PHASES: &str = "examples,coverage,fuzzing";

/// A schema can't say everything that is refused: an e-mail address is taken already, a day has no flights.
const NOT_CHECKED: &str = "positive_data_acceptance";

/// How much is tried.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    pub(super) seed: u32,
    pub(super) examples: u32,
}

/// The installed tool.
pub(super) struct Schemathesis(PathBuf);

impl Schemathesis {
    /// Installs it where it isn't yet.
    pub(super) async fn install(workspace: &Workspace) -> Result<Self> {
        Ok(Self(tool::from_python(workspace, "schemathesis", &[("schemathesis", VERSION)]).await?.join("schemathesis")))
    }

    /// Tries `service` on `port` for somebody who is signed in.
    pub(super) async fn check(
        &self,
        workspace: &Workspace,
        service: &Service,
        port: u16,
        session: &Session,
        budget: Budget,
        stack: &mut Stack,
    ) -> Result<String> {
        let mut command = Command::new(&self.0);
        // It leaves its notes where it runs.
        command.current_dir(stack.place()?.path(""));
        command.arg("run").arg(workspace.root().join(service.description()));
        command.args(["--url", &format!("http://127.0.0.1:{port}")]);
        command.args(["--header", &format!("Authorization: Bearer {}", session.token)]);
        command.args(["--phases", PHASES, "--exclude-checks", NOT_CHECKED]);
        command.args(["--seed", &budget.seed.to_string(), "--max-examples", &budget.examples.to_string()]);
        command.args(["--continue-on-failure", "--no-shrink", "--no-color"]);
        let log = workspace.contract_logs().join(format!("schemathesis-{}-{}.txt", service.name, session.who));
        let said = run::run("schemathesis", command, &log, |line| line.contains("= FAILURES ="), stack).await?;
        Ok(requests(&said).map_or_else(String::new, |number| format!("{number} requests")))
    }
}

/// How many requests the summary counts.
fn requests(said: &str) -> Option<&str> {
    let mut lines = said.lines().skip_while(|line| !line.starts_with("Test cases:"));
    lines.nth(1)?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read() {
        assert_eq!(requests("API\n\nTest cases:\n  418 generated, 418 passed\n\nSeed: 1\n"), Some("418"));
        assert_eq!(requests("nothing"), None);
    }
}
