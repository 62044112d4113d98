//! The programs that have an image, and how they get into it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::bases::{self, Base};
use super::engine::Engine;
use crate::build;
use crate::process::said;
use crate::report;
use crate::services::SERVICES;
use crate::workspace::Workspace;

/// The program that goes through a system as a customer.
pub(super) const JOURNEY: &str = "journey";

/// Where every program trusts certificates from, and where Debian and its relatives keep them.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// The line of the Dockerfile at which compiling is over.
const COMPILED: &str = "FROM scratch AS tool";

/// A program with an image.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Whether it stays, and can be asked whether it is ready.
    pub(super) serves: bool,
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = Program> {
    let services = SERVICES.iter().map(|service| Program { name: service.package, serves: true });
    services.chain([
        Program { name: build::SIMULATOR, serves: true },
        Program { name: build::MIGRATE, serves: false },
        Program { name: JOURNEY, serves: false },
    ])
}

impl Program {
    /// Its image.
    pub(crate) fn image(self) -> String {
        format!("cloudjet/{}:dev", self.name)
    }

    /// The package it is compiled from.
    pub(crate) fn package(self) -> &'static str {
        if self.name == build::SIMULATOR { build::SIMULATOR_PACKAGE } else { self.name }
    }

    /// The stage of the Dockerfile that makes it.
    pub(crate) fn target(self) -> &'static str {
        if self.serves { "service" } else { "tool" }
    }
}

/// Builds all images from the Dockerfile: compiles, or takes the compiled programs of `binaries`.
pub(super) async fn build(engine: &Engine, workspace: &Workspace, binaries: Option<&Path>) -> Result<Vec<Base>> {
    let (context, file, bases) = match binaries {
        None => {
            let rust = bases::rust(engine, workspace).await?;
            (workspace.root().to_owned(), workspace.root().join("Dockerfile"), vec![rust])
        }
        Some(binaries) => {
            let context = compiled(workspace, binaries)?;
            let file = context.join("Dockerfile");
            (context, file, Vec::new())
        }
    };
    let mut shared = labels(workspace).await?;
    shared.extend(bases.iter().flat_map(|base| argument(base.variable, &base.image)));
    for program in all() {
        let mut arguments = vec!["--target".to_owned(), program.target().to_owned()];
        arguments.extend(argument("PROGRAM", program.name));
        arguments.extend(shared.clone());
        let image = program.image();
        report::step(&format!("Building {image}"), engine.build(&image, &file, &context, &arguments)).await?;
    }
    Ok(bases)
}

fn argument(name: &str, value: &str) -> [String; 2] {
    ["--build-arg".to_owned(), format!("{name}={value}")]
}

/// What the labels say of this checkout. Its commit's time, not the build's: the same commit is the same image. Where it
/// can be read is only known to who sets `SOURCE`.
async fn labels(workspace: &Workspace) -> Result<Vec<String>> {
    let git = |arguments: &[&str]| said(workspace.git(arguments));
    let revision = git(&["describe", "--always", "--abbrev=40", "--dirty=-changed", "--exclude=*"]).await?;
    let created = git(&["log", "-1", "--format=%cI"]).await?;
    let mut pairs = vec![("VERSION", env!("CARGO_PKG_VERSION")), ("REVISION", &revision), ("CREATED", &created)];
    let source = env::var_os("SOURCE");
    if let Some(source) = source.as_deref().and_then(OsStr::to_str).filter(|source| !source.is_empty()) {
        pairs.push(("SOURCE", source));
    }
    Ok(pairs.into_iter().flat_map(|(name, value)| argument(name, value)).collect())
}

/// A context of the compiled programs, with the part of the Dockerfile that begins when they are.
fn compiled(workspace: &Workspace, binaries: &Path) -> Result<PathBuf> {
    let context = workspace.images().join("context");
    if context.exists() {
        fs::remove_dir_all(&context)?;
    }
    for program in all() {
        let image = context.join("images").join(program.name);
        let certificates = image.join(CERTIFICATES);
        fs::create_dir_all(certificates.parent().context("certificates have no directory")?)?;
        let binary = binaries.join(program.name);
        let inside = image.join("cloudjet");
        fs::copy(&binary, &inside).with_context(|| format!("{} can't be copied", binary.display()))?;
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o755))?;
        let of_machine = Path::new("/").join(CERTIFICATES);
        fs::copy(&of_machine, &certificates).with_context(|| format!("{} can't be copied", of_machine.display()))?;
    }
    let text = workspace.read(Path::new("Dockerfile"))?;
    fs::write(context.join("Dockerfile"), after_compiling(&text)?)?;
    Ok(context)
}

fn after_compiling(dockerfile: &str) -> Result<String> {
    let begin = dockerfile.find(COMPILED).with_context(|| format!("the Dockerfile has no line {COMPILED}"))?;
    Ok(format!("FROM scratch AS programs\nCOPY images /images\n{}", &dockerfile[begin..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_needs_no_compiler() {
        let text = Workspace::find().unwrap().read(Path::new("Dockerfile")).unwrap();
        let after = after_compiling(&text).unwrap();
        assert!(after.contains("ENTRYPOINT") && after.contains("HEALTHCHECK"), "{after}");
        assert!(!after.contains("RUN ") && !after.contains("RUST_IMAGE"), "{after}");
    }

    #[test]
    fn the_dockerfile_compiles_every_program() {
        let text = Workspace::find().unwrap().read(Path::new("Dockerfile")).unwrap();
        for program in all() {
            let package = program.package();
            assert!(text.contains(&format!("-p {package}")), "{package}");
        }
    }

    #[test]
    fn the_system_consists_of_these_programs_as_they_are_built() {
        let text = Workspace::find().unwrap().read(Path::new("docker-compose.yml")).unwrap();
        for program in all() {
            let built =
                format!("build: {{ context: ., target: {}, args: {{ PROGRAM: {} }} }}", program.target(), program.name);
            assert!(text.contains(&built), "{built}");
        }
    }
}
