//! What Argo CD is told: it may make what the chart renders, and what it is pointed at is in the checkout.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::super::object::{Object, Reach as _};
use super::{Faults, Render};

/// Objects of `helm test` aside: Argo CD leaves them alone.
pub(super) fn the_project_allows_it(render: &Render<'_>) -> Faults {
    let mut faults = Faults::new();
    for object in render.objects.iter().filter(|o| o.text("/metadata/annotations/helm.sh~1hook") != "test") {
        let kind = (object.group().to_owned(), object.kind().to_owned());
        if !render.project.kinds.contains(&kind) {
            faults.push(format!("{object}: the AppProject doesn't list {kind:?}"));
        }
        if !render.project.namespaces.contains(object.namespace()) {
            faults.push(format!("{object}: the AppProject doesn't list its namespace"));
        }
    }
    faults
}

/// Kinds and namespaces that a project allows.
pub(in super::super) fn allowed(project: &Object) -> (BTreeSet<(String, String)>, BTreeSet<String>) {
    let kinds = project.list("/spec/namespaceResourceWhitelist").iter();
    let kinds = kinds.map(|kind| (kind.text("/group").to_owned(), kind.text("/kind").to_owned()));
    let namespaces = project.list("/spec/destinations").iter().map(|to| to.text("/namespace").to_owned());
    (kinds.collect(), namespaces.collect())
}

/// Paths and value files that an Application, or a set of them, names and `root` hasn't got; and clusters that the
/// project doesn't allow.
pub(in super::super) fn astray(application: &Object, project: &Object, root: &Path) -> Faults {
    let generators = application.list("/spec/generators").iter();
    let mut environments: Vec<&Value> = generators.flat_map(|generator| generator.list("/list/elements")).collect();
    if environments.is_empty() {
        environments.push(&Value::Null);
    }
    let spec =
        if application.has("/spec/template") { application.at("/spec/template/spec") } else { application.at("/spec") };
    let sources: Vec<&Value> =
        spec.list("/sources").iter().chain([spec.at("/source")].into_iter().filter(|s| s.is_object())).collect();
    let mut faults = Faults::new();
    for environment in environments {
        for source in &sources {
            let path = root.join(source.text("/path"));
            let values = source.list("/helm/valueFiles").iter().filter_map(Value::as_str);
            let files = values.map(|file| path.join(file.replace("{{ .env }}", environment.text("/env"))));
            for missing in files.chain([path.clone()]).filter(|path| !path.exists()) {
                faults.push(format!("{application}: there is no {}", missing.display()));
            }
        }
        let cluster = environment.at("/cluster");
        if !cluster.is_null() && !project.list("/spec/destinations").iter().any(|to| to.at("/server") == cluster) {
            faults.push(format!("{application}: the AppProject doesn't list {cluster}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::shown_to_fail;
    use super::*;

    #[test]
    fn what_the_project_does_not_list_is_found() {
        let good = json!([{ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "x", "namespace": "user" } }]);
        shown_to_fail(the_project_allows_it, &good, "/0/kind", json!("Pod"), "doesn't list (\"\", \"Pod\")");
        shown_to_fail(the_project_allows_it, &good, "/0/apiVersion", json!("x.y/v1"), "doesn't list");
        shown_to_fail(the_project_allows_it, &good, "/0/metadata/namespace", json!("other"), "its namespace");
    }

    #[test]
    fn an_application_of_nothing_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let project: Object =
            serde_json::from_value(json!({ "spec": { "destinations": [{ "server": "a" }] } })).unwrap();
        let faults = |path: &str, file: &str, cluster: &str| {
            let set = json!({ "spec": {
                "generators": [{ "list": { "elements": [{ "env": "lib", "cluster": cluster }] } }],
                "template": { "spec": { "sources": [{ "path": path, "helm": { "valueFiles": [file] } }] } }
            } });
            astray(&serde_json::from_value(set).unwrap(), &project, root).len()
        };
        assert_eq!(faults("src", "main.rs", "a"), 0);
        assert_eq!(faults("src", "{{ .env }}.rs", "a"), 1);
        assert_eq!(faults("source", "main.rs", "a"), 2);
        assert_eq!(faults("src", "main.rs", "b"), 1);
    }
}
