//! The gateway as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::run::<gateway::Gateway>()
}
