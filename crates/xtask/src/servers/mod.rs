//! The database and the cache that a command works with: those the settings name, or private ones of our own.
//!
//! Private servers are child processes on free ports of 127.0.0.1. Their data, log files and passwords are below
//! the target directory, they read no configuration of the machine, and nothing of the machine is touched.

use anyhow::{Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use crate::settings::Settings;
use crate::stack::Stack;

mod console;
pub(crate) mod mariadb;
pub(crate) mod redis;

pub(crate) use console::Console;
pub(crate) use mariadb::{PROGRAMS as MARIADB_PROGRAMS, require_mariadb};
pub(crate) use redis::PROGRAMS as REDIS_PROGRAMS;

/// The name of the database. The data of sqlx's macros has it baked in.
pub(crate) const DATABASE_NAME: &str = "cloudjet";

/// What a part of a URL can't hold as it is: all but the unreserved characters of RFC 3986.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How to reach the database.
pub(crate) struct Database {
    host: String,
    port: u16,
    user: String,
    password: String,
    name: String,
    /// What it is, for people.
    pub(crate) description: String,
}

/// How to reach the cache.
pub(crate) struct Cache {
    host: String,
    pub(crate) port: u16,
    password: Option<String>,
    database: String,
    tls: String,
    /// What it is, for people.
    pub(crate) description: String,
}

/// Both.
pub(crate) struct Servers {
    pub(crate) database: Database,
    pub(crate) cache: Cache,
}

/// Provides a database and a cache.
pub(crate) async fn provide(settings: &Settings, stack: &mut Stack) -> Result<Servers> {
    let database = provide_database(settings, stack).await?;
    let cache = match Cache::from_settings(settings)? {
        Some(cache) => cache,
        None => redis::start(stack).await?,
    };
    Ok(Servers { database, cache })
}

/// Provides a database only.
pub(crate) async fn provide_database(settings: &Settings, stack: &mut Stack) -> Result<Database> {
    match Database::from_settings(settings)? {
        Some(database) => Ok(database),
        None => mariadb::start(stack).await,
    }
}

/// The file in a place that holds the address of its running database.
pub(crate) const URL_FILE: &str = "database-url";

/// The option file by which a client program reaches that database.
pub(crate) const CLIENT_FILE: &str = "client.cnf";

impl Database {
    /// The one of a private server on `port`.
    pub(crate) fn private(port: u16, password: String, description: String) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port,
            user: "cloudjet".to_owned(),
            password,
            name: DATABASE_NAME.to_owned(),
            description,
        }
    }

    /// The database that the settings name, if they name one.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Option<Self>> {
        let Some(host) = settings.get("DB_HOST") else { return Ok(None) };
        let port = settings.port("DB_PORT", 3306)?;
        match (settings.get("DB_USER"), settings.get("DB_PASSWORD"), settings.get("DB_NAME")) {
            (Some(user), Some(password), Some(name)) => Ok(Some(Self {
                host: host.to_owned(),
                port,
                user: user.to_owned(),
                password: password.to_owned(),
                name: name.to_owned(),
                description: format!("{name} on {host}:{port} (DB_HOST)"),
            })),
            (user, password, name) => {
                let needed = [("DB_USER", user), ("DB_PASSWORD", password), ("DB_NAME", name)];
                let missing: Vec<_> =
                    needed.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
                bail!(
                    "DB_HOST is set, so {} must be set too; or unset DB_HOST to get a private database",
                    missing.join(", ")
                )
            }
        }
    }

    /// Its address as sqlx reads it.
    pub(crate) fn url(&self) -> String {
        format!(
            "mysql://{}:{}@{}:{}/{}",
            in_a_url(&self.user),
            in_a_url(&self.password),
            self.host,
            self.port,
            in_a_url(&self.name)
        )
    }

    /// The settings that lead a service to it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("DB_HOST", self.host.clone()),
            ("DB_PORT", self.port.to_string()),
            ("DB_USER", self.user.clone()),
            ("DB_PASSWORD", self.password.clone()),
            ("DB_NAME", self.name.clone()),
        ]
    }

    /// An option file by which the `mariadb` and `mysql` clients reach it.
    pub(crate) fn client_options(&self) -> String {
        let Self { host, port, user, password, .. } = self;
        format!(
            "[client]\nhost = \"{host}\"\nport = {port}\nuser = \"{user}\"\npassword = \"{password}\"\nprotocol = tcp\n"
        )
    }
}

impl Cache {
    /// A private server on `port`.
    pub(crate) fn private(port: u16) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port,
            password: None,
            database: "0".to_owned(),
            tls: "false".to_owned(),
            description: format!("Redis on 127.0.0.1:{port}"),
        }
    }

    /// The cache that the settings name, if they name one.
    fn from_settings(settings: &Settings) -> Result<Option<Self>> {
        let Some(host) = settings.get("REDIS_HOST") else { return Ok(None) };
        let port = settings.port("REDIS_PORT", 6379)?;
        Ok(Some(Self {
            host: host.to_owned(),
            port,
            password: settings.get("REDIS_PASSWORD").map(str::to_owned),
            database: settings.get_or("REDIS_DB", "0").to_owned(),
            tls: settings.get_or("REDIS_SSL", "false").to_owned(),
            description: format!("{host}:{port} (REDIS_HOST)"),
        }))
    }

    /// The settings that lead a service to it. An empty password hides one that `.env` may hold.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("REDIS_HOST", self.host.clone()),
            ("REDIS_PORT", self.port.to_string()),
            ("REDIS_PASSWORD", self.password.clone().unwrap_or_default()),
            ("REDIS_DB", self.database.clone()),
            ("REDIS_SSL", self.tls.clone()),
        ]
    }
}

/// `text` as a part of a URL.
fn in_a_url(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, &RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_database_is_used_as_it_is() {
        let settings = Settings::from([
            ("DB_HOST", "db.example"),
            ("DB_USER", "a@b"),
            ("DB_PASSWORD", "p:/ß"),
            ("DB_NAME", "cloudjet_simple"),
        ]);
        let database = Database::from_settings(&settings).unwrap().unwrap();
        assert_eq!(database.url(), "mysql://a%40b:p%3A%2F%C3%9F@db.example:3306/cloudjet_simple");
    }

    #[test]
    fn half_a_database_is_refused_with_everything_that_is_missing() {
        let settings = Settings::from([("DB_HOST", "db.example"), ("DB_USER", "a")]);
        let refusal = Database::from_settings(&settings).err().unwrap().to_string();
        assert!(refusal.contains("so DB_PASSWORD, DB_NAME must be set too"), "{refusal}");
        assert!(Database::from_settings(&Settings::default()).unwrap().is_none());
    }
}
