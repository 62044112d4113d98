//! The public images that ours are built on or run beside, and what stands in for them where none can be pulled.
//!
//! A stand-in has a name of its own, so nobody takes it for the real image; Dockerfile and docker-compose.yml are told of
//! it by the variable they have for a mirror.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tokio::process::Command;

use super::engine::Engine;
use crate::process::said;
use crate::workspace::Workspace;
use crate::{programs, report};

/// Debian's release, and what of it the stand-ins are made of.
const RELEASE: &str = "bookworm";
const PACKAGES: &str = "ca-certificates,gcc,libc6-dev,mariadb-server,redis-server";

/// Whom a Debian trusts.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

const DEBIAN: &str = "cloudjet-stand-in/bookworm";

/// A public image, as its users name it.
struct Wanted {
    /// The variable that may name another one.
    variable: &'static str,
    /// The file that says which it is otherwise.
    file: &'static str,
    /// What stands before and after it there.
    around: (&'static str, char),
    /// What stands in for it.
    stand_in: &'static str,
}

const RUST: Wanted = Wanted {
    variable: "RUST_IMAGE",
    file: "Dockerfile",
    around: ("ARG RUST_IMAGE=", '\n'),
    stand_in: "cloudjet-stand-in/rust",
};

const SERVERS: [Wanted; 2] = [
    Wanted {
        variable: "MYSQL_IMAGE",
        file: "docker-compose.yml",
        around: ("${MYSQL_IMAGE:-", '}'),
        stand_in: "cloudjet-stand-in/mysql",
    },
    Wanted {
        variable: "REDIS_IMAGE",
        file: "docker-compose.yml",
        around: ("${REDIS_IMAGE:-", '}'),
        stand_in: "cloudjet-stand-in/redis",
    },
];

/// An image that is there.
#[derive(Clone, Serialize)]
pub(super) struct Base {
    #[serde(skip)]
    pub(super) variable: &'static str,
    /// What is used.
    pub(super) image: String,
    /// What was wanted instead, where it is a stand-in.
    pub(super) instead_of: Option<String>,
}

/// The image that programs are compiled in.
pub(super) async fn rust(engine: &Engine, workspace: &Workspace) -> Result<Base> {
    provide(&RUST, engine, workspace).await
}

/// The images of the database and the cache.
pub(super) async fn servers(engine: &Engine, workspace: &Workspace) -> Result<Vec<Base>> {
    let mut bases = Vec::new();
    for wanted in &SERVERS {
        bases.push(provide(wanted, engine, workspace).await?);
    }
    Ok(bases)
}

async fn provide(wanted: &Wanted, engine: &Engine, workspace: &Workspace) -> Result<Base> {
    let text = workspace.read(Path::new(wanted.file))?;
    let image =
        between(&text, wanted.around).with_context(|| format!("{} names no {}", wanted.file, wanted.variable))?;
    if engine.has(image).await || engine.ask(["pull", "--quiet", image]).await.is_ok() {
        return Ok(Base { variable: wanted.variable, image: image.to_owned(), instead_of: None });
    }
    report::note(format_args!("  {image} can't be pulled: {} stands in for it", wanted.stand_in));
    if !engine.has(wanted.stand_in).await {
        stand_in(wanted.stand_in, engine, workspace).await?;
    }
    Ok(Base { variable: wanted.variable, image: wanted.stand_in.to_owned(), instead_of: Some(image.to_owned()) })
}

fn between<'a>(text: &'a str, (before, after): (&str, char)) -> Option<&'a str> {
    text.split_once(before)?.1.split(after).next()
}

async fn stand_in(image: &str, engine: &Engine, workspace: &Workspace) -> Result<()> {
    if !engine.has(DEBIAN).await {
        report::step("Making a Debian for the stand-ins", debian(engine, workspace)).await?;
    }
    let files = workspace.root().join("crates/xtask/src/commands/images/stand-in");
    if image != RUST.stand_in {
        let target = image.rsplit('/').next().unwrap_or_default().to_owned();
        return engine.build(image, &files.join("Dockerfile"), &files, &["--target".to_owned(), target]).await;
    }
    // This machine's own compiler, which is of the version that the project names, and whom this machine trusts.
    let sysroot = said(in_checkout("rustc", &["--print", "sysroot"], workspace)).await?;
    let container = engine.ask(["create", DEBIAN, "true"]).await?;
    let copies = [(format!("{sysroot}/."), "/usr/local/"), (CERTIFICATES.to_owned(), CERTIFICATES)];
    let mut made = Ok(String::new());
    for (from, to) in &copies {
        if made.is_ok() {
            made = engine.ask(["cp", "--follow-link", from, &format!("{container}:{to}")]).await;
        }
    }
    if made.is_ok() {
        made = engine.ask(["commit", "--change", "ENV CARGO_HOME=/usr/local/cargo", &container, image]).await;
    }
    engine.ask(["rm", &container]).await?;
    made.map(drop)
}

/// Debian as an image, from its own packages.
async fn debian(engine: &Engine, workspace: &Workspace) -> Result<()> {
    let debootstrap =
        programs::find(&["debootstrap"]).context("a stand-in is made with debootstrap, which is not installed here")?;
    let root = workspace.images().join(RELEASE);
    let mut command = Command::new(debootstrap);
    command.args(["--variant=minbase", &format!("--include={PACKAGES}"), RELEASE]).arg(&root);
    said(command).await.context("debootstrap, which must be run by root")?;
    let archive = workspace.images().join(format!("{RELEASE}.tar"));
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".");
    said(tar).await?;
    said(engine.command([std::ffi::OsStr::new("import"), archive.as_os_str(), std::ffi::OsStr::new(DEBIAN)])).await?;
    std::fs::remove_file(&archive)?;
    Ok(std::fs::remove_dir_all(&root)?)
}

fn in_checkout(program: &str, arguments: &[&str], workspace: &Workspace) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace.root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_are_those_that_the_files_name() {
        let workspace = Workspace::find().unwrap();
        for wanted in SERVERS.iter().chain([&RUST]) {
            let text = workspace.read(Path::new(wanted.file)).unwrap();
            let image = between(&text, wanted.around).unwrap_or_default();
            assert!(image.contains(':') && !image.contains(char::is_whitespace), "{}: {image}", wanted.variable);
        }
    }
}
