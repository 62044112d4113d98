//! Helm and the schemas of Kubernetes, as Python packages: asked once, in one process, for everything.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;

use super::cases::Case;
use super::object::Objects;
use crate::process::said_to;
use crate::tool;
use crate::workspace::Workspace;

const HELM: &str = "0.2.2";
const SCHEMAS: &str = "1.37.0";
const YAML: &str = "6.0.3";

/// The program that answers.
const RENDER: &str = include_str!("render.py");

/// What is asked for.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    /// The chart's directory.
    pub(super) chart: PathBuf,
    /// The directory with the schemas of custom kinds.
    pub(super) schemas: PathBuf,
    /// The version of Kubernetes whose schemas are asked.
    pub(super) kubernetes: &'a str,
    /// Files of values that the chart is linted with.
    pub(super) linted: Vec<Vec<String>>,
    pub(super) cases: &'a [Case],
    /// Files of plain objects.
    pub(super) manifests: &'a [PathBuf],
    /// The file of docker compose.
    pub(super) compose: PathBuf,
}

/// What is answered.
#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) lint: Vec<Message>,
    /// In the order they were asked for.
    pub(super) cases: Vec<Rendered>,
    /// All values that the chart takes, in the order of its schema.
    pub(super) values: Vec<Described>,
    pub(super) manifests: Vec<Manifest>,
    /// docker-compose.yml, with its anchors resolved.
    pub(super) compose: Value,
}

/// What the linter says.
#[derive(Deserialize)]
pub(super) struct Message {
    /// 1: for information, 2: a warning, 3: an error.
    pub(super) severity: u8,
    pub(super) path: String,
    pub(super) error: String,
}

/// One render.
#[derive(Deserialize)]
pub(super) struct Rendered {
    pub(super) name: String,
    /// What it was rendered with, defaults included.
    pub(super) values: Value,
    pub(super) objects: Objects,
    /// What the schemas of the objects' kinds refuse.
    pub(super) faults: Vec<String>,
    /// Why there are no objects.
    #[serde(default)]
    pub(super) refusal: Option<String>,
    /// The objects as YAML, where that was wanted.
    #[serde(default)]
    pub(super) text: Option<String>,
}

/// A file of plain objects.
#[derive(Deserialize)]
pub(super) struct Manifest {
    pub(super) path: PathBuf,
    pub(super) objects: Objects,
    pub(super) faults: Vec<String>,
}

/// A value that the chart takes.
#[derive(Deserialize)]
pub(super) struct Described {
    pub(super) path: Vec<String>,
    pub(super) help: String,
    /// Nothing for a group of values.
    pub(super) schema: Option<Value>,
    pub(super) default: Value,
}

/// Installs Helm where it isn't yet.
///
/// # Errors
/// If python3 is not there, or the packages can't be had.
pub(super) async fn install(workspace: &Workspace) -> Result<PathBuf> {
    let packages = [("helm-python-sdk", HELM), ("kubernetes-validate", SCHEMAS), ("pyyaml", YAML)];
    Ok(tool::from_python(workspace, "helm", &packages).await?.join("python"))
}

/// Asks.
///
/// # Errors
/// If the program fails, with its last words.
pub(super) async fn ask(python: &Path, request: &Request<'_>) -> Result<Answer> {
    let mut command = Command::new(python);
    command.args(["-c", RENDER]);
    let answer = said_to(command, &serde_json::to_vec(request)?).await?;
    serde_json::from_str(&answer).context("what it answers can't be read")
}
