//! `cargo xtask generate`: the files that follow from the code and are committed with it.
//!
//! Those are the query data of sqlx's macros in `.sqlx`, so that a build needs no database, each service's
//! `openapi.json`, and what is made of these: the gateway's, the Postman collection, the tables of the README.
//! `cargo xtask check` makes them anew in memory and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::build;
use crate::install::{self, Needs};
use crate::migrate::{self, Load};
use crate::place::Place;
use crate::report;
use crate::servers::{self, Database};
use crate::settings::Settings;
use crate::stack::Stack;
use crate::workspace::{Profile, Workspace};

mod api;
mod descriptions;
mod markers;
mod queries;
mod reference;

use reference::Reference;

/// The document with tables of endpoints and settings.
const README: &str = "README.md";

/// The document with a table of what can be written for the payment simulator.
const SIMULATOR: &str = "docs/payments-simulator.md";

/// The command that mends stale files.
const COMMAND: &str = "cargo xtask generate";

/// Generated files by their paths in the checkout.
#[derive(Default)]
struct Files(BTreeMap<PathBuf, Vec<u8>>);

/// Write the generated files: .sqlx, the descriptions of the API and what is made of them.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Leave .sqlx alone, which needs a database.
    #[arg(long)]
    no_queries: bool,
    /// Never install a missing database.
    #[arg(long)]
    pub(crate) no_install: bool,
}

/// Writes the generated files.
pub(crate) async fn run(arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) -> Result<()> {
    let (mut changed, mut total) = (0, 0);
    if !arguments.no_queries {
        (changed, total) = write_queries(!arguments.no_install, workspace, stack).await?;
    }
    let documents = documents(workspace).await?;
    changed += documents.differences(workspace, &BTreeSet::new()).len();
    total += documents.0.len();
    documents.write(workspace)?;
    report::say(format_args!("{total} generated files, {changed} of them changed."));
    Ok(())
}

/// Writes the query data; answers how many files changed, and of how many.
async fn write_queries(may_install: bool, workspace: &Workspace, stack: &mut Stack) -> Result<(usize, usize)> {
    let database = provide_database(may_install, workspace, stack).await?;
    let (queries, touched) = queries::generate(workspace, stack.place()?, &database).await?;
    let stale = queries.differences(workspace, &queries::existing(workspace)?);
    if stale.is_empty() {
        touched.restore();
    } else {
        // Cargo does not see that the macros read these files: let it build again what holds a macro.
        touched.keep();
        queries::replace(workspace, &queries)?;
    }
    Ok((stale.len(), queries.0.len()))
}

/// One line for each file that is not as it would be generated now.
pub(crate) async fn stale(may_install: bool, workspace: &Workspace, stack: &mut Stack) -> Result<Vec<String>> {
    let database = provide_database(may_install, workspace, stack).await?;
    let (queries, touched) = queries::generate(workspace, stack.place()?, &database).await?;
    touched.restore();
    let mut stale = queries.differences(workspace, &queries::existing(workspace)?);
    if stale.is_empty() {
        stale.extend(documents(workspace).await?.differences(workspace, &BTreeSet::new()));
    }
    Ok(stale)
}

/// What the services say of themselves, and what follows from that.
async fn documents(workspace: &Workspace) -> Result<Files> {
    build::programs(workspace).await?;
    let mut documents = descriptions::generate(workspace).await?;
    let (derived, endpoints) = api::generate(workspace, &documents)?;
    documents.0.extend(derived.0);

    let reference = Reference::ask(workspace).await?;
    let mut readme = workspace.read(Path::new(README))?;
    for (name, table) in [("endpoints", endpoints), ("settings", reference.settings_table())] {
        readme = markers::fill(&readme, name, &table).context(README)?;
    }
    documents.0.insert(README.into(), readme.into_bytes());
    let scripts = descriptions::ask(workspace, build::SIMULATOR, "--scripts").await?;
    let simulator = workspace.read(Path::new(SIMULATOR))?;
    let simulator = markers::fill(&simulator, "scripts", &String::from_utf8(scripts)?).context(SIMULATOR)?;
    documents.0.insert(SIMULATOR.into(), simulator.into_bytes());
    documents.0.insert("docs/metrics.md".into(), reference.metrics_document().into_bytes());
    Ok(documents)
}

/// A migrated throw-away database, with the name that the query data has baked in. Settings have no say in it.
async fn provide_database(may_install: bool, workspace: &Workspace, stack: &mut Stack) -> Result<Database> {
    let settings = Settings::default();
    install::ensure(Needs::Database, may_install, workspace, &settings).await?;
    servers::require_mariadb().await?;
    stack.settle(Place::throw_away(&workspace.throw_away(), "generate")?);
    build::migrate(workspace).await?;
    let database = report::step("Starting a throw-away database", servers::provide_database(&settings, stack)).await?;
    migrate::run(Load::Schema, workspace, Profile::Debug, &settings, &database).await?;
    Ok(database)
}

impl Files {
    /// What differs from the checkout; `existing` are the files that may turn out to be no longer generated.
    fn differences(&self, workspace: &Workspace, existing: &BTreeSet<PathBuf>) -> Vec<String> {
        let wrong = self.0.iter().filter_map(|(path, text)| match fs::read(workspace.root().join(path)) {
            Ok(found) if found == *text => None,
            Ok(_) => Some(format!("{} is not up to date: {COMMAND}", path.display())),
            Err(_) => Some(format!("{} is missing: {COMMAND}", path.display())),
        });
        let needless = existing.iter().filter(|path| !self.0.contains_key(*path));
        wrong.chain(needless.map(|path| format!("{} is not needed any more: {COMMAND}", path.display()))).collect()
    }

    /// Writes the files.
    fn write(&self, workspace: &Workspace) -> Result<()> {
        self.0.iter().try_for_each(|(path, text)| write(&workspace.root().join(path), text))
    }
}

fn write(path: &Path, text: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
    }
    fs::write(path, text).with_context(|| format!("{} can't be written", path.display()))
}
