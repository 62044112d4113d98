//! `.sqlx`: what the database says of each query, written by sqlx's macros themselves while cargo checks the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use super::{Files, write};
use crate::place::Place;
use crate::process::run_on_terminal;
use crate::report;
use crate::servers::Database;
use crate::workspace::Workspace;

const DIRECTORY: &str = ".sqlx";

/// Lets every macro ask `database`, and collects the answers.
pub(super) async fn generate(workspace: &Workspace, place: &Place, database: &Database) -> Result<(Files, Touched)> {
    let answers = place.path("queries");
    fs::create_dir(&answers).with_context(|| format!("{} can't be made", answers.display()))?;
    let touched = Touched::all_crates(workspace)?;

    let mut command = workspace.cargo(&["check", "--workspace", "--all-targets"]);
    command.env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", &answers).env("DATABASE_URL", database.url());
    report::loud_step("Asking the database about every query", run_on_terminal("cargo check", command)).await?;

    let mut files = BTreeMap::new();
    for path in query_files(&answers)? {
        let name = path.file_name().unwrap_or_default();
        let text = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
        files.insert(Path::new(DIRECTORY).join(name), text);
    }
    Ok((Files(files), touched))
}

/// The query data of the checkout, by path in it.
pub(super) fn existing(workspace: &Workspace) -> Result<BTreeSet<PathBuf>> {
    let paths = query_files(&workspace.root().join(DIRECTORY))?;
    Ok(paths.iter().filter_map(|path| Some(Path::new(DIRECTORY).join(path.file_name()?))).collect())
}

/// Puts `files` in the place of all query data, in one step.
pub(super) fn replace(workspace: &Workspace, files: &Files) -> Result<()> {
    let [now, new, old] = [DIRECTORY, ".sqlx.new", ".sqlx.old"].map(|name| workspace.root().join(name));
    for left_over in [&new, &old] {
        if left_over.exists() {
            fs::remove_dir_all(left_over).with_context(|| format!("{} can't be removed", left_over.display()))?;
        }
    }
    fs::create_dir(&new).with_context(|| format!("{} can't be made", new.display()))?;
    for (path, text) in &files.0 {
        write(&new.join(path.file_name().unwrap_or_default()), text)?;
    }
    let exchange = || -> io::Result<()> {
        if now.exists() {
            fs::rename(&now, &old)?;
        }
        fs::rename(&new, &now)?;
        if old.exists() { fs::remove_dir_all(&old) } else { Ok(()) }
    };
    exchange().with_context(|| format!("{} can't be replaced", now.display()))
}

fn query_files(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("{} can't be read", directory.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// The crates' root files with a new time of change, for cargo runs a macro again only when its crate has changed.
///
/// Unless they are to keep the new time, they get their old one back, so that nothing else is built again for it.
pub(super) struct Touched(Vec<(PathBuf, SystemTime)>);

impl Touched {
    fn all_crates(workspace: &Workspace) -> Result<Self> {
        let mut touched = Self(Vec::new());
        for directory in ["crates", "services"].map(|name| workspace.root().join(name)) {
            for entry in fs::read_dir(&directory).with_context(|| format!("{} can't be read", directory.display()))? {
                let source = entry?.path().join("src");
                for root in ["lib.rs", "main.rs"].map(|name| source.join(name)).into_iter().filter(|path| path.exists())
                {
                    let before = fs::metadata(&root)?.modified()?;
                    set_modified(&root, SystemTime::now())?;
                    touched.0.push((root, before));
                }
            }
        }
        Ok(touched)
    }

    /// Gives the files their old times back.
    pub(super) fn restore(self) {
        drop(self);
    }

    /// Leaves the new times, so that everything is built again.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        for (path, before) in &self.0 {
            let _ = set_modified(path, *before);
        }
    }
}

fn set_modified(path: &Path, time: SystemTime) -> Result<()> {
    let file = File::options().append(true).open(path);
    file.and_then(|file| file.set_modified(time)).with_context(|| format!("{} can't be touched", path.display()))
}
