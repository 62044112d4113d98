//! What the chart renders to: Kubernetes objects, with a forgiving way to reach into them.
//!
//! A path that isn't there leads to nothing, not to an error: whether something must be there is for a rule to say.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

/// One rendered object.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Object(pub(super) Value);

/// Reaching into JSON by pointers (`/spec/template`).
pub(super) trait Reach {
    /// What is there, or null.
    fn at(&self, pointer: &str) -> &Value;

    /// The text that is there, or none.
    fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// The list that is there, or an empty one.
    fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).as_array().map_or(&[], Vec::as_slice)
    }

    /// The entries of the map that is there, or none.
    fn entries(&self, pointer: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.at(pointer).as_object().into_iter().flatten()
    }

    /// The number that is there, or 0.
    fn number(&self, pointer: &str) -> u64 {
        self.at(pointer).as_u64().unwrap_or_default()
    }

    /// Whether anything is there.
    fn has(&self, pointer: &str) -> bool {
        !self.at(pointer).is_null()
    }
}

impl Reach for Value {
    fn at(&self, pointer: &str) -> &Value {
        self.pointer(pointer).unwrap_or(&Value::Null)
    }
}

impl Reach for Object {
    fn at(&self, pointer: &str) -> &Value {
        self.0.at(pointer)
    }
}

impl Object {
    pub(super) fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub(super) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    pub(super) fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    /// The group of its kind; empty for Kubernetes' first ones.
    pub(super) fn group(&self) -> &str {
        self.text("/apiVersion").split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether it keeps pods of a service running.
    pub(super) fn is_workload(&self) -> bool {
        matches!(self.kind(), "Deployment" | "Rollout")
    }

    /// The job that it is, or makes from time to time.
    pub(super) fn job(&self) -> Option<&Value> {
        match self.kind() {
            "Job" => Some(self.at("/spec")),
            "CronJob" => Some(self.at("/spec/jobTemplate/spec")),
            _ => None,
        }
    }

    /// In which wave Argo CD applies it.
    pub(super) fn wave(&self) -> i32 {
        self.text("/metadata/annotations/argocd.argoproj.io~1sync-wave").parse().unwrap_or_default()
    }

    /// When Helm applies it apart from a release's other objects, if it does.
    pub(super) fn hook(&self) -> Option<&str> {
        Some(self.text("/metadata/annotations/helm.sh~1hook")).filter(|hook| !hook.is_empty())
    }

    /// What its pods are made from, where it has any: the whole object for a bare pod.
    pub(super) fn pod(&self) -> Option<&Value> {
        match self.kind() {
            "Pod" => Some(&self.0),
            "Deployment" | "Rollout" | "Job" => Some(self.at("/spec/template")),
            "CronJob" => Some(self.at("/spec/jobTemplate/spec/template")),
            _ => None,
        }
    }

    /// Labels that its pods may have, whichever version they are of: Argo Rollouts sets one while it works.
    pub(super) fn pod_labels(&self) -> Vec<Map<String, Value>> {
        let Some(labels) = self.pod().and_then(|pod| pod.at("/metadata/labels").as_object()) else {
            return Vec::new();
        };
        let roles = ["activeMetadata", "previewMetadata", "stableMetadata", "canaryMetadata"];
        let set: Vec<Map<String, Value>> = ["blueGreen", "canary"]
            .iter()
            .flat_map(|strategy| roles.map(|role| format!("/spec/strategy/{strategy}/{role}/labels")))
            .filter_map(|pointer| self.at(&pointer).as_object())
            .map(|more| labels.iter().chain(more).map(|(key, value)| (key.clone(), value.clone())).collect())
            .collect();
        if set.is_empty() { vec![labels.clone()] } else { set }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind(), self.namespace(), self.name())
    }
}

/// Everything of one render.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Objects(pub(super) Vec<Object>);

impl Objects {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Object> {
        self.0.iter()
    }

    pub(super) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.iter().filter(move |object| object.kind() == kind)
    }

    /// Deployments and Rollouts.
    pub(super) fn workloads(&self) -> impl Iterator<Item = &Object> {
        self.iter().filter(|object| object.is_workload())
    }

    /// The object of that name, of Kubernetes' kinds or of the given group.
    pub(super) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.iter().find(|o| o.kind() == kind && o.namespace() == namespace && o.name() == name)
    }

    /// The workloads in `namespace` of which a selector finds pods.
    pub(super) fn selected(&self, namespace: &str, labels: &Value) -> Vec<&Object> {
        let Some(labels) = labels.as_object() else { return Vec::new() };
        self.workloads()
            .filter(|workload| workload.namespace() == namespace)
            .filter(|workload| {
                workload.pod_labels().iter().any(|has| labels.iter().all(|(key, value)| has.get(key) == Some(value)))
            })
            .collect()
    }
}
