//! `cargo xtask images`: builds the images, and proves what can be proven of them on one machine.
//!
//! It needs a container engine and takes long, so it is a command of its own and no part of `check`. Where no public image
//! can be pulled, stand-ins are made of Debian's packages, and the report says so.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use crate::place::Place;
use crate::report::{self, Style, paint};
use crate::services::SERVICES;
use crate::stack::Stack;
use crate::visit::Restarts;
use crate::workspace::Workspace;

mod bases;
mod engine;
mod programs;
mod sbom;
mod system;

use bases::Base;
use engine::Engine;
pub(crate) use programs::all as programs;
use system::System;

/// Those that are restarted under load: one that answers by itself, and one that asks others.
const RESTARTED: [&str; 2] = ["booking", "gateway"];

/// Build the images, start the system from them, and hold it to what is promised.
///
/// Writes what each program is made of (CycloneDX), builds every image, starts docker-compose.yml with them on networks of
/// its own, and tells how large each is, how long it takes to be ready, whether a customer's journey succeeds and whether
/// a restart under load loses a request. It needs docker and its compose; root starts dockerd where none runs. All of it
/// is removed again, but for the images.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Take the compiled, static programs of this directory instead of compiling in a container.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Only write what each program is made of, to target/images/sbom. This needs no container engine.
    #[arg(long)]
    sbom: bool,
    /// Only build the images.
    #[arg(long)]
    no_proof: bool,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// An image and its program.
#[derive(Serialize)]
struct Image {
    program: &'static str,
    mebibytes: f64,
    /// From asking the engine to start its container until it is ready, in milliseconds.
    ready_ms: Option<f64>,
}

/// What was found.
#[derive(Serialize)]
struct Findings {
    engine: String,
    bases: Vec<Base>,
    images: Vec<Image>,
    proof: Option<Proof>,
}

/// What was found of the running system.
#[derive(Serialize)]
struct Proof {
    /// From nothing to all healthy, in seconds.
    start_seconds: f64,
    /// Containers that may do nothing but run.
    confined: usize,
    journey: Vec<String>,
    restarts: Vec<Restarts>,
}

/// Does it all and prints it.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<()> {
    let written = report::step("Writing what each program is made of", sbom::write(workspace)).await?;
    if arguments.sbom {
        for path in &written {
            report::say(workspace.shown(path));
        }
        return Ok(());
    }
    stack.settle(Place::throw_away(&workspace.throw_away(), "images")?);
    let engine = Engine::find(stack).await?;
    if !arguments.no_proof && !engine.has_compose().await {
        bail!("this docker has no compose: on Debian it is the package docker-compose, of version 2");
    }
    let mut bases = programs::build(&engine, workspace, arguments.binaries.as_deref()).await?;
    let mut images = Vec::new();
    for program in programs::all() {
        let bytes = engine.ask(["image", "inspect", "--format", "{{.Size}}", &program.image()]).await?;
        let bytes: f64 = bytes.parse().context("an image has no size")?;
        images.push(Image { program: program.name, mebibytes: bytes / f64::from(1 << 20), ready_ms: None });
    }
    let mut proof = None;
    if !arguments.no_proof {
        let servers = bases::servers(&engine, workspace).await?;
        let system = System::of(&engine, workspace, &servers);
        bases.extend(servers);
        let outcome = prove(&system, &mut images).await;
        report::step("Removing it", system.remove()).await?;
        proof = Some(outcome?);
    }
    let findings = Findings { engine: engine.version().await?, bases, images, proof };
    if arguments.json {
        report::say(serde_json::to_string_pretty(&findings)?);
    } else {
        report::say(&findings);
    }
    match findings.lost() {
        0 => Ok(()),
        lost => bail!("{lost} requests were lost while instances were restarted"),
    }
}

async fn prove(system: &System<'_>, images: &mut [Image]) -> Result<Proof> {
    let took = report::step("Starting the system from its images", system.start()).await?;
    let confined = report::step("Looking at what containers may do", system.check_confinement()).await?;
    let journey = report::step("Going through it as a customer", system.journey()).await?;
    let users = report::step("Signing in and booking", system.users()).await?;
    let mut restarts = Vec::new();
    for service in SERVICES.iter().filter(|service| RESTARTED.contains(&service.name)) {
        let doing = format!("Restarting {} under load", service.name);
        restarts.push(report::step(&doing, system.restart(service, &users)).await?);
    }
    report::step("Timing the start of each service", async {
        for service in &SERVICES {
            let ready = system.time_to_ready(service).await?;
            if let Some(image) = images.iter_mut().find(|image| image.program == service.package) {
                image.ready_ms = Some(milliseconds(ready));
            }
        }
        Ok(())
    })
    .await?;
    let journey = journey.lines().map(str::to_owned).collect();
    Ok(Proof { start_seconds: took.as_secs_f64(), confined, journey, restarts })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Findings {
    fn lost(&self) -> usize {
        self.proof.iter().flat_map(|proof| &proof.restarts).map(|restarts| restarts.seen.lost).sum()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["image", "MiB", "ready after"].map(str::to_owned)];
        rows.extend(self.images.iter().map(|image| {
            let ready = image.ready_ms.map_or_else(String::new, |ready| format!("{ready:.0} ms"));
            [format!("cloudjet/{}", image.program), format!("{:.1}", image.mebibytes), ready]
        }));
        write!(to, "\n{}", report::table(&rows))?;
        for base in self.bases.iter().filter_map(|base| Some((&base.image, base.instead_of.as_ref()?))) {
            writeln!(to, "\n{} stood in for {}, which can't be pulled here.", base.0, base.1)?;
        }
        let Some(proof) = &self.proof else { return Ok(()) };
        writeln!(
            to,
            "\n{} containers of ours, each confined; all healthy after {:.1} s.",
            proof.confined, proof.start_seconds
        )?;
        writeln!(to, "\n{}\n", paint(Style::Bold, "A customer's journey"))?;
        proof.journey.iter().try_for_each(|step| writeln!(to, "  {step}"))?;
        writeln!(to, "\n{}\n", paint(Style::Bold, "Restarts under load"))?;
        let mut rows = vec![["service", "restarts", "answered", "sent again", "lost"].map(str::to_owned)];
        rows.extend(proof.restarts.iter().map(|Restarts { service, times, seen }| {
            let counts = [*times, seen.answered, seen.sent_again, seen.lost].map(|n| n.to_string());
            let [times, answered, sent_again, lost] = counts;
            [(*service).to_owned(), times, answered, sent_again, lost]
        }));
        to.write_str(&report::table(&rows))?;
        let reasons = proof.restarts.iter().filter_map(|row| Some((row.service, row.seen.reason.as_ref()?)));
        reasons.into_iter().try_for_each(|(service, reason)| writeln!(to, "\n{service}: {reason}"))
    }
}
