//! Building our programs, in the one way that lets all commands share what has been compiled.
//!
//! Cargo compiles a dependency once for each set of its features, and which set that is depends on the packages a
//! command names. So we always name the whole workspace, as the tests do, and pick the programs out of it. Asking
//! for the examples as well, of which there are none, makes cargo count the features that only tests want.

use anyhow::Result;

use crate::process::run_on_terminal;
use crate::report;
use crate::services::SERVICES;
use crate::workspace::{Profile, Workspace};

/// The program that migrates the database.
pub(crate) const MIGRATE: &str = "migrate";

/// The program that plays the payment provider.
pub(crate) const SIMULATOR: &str = "bootpay-simulator";

/// The package of that program: the others have the names of theirs.
pub(crate) const SIMULATOR_PACKAGE: &str = "bootpay";

/// The program that measures bookings.
pub(crate) const BENCH: &str = "bench";

/// The program that plays seeds.
pub(crate) const SIMULATE: &str = "simulate";

/// What to do when something can't be built.
const NOT_BUILT: &str =
    "the programs can't be built. The compiler says above why; after a change to a query, run `cargo xtask generate`";

/// Builds everything that a running system consists of.
pub(crate) async fn system(workspace: &Workspace, profile: Profile) -> Result<()> {
    let services = SERVICES.iter().map(|service| service.package);
    let programs: Vec<_> = services.chain([MIGRATE, SIMULATOR]).collect();
    report::loud_step("Building", build(workspace, profile, &programs)).await
}

/// Builds `bench`.
pub(crate) async fn bench(workspace: &Workspace, profile: Profile) -> Result<()> {
    report::loud_step("Building bench", build(workspace, profile, &[BENCH])).await
}

/// Builds `simulate`.
pub(crate) async fn simulation(workspace: &Workspace) -> Result<()> {
    report::loud_step("Building the simulation", build(workspace, Profile::Debug, &[SIMULATE])).await
}

/// Builds `migrate`, which needs no query data.
pub(crate) async fn migrate(workspace: &Workspace) -> Result<()> {
    report::loud_step("Building migrate", build(workspace, Profile::Debug, &[MIGRATE])).await
}

/// Builds what can tell of itself: the services, `migrate` and the simulator.
pub(crate) async fn programs(workspace: &Workspace) -> Result<()> {
    let programs: Vec<_> = SERVICES.iter().map(|service| service.package).chain([MIGRATE, SIMULATOR]).collect();
    report::loud_step("Building the programs", build(workspace, Profile::Debug, &programs)).await
}

async fn build(workspace: &Workspace, profile: Profile, programs: &[&str]) -> Result<()> {
    let mut command = match profile {
        Profile::Debug => workspace.cargo(&["build", "--workspace", "--examples"]),
        Profile::Release => workspace.cargo(&["build", "--release"]),
    };
    for &program in programs {
        command.args(["--bin", program]);
        if profile == Profile::Release {
            command.args(["--package", if program == SIMULATOR { SIMULATOR_PACKAGE } else { program }]);
        }
    }
    run_on_terminal("The build", command).await.map_err(|error| error.context(NOT_BUILT))
}
