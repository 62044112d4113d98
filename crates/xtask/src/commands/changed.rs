//! `cargo xtask changed`: what a pipeline must test and build because of what changed.
//!
//! Whatever isn't known to be harmless counts as a change of everything: to build too much costs minutes, to build too
//! little ships an old program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::commands::images;
use crate::process::said;
use crate::report;
use crate::workspace::Workspace;

/// Files and directories that no test runs, and no program is made of.
const HARMLESS: [&str; 9] = [
    ".clippy.toml",
    ".deny.toml",
    ".editorconfig",
    ".gitignore",
    ".rustfmt.toml",
    "LICENSE",
    "deploy/",
    "docs/",
    "sonar-project.properties",
];

/// Those of them that tests and the live checks read; no program is made of them.
const READ_BY_TESTS: [&str; 10] = [
    "deploy/cloudjet/load/profiles.js",
    "deploy/cloudjet/monitoring/",
    "deploy/cloudjet/values.yaml",
    "deploy/golden/prod.yaml",
    "deploy/monitoring/",
    "docs/metrics.md",
    "docs/news.md",
    "docs/payments-simulator.md",
    "docs/postman/",
    "docs/reconciliation.md",
];

/// What every image is built or proven with.
const OF_IMAGES: [&str; 2] = ["crates/xtask/src/commands/images/", "deploy/compose/"];

/// Tell which tests and which images a change asks for.
///
/// Prints `code=true` if anything but documents and deployment changed, and `programs=[…]`, those whose images are no
/// longer what they were, in the form in which steps of a pipeline give their outputs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The commit to compare with. Without it, or where it is unknown here, everything has changed; of one that came after
    /// this one, nothing has.
    #[arg(long, value_name = "COMMIT")]
    since: Option<String>,
}

/// What a change asks for.
#[derive(Debug, PartialEq, Eq)]
struct Changes {
    code: bool,
    programs: Vec<&'static str>,
}

