//! What of the checkout's own texts the chart is held against: the gateway's routes, settings, metrics.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::object::Object;
use super::rules::{self, Project, Setting};
use crate::metrics::{self, Metrics};
use crate::workspace::Workspace;

const ROUTES: &str = "services/gateway/src/routes.rs";
const README: &str = "README.md";

/// Reads them; `app_project` is Argo CD's.
pub(super) fn read(workspace: &Workspace, app_project: &Object) -> Result<Project> {
    let (kinds, namespaces) = rules::allowed(app_project);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_has_the_routes_that_are_read() {
        let routes = routes(include_str!("../../../../../services/gateway/src/routes.rs")).unwrap();
        assert_eq!(routes.len(), 9, "{routes:?}");
        assert_eq!(routes["/api/airports"], ("flight-service".to_owned(), "/api/flights/airports".to_owned()));
    }

    #[test]
    fn a_table_that_is_gone_is_an_error() {
        assert!(routes("(\"/api/x\", auth, \"/api/y\"),").is_err());
    }
}
