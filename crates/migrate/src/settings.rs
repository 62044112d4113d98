//! What the environment and the command line ask for.

use std::fmt;
use std::path::PathBuf;

use clap::Parser;
use common::config::{Database, Environment};
use common::http::wire;
use secrecy::{ExposeSecret, SecretString};

use crate::Plan;
use crate::administrator::Administrator;

/// The shortest password an administrator may have in production.
const SHORTEST_PASSWORD: usize = 8;

/// Brings CloudJet's database up to date: creates it if it is missing, applies the migrations it lacks, and makes
/// the administrator's account. Run it as often as you like: what is done stays done.
#[derive(Debug, Parser)]
#[command(name = "migrate", version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Settings {
    /// The database.
    #[command(flatten)]
    pub database: Database,
    /// Where this runs: production or development.
    #[arg(long = "environment", env = "CLOUDJET_ENV", value_enum, default_value_t, value_name = "ENV")]
    pub environment: Environment,
    /// E-mail address of the administrator; unset: none is made.
    #[arg(long = "admin-email", env = "ADMIN_EMAIL", value_parser = email, value_name = "EMAIL")]
    pub admin_email: Option<String>,
    /// Password of the administrator: 8 characters or more in production. Another one set by hand gives way to it.
    #[arg(long = "admin-password", env = "ADMIN_PASSWORD", hide_env_values = true, value_name = "SECRET")]
    pub admin_password: Option<SecretString>,
    /// Also load demo data: airports, flights, prices for thirty days, and a passenger. Not in production.
    #[arg(long)]
    pub demo: bool,
    /// Only list which migrations are applied and which are not.
    #[arg(long, conflicts_with = "demo")]
    pub status: bool,
    /// Only tell what adopting the database of the system that CloudJet replaces would change in its rows.
    #[arg(long, conflicts_with_all = ["demo", "status", "hash_plain_passwords"])]
    pub dry_run: bool,
    /// Also hash passwords that the replaced system stored as plain text; until then they are refused at log-in.
    #[arg(long, conflicts_with = "status")]
    pub hash_plain_passwords: bool,
    /// Also write what an adoption changes, or would change, to this file.
    #[arg(long, value_name = "PATH")]
    pub report_json: Option<PathBuf>,
}

/// Addresses are kept in lower case, as sign-up keeps them.
fn email(text: &str) -> Result<String, &'static str> {
    wire::email(text, "ADMIN_EMAIL").map(|e| e.to_lowercase()).map_err(|_| "must be an e-mail address")
}

/// What to do.
#[derive(Debug)]
pub enum Task {
    /// List the migrations.
    Status,
    /// Tell what an adoption would change.
    Rehearse,
    /// Bring the database up to date.
    Run(Plan),
}

