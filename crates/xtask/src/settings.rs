//! The developer's settings: the environment, completed by `.env` at the top of the checkout.
//!
//! What is really set wins over `.env`, and an empty value counts as unset, as in the services themselves.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Every variable that is set, by name.
#[derive(Default)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Reads `root`'s `.env`, if it has one, and the environment.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let file = root.join(".env");
        let mut variables = BTreeMap::new();
        if file.exists() {
            let pairs = dotenvy::from_path_iter(&file).with_context(|| format!("{} can't be read", file.display()))?;
            for pair in pairs {
                let (name, value) =
                    pair.with_context(|| format!("{} has a line that can't be read", file.display()))?;
                variables.insert(name, value);
            }
        }
        #[expect(clippy::disallowed_methods, reason = "this is the one place of xtask that reads the environment")]
        let environment = std::env::vars_os();
        variables.extend(
            environment.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Ok(Self(variables))
    }

    /// The value of `name`, unless it is unset or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of `name`, or `default`.
    pub(crate) fn get_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.get(name).unwrap_or(default)
    }

    /// The port that `name` sets, or `default`.
    pub(crate) fn port(&self, name: &str, default: u16) -> Result<u16> {
        match self.get(name).map(str::parse) {
            None => Ok(default),
            Some(Ok(port)) if port > 0 => Ok(port),
            Some(_) => bail!("{name} must be a port number from 1 to 65535"),
        }
    }

    /// Every variable, as a program started from here shall see it.
    pub(crate) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// Settings of a command's own, whatever the developer's are.
impl<const N: usize> From<[(&str, &str); N]> for Settings {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_environment_wins_over_the_file() {
        let root = std::env::temp_dir().join(format!("cloudjet-settings-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join(".env"), "# a comment\nPATH=/nowhere\nDB_NAME_OF_TEST=\"a b\"\nexport EMPTY_OF_TEST=\n")
            .unwrap();
        let settings = Settings::read(&root);
        fs::remove_dir_all(&root).unwrap();

        let settings = settings.unwrap();
        assert_ne!(settings.get("PATH"), Some("/nowhere"));
        assert_eq!(settings.get("DB_NAME_OF_TEST"), Some("a b"));
        assert_eq!(settings.get("EMPTY_OF_TEST"), None);
    }

    #[test]
    fn a_port_must_be_a_port() {
        let settings = Settings::from([("A", "6000"), ("B", "0"), ("C", "x"), ("D", "")]);
        assert_eq!(settings.port("A", 1).unwrap(), 6000);
        assert_eq!(settings.port("D", 1).unwrap(), 1);
        assert!(settings.port("B", 1).is_err());
        assert!(settings.port("C", 1).is_err());
    }
}
