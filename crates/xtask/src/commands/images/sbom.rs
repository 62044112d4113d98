//! What a program is made of, as CycloneDX: every crate that is compiled into it, with its licence and its checksum, and
//! who needs whom.
//!
//! Cargo is asked as the Dockerfile builds, with all programs in one command, because what one of them wants of a crate
//! the others get, too. Macros and build scripts are no part of a program; nor are the C library and Rust's own listed,
//! which come with the image that programs are compiled in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::programs::{self, Program};
use crate::process::said;
use crate::workspace::Workspace;

/// For which machine: on others a crate or two differ.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A crate, by which cargo tells it from others.
type Name = (String, String);

/// Who needs whom, and under which licences.
#[derive(Default)]
struct Graph {
    licences: BTreeMap<Name, String>,
    needs: BTreeMap<Name, BTreeSet<Name>>,
}

/// Writes one document for each program, and tells where.
pub(super) async fn write(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let directory = workspace.images().join("sbom");
    fs::create_dir_all(&directory)?;
    let graph = Graph::read(&tree(workspace).await?);
    let checksums = checksums(&workspace.read(Path::new("Cargo.lock"))?);
    let mut written = Vec::new();
    for program in programs::all() {
        let path = directory.join(format!("{}.cdx.json", program.name));
        let document = document(program, &graph, &checksums)?;
        fs::write(&path, serde_json::to_string_pretty(&document)? + "\n")?;
        written.push(path);
    }
    Ok(written)
}

async fn tree(workspace: &Workspace) -> Result<String> {
    let mut command = workspace.cargo(&["tree", "--locked", "--prefix", "depth", "--format", "|{p}|{l}"]);
    command.args(["--edges", "normal,no-proc-macro", "--target", TARGET]);
    for program in programs::all() {
        command.args(["--package", program.package()]);
    }
    said(command).await.context("cargo can't tell what programs are made of")
}

impl Graph {
    /// Reads lines of `depth|name vversion (where from)|licence`; what stands below a crate is told once.
    fn read(tree: &str) -> Self {
        let mut graph = Self::default();
        let mut path: Vec<Name> = Vec::new();
        for line in tree.lines() {
            let mut parts = line.splitn(3, '|');
            let (Some(depth), Some(package), Some(licence)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let mut words = package.split(' ');
            let (Ok(depth), Some(name), Some(version)) = (depth.parse(), words.next(), words.next()) else { continue };
            let name = (name.to_owned(), version.trim_start_matches('v').to_owned());
            path.truncate(depth);
            if let Some(user) = path.last() {
                graph.needs.entry(user.clone()).or_default().insert(name.clone());
            }
            let licence = licence.trim_end_matches("(*)").trim().replace('/', " OR ");
            graph.licences.insert(name.clone(), licence);
            path.push(name);
        }
        graph
    }

    /// `root` and everything it needs.
    fn closure(&self, root: &Name) -> BTreeSet<Name> {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![root.clone()]);
        while let Some(one) = todo.pop() {
            if seen.insert(one.clone()) {
                todo.extend(self.needs.get(&one).into_iter().flatten().cloned());
            }
        }
        seen
    }
}

/// The checksums that Cargo.lock has for crates of the registry.
fn checksums(lock: &str) -> BTreeMap<Name, String> {
    let field = |package: &str, name: &str| {
        let mut lines = package.lines().filter_map(|line| line.split_once(" = "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            Some(((field(package, "name")?, field(package, "version")?), field(package, "checksum")?))
        })
        .collect()
}

fn document(program: Program, graph: &Graph, checksums: &BTreeMap<Name, String>) -> Result<Value> {
    let root = graph.licences.keys().find(|(name, _)| name == program.package());
    let root = root.with_context(|| format!("cargo doesn't know {}", program.name))?;
    let closure = graph.closure(root);
    let component = |kind: &str, name: &Name| {
        let mut component = json!({
            "type": kind,
            "bom-ref": reference(name),
            "name": name.0,
            "version": name.1,
        });
        if let Some(licence) = graph.licences.get(name).filter(|licence| !licence.is_empty()) {
            component["licenses"] = json!([{ "expression": licence }]);
        }
        // Ours are not in the registry.
        if let Some(checksum) = checksums.get(name) {
            component["purl"] = reference(name).into();
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        component
    };
    let mut itself = component("application", root);
    itself["name"] = program.name.into();
    let libraries: Vec<Value> =
        closure.iter().filter(|name| *name != root).map(|name| component("library", name)).collect();
    let dependencies: Vec<Value> = closure
        .iter()
        .map(|name| {
            let needs: Vec<_> = graph.needs.get(name).into_iter().flatten().map(reference).collect();
            json!({ "ref": reference(name), "dependsOn": needs })
        })
        .collect();
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": itself, "lifecycles": [{ "phase": "build" }] },
        "components": libraries,
        "dependencies": dependencies,
    }))
}

fn reference((name, version): &Name) -> String {
    format!("pkg:cargo/{name}@{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0|journey v0.1.0 (/cloudjet/crates/journey)|MIT\n1|a v1.0.0|MIT/Apache-2.0\n2|b v2.0.0|ISC\n\
                        1|b v2.0.0|ISC (*)\n0|gateway v0.1.0 (/cloudjet/services/gateway)|MIT\n1|a v1.0.0|MIT/Apache-2.0 (*)\n\
                        1|c v3.0.0|MIT\n";

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry\"\nchecksum = \"abc\"\n\n\
                        [[package]]\nname = \"journey\"\nversion = \"0.1.0\"\ndependencies = [\n \"a\",\n]\n";

    fn of(name: &'static str) -> Value {
        document(Program { name, serves: false }, &Graph::read(TREE), &checksums(LOCK)).unwrap()
    }

    #[test]
    fn a_program_has_its_own_crates_and_no_others() {
        let names = |document: &Value| -> Vec<String> {
            document["components"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["name"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(&of("journey")), ["a", "b"]);
        // What stands below `a` was told with the other program.
        assert_eq!(names(&of("gateway")), ["a", "b", "c"]);
    }

    #[test]
    fn a_crate_of_the_registry_is_named_with_its_checksum_and_licence() {
        let journey = of("journey");
        let a = &journey["components"][0];
        assert_eq!(a["purl"], "pkg:cargo/a@1.0.0");
        assert_eq!(a["hashes"][0]["content"], "abc");
        assert_eq!(a["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let itself = &journey["metadata"]["component"];
        assert_eq!((itself["name"].as_str(), itself.get("purl")), (Some("journey"), None));
        assert_eq!(journey["dependencies"][0]["dependsOn"], json!(["pkg:cargo/b@2.0.0"]));
    }
}