/// Settings that are sound each by itself, but not together.
#[derive(Debug, PartialEq, Eq)]
pub struct Faults(Vec<&'static str>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these settings are missing or can't be used:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

impl Settings {
    /// What these settings ask for, unless they contradict each other.
    pub fn task(&self) -> Result<Task, Faults> {
        if self.status {
            return Ok(Task::Status);
        }
        if self.dry_run {
            return Ok(Task::Rehearse);
        }
        let production = self.environment == Environment::Production;
        let mut faults = Vec::new();
        if self.demo && production {
            faults.push("--demo: demo data doesn't belong into production; set CLOUDJET_ENV=development elsewhere");
        }
        let administrator = match (&self.admin_email, &self.admin_password) {
            (Some(email), Some(password)) => {
                if production && password.expose_secret().chars().count() < SHORTEST_PASSWORD {
                    faults.push("ADMIN_PASSWORD: must have 8 characters or more in production");
                }
                Some(Administrator { email: email.clone(), password: password.clone() })
            }
            (Some(_), None) => {
                faults.push("ADMIN_PASSWORD: is not set, but ADMIN_EMAIL is");
                None
            }
            (None, Some(_)) => {
                faults.push("ADMIN_EMAIL: is not set, but ADMIN_PASSWORD is");
                None
            }
            (None, None) => None,
        };
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        Ok(Task::Run(Plan { administrator, demo: self.demo, hash_plain_passwords: self.hash_plain_passwords }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn settings(pairs: &[(&str, &str)], arguments: &[&str]) -> Result<Settings, clap::Error> {
        let mut variables: BTreeMap<String, String> =
            [("DB_HOST", "db"), ("DB_USER", "u"), ("DB_PASSWORD", "p"), ("DB_NAME", "n")]
                .iter()
                .chain(pairs)
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
        variables.retain(|_, value| !value.is_empty());
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        common::config::load(&arguments, &variables)
    }

    #[test]
    fn an_administrator_needs_an_address_and_a_password() {
        let task = |pairs: &[(&str, &str)]| settings(pairs, &[]).unwrap().task();
        assert!(matches!(task(&[]), Ok(Task::Run(Plan { administrator: None, demo: false, .. }))));
        let Ok(Task::Run(plan)) = task(&[("ADMIN_EMAIL", " Boss@CloudJet.com"), ("ADMIN_PASSWORD", "12345678")]) else {
            panic!("refused")
        };
        assert_eq!(plan.administrator.unwrap().email, "boss@cloudjet.com");

        let fault = |pairs: &[(&str, &str)]| task(pairs).unwrap_err().to_string();
        assert!(fault(&[("ADMIN_EMAIL", "a@b.c")]).contains("ADMIN_PASSWORD: is not set"));
        assert!(fault(&[("ADMIN_PASSWORD", "12345678")]).contains("ADMIN_EMAIL: is not set"));
    }

    #[test]
    fn production_takes_neither_a_short_password_nor_demo_data() {
        let administrator = [("ADMIN_EMAIL", "a@b.c"), ("ADMIN_PASSWORD", "7654321")];
        let refused = settings(&administrator, &["--demo"]).unwrap().task().unwrap_err().to_string();
        assert!(refused.contains("ADMIN_PASSWORD: must have 8") && refused.contains("--demo:"), "{refused}");
        assert!(!refused.contains("7654321"));

        let development: Vec<_> = administrator.into_iter().chain([("CLOUDJET_ENV", "development")]).collect();
        assert!(matches!(settings(&development, &["--demo"]).unwrap().task(), Ok(Task::Run(Plan { demo: true, .. }))));
    }

    #[test]
    fn a_rehearsal_is_nothing_else() {
        let task = |arguments: &[&str]| settings(&[], arguments).map(|settings| settings.task());
        assert!(matches!(task(&["--dry-run", "--report-json", "r.json"]), Ok(Ok(Task::Rehearse))));
        for also in ["--demo", "--status", "--hash-plain-passwords"] {
            assert!(task(&["--dry-run", also]).is_err(), "{also}");
        }
        let hashing = task(&["--hash-plain-passwords"]);
        assert!(matches!(hashing, Ok(Ok(Task::Run(Plan { hash_plain_passwords: true, .. })))));
    }

    #[test]
    fn every_fault_is_named_at_once_and_no_secret() {
        let error = settings(&[("DB_HOST", ""), ("ADMIN_EMAIL", "nobody"), ("CLOUDJET_ENV", "prod")], &[]);
        let error = error.unwrap_err().to_string();
        for name in ["DB_HOST: is not set", "ADMIN_EMAIL: must be an e-mail address", "CLOUDJET_ENV: must be one of"] {
            assert!(error.contains(name), "{name} in {error}");
        }
        let settings = settings(&[("ADMIN_EMAIL", "a@b.c"), ("ADMIN_PASSWORD", "hush-hush")], &[]).unwrap();
        assert!(!format!("{settings:?} {:?}", settings.task()).contains("hush-hush"));
    }
}
