//! What a program can be told and what it counts, as data: `--reference` prints it, and the tables of our READMEs are
//! made from it. It needs no environment, because it describes what could be set and not what is.

use std::collections::BTreeMap;

use clap::CommandFactory;
use serde::Serialize;

use crate::config;
use crate::metrics::Declared;

/// The reference of one program.
#[derive(Clone, Debug, Serialize)]
pub struct Reference {
    /// Which program.
    pub service: &'static str,
    /// What it can be told, in the order of its `--help`.
    pub settings: Vec<Setting>,
    /// What it counts, by name.
    pub metrics: Vec<Declared>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The environment variable.
    pub env: String,
    /// What it is when nobody says; `None` where that depends, or means "none".
    pub default: Option<String>,
    /// Whether the program refuses to start without it.
    pub required: bool,
    /// Whether its value must be shown nowhere.
    pub secret: bool,
    /// What it means.
    pub help: String,
}

impl Reference {
    /// The reference as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The settings `C`, as far as they have an environment variable.
pub fn settings<C: CommandFactory>() -> Vec<Setting> {
    C::command()
        .get_arguments()
        .filter_map(|argument| {
            let defaults: Vec<_> = argument.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
            let is_told = !defaults.is_empty() && !argument.is_hide_default_value_set();
            Some(Setting {
                env: argument.get_env()?.to_str()?.to_owned(),
                default: is_told.then(|| defaults.join(",")),
                required: argument.is_required_set(),
                secret: argument.is_hide_env_values_set(),
                help: argument.get_help().map(ToString::to_string).unwrap_or_default(),
            })
        })
        .collect()
}

/// An environment in which every required setting of `C` has a value, though one that leads nowhere.
pub(crate) fn any_environment<C: CommandFactory>() -> BTreeMap<String, String> {
    let placeholder = || "placeholder-of-a-required-setting".to_owned();
    let required = settings::<C>().into_iter().filter(|s| s.required).map(|s| (s.env, placeholder()));
    // Nothing but the reference may be printed.
    required.chain([("LOG_LEVEL".to_owned(), "off".to_owned())]).collect()
}

/// `environment` as far as it may be known to whoever only asks after a running service: secrets, and what else must be
/// set and isn't, are filled in.
pub(crate) fn without_secrets<C: CommandFactory>(
    mut environment: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for Setting { env, .. } in settings::<C>().iter().filter(|setting| setting.secret) {
        environment.remove(env);
        environment.remove(&config::secret_file::variable(env));
    }
    let mut filled_in = any_environment::<C>();
    filled_in.extend(environment);
    filled_in
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{Database, Http};

    #[derive(Debug, Parser)]
    struct Probe {
        #[command(flatten)]
        database: Database,
        #[command(flatten)]
        http: Http,
    }

    #[test]
    fn every_setting_says_whether_it_must_be_set_and_may_be_shown() {
        let settings = settings::<Probe>();
        let of = |env: &str| settings.iter().find(|s| s.env == env).cloned().unwrap();
        let password = of("DB_PASSWORD");
        assert!(password.required && password.secret && password.default.is_none());
        let port = of("DB_PORT");
        assert_eq!((port.required, port.secret, port.default.as_deref()), (false, false, Some("3306")));
        assert_eq!(port.help, "Port of the database");
        assert_eq!(of("INTERNAL_PORT").default, None);
        assert!(!settings.iter().any(|s| s.help.contains("OpenAPI")), "a flag is no setting");
    }

    #[test]
    fn any_environment_is_enough() {
        let probe: Probe = config::load(&[], &any_environment::<Probe>()).unwrap();
        assert_eq!((probe.database.port, probe.http.internal_port), (3306, None));
    }

    #[test]
    fn a_probe_knows_the_ports_and_no_secret() {
        let environment = [("DB_PASSWORD", "hush"), ("DB_PASSWORD_FILE", "/nowhere"), ("INTERNAL_PORT", "7000")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let known = without_secrets::<Probe>(environment.into());
        assert!(known.values().all(|value| value != "hush"));
        let probe: Probe = config::load(&[], &known).unwrap();
        assert_eq!(probe.http.internal_port, Some(7000));
    }
}
