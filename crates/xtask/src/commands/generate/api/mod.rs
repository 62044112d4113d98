//! What follows from the services' descriptions taken together: one description of the whole API, which the gateway
//! serves, and what is made of that for people and tools.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Files;
use crate::services;
use crate::workspace::Workspace;

mod merge;
mod operation;
mod postman;
mod table;

/// The whole API's description.
const MERGED: &str = "services/gateway/openapi.json";

/// What stands before its operations.
const INTRODUCTION: &str = "services/gateway/src/docs/introduction.md";

/// All that follows from `descriptions`, the services' own: files, and the table of endpoints.
pub(super) fn generate(workspace: &Workspace, descriptions: &Files) -> Result<(Files, String)> {
    let mut parts = Vec::new();
    for service in services::described() {
        let path = service.description();
        let text = descriptions.0.get(&path).with_context(|| format!("{} has no description", service.package))?;
        let description: Value =
            serde_json::from_slice(text).with_context(|| format!("{} is no JSON", path.display()))?;
        parts.push((service, description));
    }
    let introduction = workspace.read(Path::new(INTRODUCTION))?;
    let api = merge::merge(&introduction, &parts)?;
    let operations = operation::all(&api.paths)?;

    let mut files = Files::default();
    files.0.insert(PathBuf::from(MERGED), pretty(&api)?);
    for (name, document) in postman::generate(&api, &operations)? {
        files.0.insert(Path::new("docs/postman").join(name), pretty(&document)?);
    }
    Ok((files, table::endpoints(&api.tags, &operations)))
}

/// JSON as people review it.
fn pretty(document: &impl serde::Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    Ok(text)
}
