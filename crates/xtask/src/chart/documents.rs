//! What of the checkout's own texts the chart is held against: the gateway's routes, settings, metrics, links.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::object::Object;
use super::rules::{self, Faults, Project, Setting};
use crate::metrics::{self, Metrics};
use crate::workspace::Workspace;

const ROUTES: &str = "services/gateway/src/routes.rs";
const README: &str = "README.md";

/// Reads them. `project` is Argo CD's.
pub(super) fn read(workspace: &Workspace, project: &Object) -> Result<Project> {
    let (kinds, namespaces) = rules::allowed(project);
    let routes = routes(&workspace.read(Path::new(ROUTES))?).context(ROUTES)?;
    Ok(Project {
        metrics: Metrics::read(&workspace.read(Path::new(metrics::DOCUMENT))?),
        settings: Setting::read_all(&workspace.read(Path::new(README))?),
        routes,
        kinds,
        namespaces,
    })
}

/// The gateway program's table: `("/api/airports", flight, "/api/flights/airports"),` and so on.
fn routes(source: &str) -> Result<BTreeMap<String, (String, String)>> {
    let rows = source.lines().filter_map(|line| line.trim().strip_prefix("(\"/api/")?.strip_suffix("\"),"));
    let routes: BTreeMap<_, _> = rows
        .filter_map(|row| {
            let (path, rest) = row.split_once("\", ")?;
            let (service, target) = rest.split_once(", \"")?;
            Some((format!("/api/{path}"), (format!("{service}-service"), target.to_owned())))
        })
        .collect();
    (routes.len() > 5).then_some(routes).context("the table of routes isn't where it was")
}

/// Links of a document to files that aren't there.
pub(super) fn broken_links(workspace: &Workspace, document: &Path) -> Result<Faults> {
    let text = workspace.read(document)?;
    let directory = workspace.root().join(document.parent().context("a document is in a directory")?);
    Ok(links(&text)
        .filter(|link| !link.contains("://") && !link.starts_with('#'))
        .filter(|link| !directory.join(link.split('#').next().unwrap_or(link)).exists())
        .map(|link| format!("{}: there is no {link}", document.display()))
        .collect())
}

/// What stands between backticks is code.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split('`').step_by(2);
    prose.flat_map(|prose| prose.split("](").skip(1)).filter_map(|rest| rest.split(')').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_has_the_routes_that_are_read() {
        let routes = routes(include_str!("../../../../services/gateway/src/routes.rs")).unwrap();
        assert_eq!(routes.len(), 9, "{routes:?}");
        assert_eq!(routes["/api/airports"], ("flight-service".to_owned(), "/api/flights/airports".to_owned()));
    }

    #[test]
    fn a_table_that_is_gone_is_an_error() {
        assert!(routes("(\"/api/x\", auth, \"/api/y\"),").is_err());
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let text = "`x](y)`, [a](Cargo.toml), [b](#here), [c](https://x.y) and [d](gone.md#part)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["Cargo.toml", "#here", "https://x.y", "gone.md#part"]);
        let workspace = Workspace::find().unwrap();
        let broken = broken_links(&workspace, Path::new("crates/README.md")).unwrap();
        assert_eq!(broken, Faults::new());
    }
}