/// The crates of the workspace: where each is, and which of ours it is compiled with.
#[derive(Default)]
struct Crates {
    directories: BTreeMap<String, PathBuf>,
    needs: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev` or `build`, or nothing.
    kind: Option<String>,
    /// Only ours have one.
    path: Option<PathBuf>,
}

/// Prints it.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace) -> Result<()> {
    let changes = match paths(arguments.since.as_deref(), workspace).await? {
        Some(paths) => Changes::of(&paths, &Crates::read(workspace).await?),
        None => Changes::everything(),
    };
    report::say(format_args!("code={}", changes.code));
    report::say(format_args!("programs={}", serde_json::to_string(&changes.programs)?));
    Ok(())
}

/// The paths that differ since that commit, if it can be known.
async fn paths(since: Option<&str>, workspace: &Workspace) -> Result<Option<Vec<PathBuf>>> {
    let Some(since) = since.filter(|since| !since.is_empty()) else { return Ok(None) };
    if git(workspace, &["cat-file", "-e", &format!("{since}^{{commit}}")]).await.is_err() {
        report::note(format_args!("{since} is not known here: everything counts as changed."));
        return Ok(None);
    }
    // A run that somebody starts again when newer programs were built would propose to go back to its own.
    if git(workspace, &["merge-base", "--is-ancestor", "HEAD", since]).await.is_ok() {
        report::note(format_args!("{since} has all that is here: nothing counts as changed."));
        return Ok(Some(Vec::new()));
    }
    let names = git(workspace, &["diff", "--name-only", "--no-renames", "-z", since, "HEAD"]).await?;
    Ok(Some(names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect()))
}

async fn git(workspace: &Workspace, arguments: &[&str]) -> Result<String> {
    said(workspace.git(arguments)).await.context("git can't tell")
}

impl Changes {
    fn everything() -> Self {
        Self { code: true, programs: images::programs().map(|program| program.name).collect() }
    }

    fn of(paths: &[PathBuf], crates: &Crates) -> Self {
        let mut changed = BTreeSet::new();
        let mut code = false;
        for path in paths.iter().filter(|path| !is_harmless(path)) {
            code = true;
            if is_below(path, &OF_IMAGES) {
                return Self::everything();
            }
            match crates.owner(path) {
                Some((_, inside)) if inside.starts_with("tests") => {}
                Some((name, _)) => {
                    changed.insert(name);
                }
                None if is_below(path, &READ_BY_TESTS) || is_document(path) => {}
                None => return Self::everything(),
            }
        }
        let programs = images::programs().filter(|program| !crates.closure(program.package()).is_disjoint(&changed));
        Self { code, programs: programs.map(|program| program.name).collect() }
    }
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

fn is_below(path: &Path, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

fn is_harmless(path: &Path) -> bool {
    !is_below(path, &READ_BY_TESTS) && !is_below(path, &OF_IMAGES) && (is_document(path) || is_below(path, &HARMLESS))
}

impl Crates {
    async fn read(workspace: &Workspace) -> Result<Self> {
        let told = said(workspace.cargo(&["metadata", "--no-deps", "--format-version", "1"]));
        let metadata: Metadata = serde_json::from_str(&told.await.context("cargo can't tell our crates")?)?;
        let mut crates = Self::default();
        for package in metadata.packages {
            let directory = package.manifest_path.parent().context("a manifest is in a directory")?;
            let directory = directory.strip_prefix(workspace.root()).context("a crate is outside of the workspace")?;
            crates.directories.insert(package.name.clone(), directory.to_owned());
            let ours = package.dependencies.into_iter().filter(|one| one.path.is_some());
            let compiled = ours.filter(|one| one.kind.as_deref() != Some("dev")).map(|one| one.name);
            crates.needs.insert(package.name, compiled.collect());
        }
        Ok(crates)
    }

    /// The crate that a file belongs to, and the file's place in it.
    fn owner<'a>(&self, path: &'a Path) -> Option<(&str, &'a Path)> {
        self.directories.iter().find_map(|(name, directory)| Some((name.as_str(), path.strip_prefix(directory).ok()?)))
    }

    /// A crate and all of ours that are compiled into it.
    fn closure<'a>(&'a self, root: &'a str) -> BTreeSet<&'a str> {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![root]);
        while let Some(name) = todo.pop() {
            if seen.insert(name) {
                todo.extend(self.needs.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn changes(paths: &[&str]) -> Changes {
        let crates = Crates::read(&Workspace::find().unwrap()).await.unwrap();
        Changes::of(&paths.iter().map(PathBuf::from).collect::<Vec<_>>(), &crates)
    }

    #[tokio::test]
    async fn documents_and_deployment_ask_for_nothing() {
        let paths = ["docs/images.md", "services/booking/README.md", "deploy/cloudjet/values-prod.yaml", "LICENSE"];
        assert_eq!(changes(&paths).await, Changes { code: false, programs: Vec::new() });
    }

    #[tokio::test]
    async fn a_service_of_its_own_is_one_image() {
        let flight = changes(&["services/flight/src/lib.rs", "docs/images.md"]).await;
        assert_eq!(flight, Changes { code: true, programs: vec!["flight-service"] });
    }

    #[tokio::test]
    async fn a_crate_is_in_the_image_of_everybody_who_is_compiled_with_it() {
        let orders = changes(&["crates/orders/src/lib.rs"]).await;
        assert!(
            orders.programs.contains(&"booking-service") && orders.programs.contains(&"admin-service"),
            "{orders:?}"
        );
        assert!(!orders.programs.contains(&"gateway") && !orders.programs.contains(&"migrate"), "{orders:?}");
    }

    #[tokio::test]
    async fn tests_are_run_and_are_in_no_image() {
        for path in
            ["crates/orders/tests/holds.rs", "crates/testkit/src/lib.rs", "crates/xtask/src/commands/check/mod.rs"]
        {
            assert_eq!(changes(&[path]).await, Changes { code: true, programs: Vec::new() }, "{path}");
        }
        for place in READ_BY_TESTS {
            assert!(Workspace::find().unwrap().root().join(place).exists(), "{place}");
            assert_eq!(changes(&[place]).await, Changes { code: true, programs: Vec::new() }, "{place}");
        }
    }

    #[test]
    fn no_file_that_a_crate_reads_outside_of_itself_is_harmless() {
        let root = fs::canonicalize(Workspace::find().unwrap().root()).unwrap();
        let mut read = BTreeSet::new();
        for parent in ["crates", "services"].map(|name| root.join(name)) {
            for entry in fs::read_dir(parent).unwrap() {
                let own = entry.unwrap().path();
                let files = sources(&own).into_iter().flat_map(|source| named_elsewhere(&own, &source));
                read.extend(files.filter_map(|file| Some(file.strip_prefix(&root).ok()?.to_owned())));
            }
        }
        assert!(read.contains(Path::new("docs/news.md")), "included: {read:?}");
        assert!(read.contains(Path::new("docs/reconciliation.md")), "read by a test: {read:?}");
        let harmless: Vec<_> = read.iter().filter(|path| is_harmless(path)).collect();
        assert!(harmless.is_empty(), "{harmless:?}");
    }

    /// The Rust below a path.
    fn sources(path: &Path) -> Vec<PathBuf> {
        if path.is_dir() {
            return fs::read_dir(path).unwrap().flat_map(|entry| sources(&entry.unwrap().path())).collect();
        }
        path.extension().filter(|extension| *extension == "rs").map(|_| path.to_owned()).into_iter().collect()
    }

    /// What a source names by a way out of its crate: from its own directory, as macros do, or from the crate's, as tests do.
    fn named_elsewhere(own: &Path, source: &Path) -> Vec<PathBuf> {
        let text = fs::read_to_string(source).unwrap();
        let ways = text.split('"').filter(|part| part.contains("../")).map(|way| way.trim_start_matches('/'));
        let places = ways.flat_map(|way| [source.parent().unwrap().join(way), own.join(way)]);
        places.filter_map(|place| fs::canonicalize(place).ok()).filter(|place| !place.starts_with(own)).collect()
    }

    #[tokio::test]
    async fn what_was_overtaken_has_changed_nothing() {
        let root = std::env::temp_dir().join(format!("cloudjet-changed-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let workspace = Workspace::at(root.clone());
        let as_somebody = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
        let ask = async |arguments: &[&str]| git(&workspace, &[&as_somebody, arguments].concat()).await.unwrap();
        ask(&["init", "--quiet"]).await;
        let mut commits = Vec::new();
        for name in ["old.rs", "new.rs"] {
            fs::write(root.join(name), "").unwrap();
            ask(&["add", "."]).await;
            ask(&["commit", "--quiet", "--message", name]).await;
            commits.push(ask(&["rev-parse", "HEAD"]).await);
        }
        let changed = async |since: &str| paths(Some(since), &workspace).await.unwrap().unwrap();
        assert_eq!(changed(&commits[0]).await, [PathBuf::from("new.rs")]);
        ask(&["checkout", "--quiet", &commits[0]]).await;
        assert_eq!(changed(&commits[1]).await, Vec::<PathBuf>::new());
        fs::remove_dir_all(root).unwrap();
    }

    #[tokio::test]
    async fn what_is_not_known_to_be_harmless_changes_everything() {
        let unknown =
            ["Cargo.lock", "Dockerfile", ".cargo/config.toml", ".sqlx/query-1.json", "migrations/1.sql", "new"];
        for path in unknown.into_iter().chain(["crates/xtask/src/commands/images/proof.yml", "deploy/compose/x.conf"]) {
            assert_eq!(changes(&[path]).await, Changes::everything(), "{path}");
        }
        assert_eq!(paths(Some("no-such-commit"), &Workspace::find().unwrap()).await.unwrap(), None);
    }
}
