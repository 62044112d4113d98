//! What every program can be told and what it counts, as the program itself prints it, and the tables made from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::descriptions::ask;
use super::markers::cell;
use crate::build::MIGRATE;
use crate::services::SERVICES;
use crate::workspace::Workspace;

/// What one program prints.
#[derive(Deserialize)]
struct Printed {
    settings: Vec<Setting>,
    metrics: Vec<Metric>,
}

#[derive(Clone, Deserialize)]
struct Setting {
    env: String,
    default: Option<String>,
    required: bool,
    secret: bool,
    help: String,
}

#[derive(Clone, Deserialize)]
struct Metric {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    labels: Vec<String>,
    help: String,
}

/// How a help text names a default that isn't the same everywhere.
const IN_WORDS: &str = " [default: ";

/// What all programs can be told and count, each thing once, with the names of those that do.
pub(super) struct Reference {
    settings: Vec<(Setting, BTreeSet<&'static str>)>,
    metrics: BTreeMap<String, (Metric, BTreeSet<&'static str>)>,
}

/// Subjects in which settings are looked for, with what their names begin or end with. The last takes the rest.
const SUBJECTS: [(&str, &[&str]); 6] = [
    ("The database", &["DB_"]),
    ("The cache", &["REDIS_", "SEARCH_CACHE_"]),
    ("The payment provider", &["BOOTPAY_", "RECONCILE_"]),
    ("Telemetry", &["LOG_", "OTEL_"]),
    ("Ports and addresses", &["_PORT", "_SERVICE_URL", "UPSTREAM_", "CORS_", "TRUSTED_"]),
    ("Rules and limits", &[""]),
];

impl Reference {
    /// Lets every built service, and `migrate`, print theirs.
    pub(super) async fn ask(workspace: &Workspace) -> Result<Self> {
        let mut reference = Self { settings: Vec::new(), metrics: BTreeMap::new() };
        for (name, program) in SERVICES.iter().map(|s| (s.name, s.package)).chain([(MIGRATE, MIGRATE)]) {
            let printed = ask(workspace, program, "--reference").await?;
            let printed = serde_json::from_slice(&printed).with_context(|| format!("{program} prints no reference"))?;
            reference.add(name, printed);
        }
        Ok(reference)
    }

    fn add(&mut self, name: &'static str, printed: Printed) {
        for setting in printed.settings {
            match self.settings.iter_mut().find(|(known, _)| known.env == setting.env) {
                Some((_, readers)) => {
                    readers.insert(name);
                }
                None => self.settings.push((setting, BTreeSet::from([name]))),
            }
        }
        for metric in printed.metrics {
            self.metrics.entry(metric.name.clone()).or_insert((metric, BTreeSet::new())).1.insert(name);
        }
    }

    /// The settings, subject by subject.
    pub(super) fn settings_table(&self) -> String {
        let mut text = String::new();
        for (n, (subject, _)) in SUBJECTS.iter().enumerate() {
            let _ = write!(text, "\n| {subject} | Default | Read by | |\n|---|---|---|---|\n");
            for (setting, readers) in self.settings.iter().filter(|(setting, _)| subject_of(&setting.env) == n) {
                let (env, default, meaning) = (&setting.env, setting.default(), setting.meaning());
                let _ = writeln!(text, "| `{env}` | {default} | {} | {meaning} |", told(readers));
            }
        }
        text
    }

    /// The metrics by name, as a document of their own.
    pub(super) fn metrics_document(&self) -> String {
        let mut text = "<!-- Written by `cargo xtask generate` from what the services print with --reference. -->\n\n\
             # Metrics\n\n\
             Every service tells what it counts at `/metrics` on its internal port, 1000 above its public one.\n\n\
             | Metric | Type | Labels | Counted by | |\n|---|---|---|---|---|\n"
            .to_owned();
        for (metric, services) in self.metrics.values() {
            let Metric { name, kind, labels, help } = metric;
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let _ =
                writeln!(text, "| `{name}` | {kind} | {} | {} | {} |", labels.join(", "), told(services), cell(help));
        }
        text
    }
}

impl Setting {
    /// What it is when nobody says. Where that depends, the help ends with it in words.
    fn default(&self) -> String {
        let default = match (&self.default, self.help.split_once(IN_WORDS)) {
            _ if self.required => "**required**".to_owned(),
            (Some(default), _) => format!("`{}`", cell(default).replace(',', "`, `")),
            (None, Some((_, words))) => words.trim_end_matches(']').to_owned(),
            (None, None) => "–".to_owned(),
        };
        if self.secret { format!("{default}, secret") } else { default }
    }

    /// What it means, as a sentence.
    fn meaning(&self) -> String {
        let help = self.help.split_once(IN_WORDS).map_or(self.help.as_str(), |(help, _)| help);
        format!("{}.", cell(help.trim_end_matches('.')))
    }
}

/// Which of [`SUBJECTS`] a setting belongs to.
fn subject_of(env: &str) -> usize {
    let is_of = |pattern: &&str| env.starts_with(pattern) || (pattern.starts_with('_') && env.ends_with(pattern));
    SUBJECTS.iter().position(|(_, patterns)| patterns.iter().any(is_of)).unwrap_or(SUBJECTS.len() - 1)
}

/// Names in the order of [`SERVICES`], or that it is all or nearly all of them.
fn told(names: &BTreeSet<&'static str>) -> String {
    let services = SERVICES.iter().map(|service| service.name);
    let absent: Vec<&str> = services.clone().filter(|name| !names.contains(name)).collect();
    let all = if names.contains(MIGRATE) { "all" } else { "all services" };
    match absent.as_slice() {
        [] => all.to_owned(),
        [one] => format!("{all} but {one}"),
        _ => services.chain([MIGRATE]).filter(|name| names.contains(name)).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(env: &str, default: Option<&str>) -> Setting {
        Setting {
            env: env.to_owned(),
            default: default.map(str::to_owned),
            required: false,
            secret: false,
            help: "A | b".to_owned(),
        }
    }

    #[test]
    fn a_setting_of_several_programs_stands_once() {
        let mut reference = Reference { settings: Vec::new(), metrics: BTreeMap::new() };
        for name in ["auth", "flight"] {
            reference.add(name, Printed { settings: vec![setting("DB_PORT", Some("3306"))], metrics: Vec::new() });
        }
        let table = reference.settings_table();
        assert_eq!(table.matches("DB_PORT").count(), 1);
        assert!(table.contains("| `DB_PORT` | `3306` | auth, flight | A \\| b. |"), "{table}");
    }

    #[test]
    fn settings_are_found_by_their_subject() {
        let subject = |env| SUBJECTS[subject_of(env)].0;
        assert_eq!(subject("DB_PORT"), "The database");
        assert_eq!(subject("REDIS_PORT"), "The cache");
        assert_eq!(subject("AUTH_SERVICE_PORT"), "Ports and addresses");
        assert_eq!(subject("UNPAID_SEATS"), "Rules and limits");
    }

    #[test]
    fn who_reads_it_is_told_shortly() {
        let but = |absent: &str| SERVICES.iter().map(|s| s.name).filter(|name| *name != absent).collect();
        assert_eq!(told(&but("")), "all services");
        assert_eq!(told(&but("gateway")), "all services but gateway");
        assert_eq!(told(&BTreeSet::from([MIGRATE, "payment", "booking"])), "booking, payment, migrate");
    }

    #[test]
    fn a_default_may_be_told_in_words() {
        let port =
            Setting { help: "Port of the probes [default: public port + 1000]".to_owned(), ..setting("P", None) };
        assert_eq!(
            (port.default(), port.meaning()),
            ("public port + 1000".to_owned(), "Port of the probes.".to_owned())
        );
    }

    #[test]
    fn a_secret_has_no_default_to_tell() {
        let secret = Setting { required: true, secret: true, ..setting("SECRET_KEY", None) };
        assert_eq!(secret.default(), "**required**, secret");
    }
}
