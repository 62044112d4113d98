//! Settings, read once from the environment and `.env`, before a port is bound.
//!
//! A service's settings are a clap struct whose arguments all carry an environment variable; it flattens the
//! groups below. [`load`] differs from clap's own reading in two things: it names *every* missing or bad setting in one
//! message instead of stopping at the first, and where a setting is secret (`hide_env_values`), a variable with `_FILE`
//! after its name may name a file that holds the value.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, ValueEnum};
use secrecy::{ExposeSecret, SecretString};

pub(crate) mod secret_file;

/// Where CloudJet runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// Strict: no default password, only the named origins.
    #[default]
    Production,
    /// A developer's machine: browsers on localhost are let in.
    Development,
}

/// The database that holds the truth (MySQL 8+ or MariaDB 10.11+).
#[derive(Args, Clone, Debug)]
pub struct Database {
    /// Host of the database.
    #[arg(id = "db-host", long = "db-host", env = "DB_HOST", value_name = "HOST")]
    pub host: String,
    /// Port of the database.
    #[arg(id = "db-port", long = "db-port", env = "DB_PORT", default_value_t = 3306, value_name = "PORT")]
    pub port: u16,
    /// User of the database.
    #[arg(id = "db-user", long = "db-user", env = "DB_USER", value_name = "USER")]
    pub user: String,
    /// Password of that user.
    #[arg(
        id = "db-password",
        long = "db-password",
        env = "DB_PASSWORD",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub password: SecretString,
    /// Name of the database.
    #[arg(id = "db-name", long = "db-name", env = "DB_NAME", value_name = "NAME")]
    pub name: String,
    /// How many connections this process may hold, besides the one its probes keep.
    #[arg(id = "db-pool-size", long = "db-pool-size", env = "DB_POOL_SIZE", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub pool_size: u32,
}

/// The cache. Without a host there is none, and nothing but speed is missing.
#[derive(Args, Clone, Debug)]
pub struct Redis {
    /// Host of Redis or Valkey; unset: no cache.
    #[arg(id = "redis-host", long = "redis-host", env = "REDIS_HOST", value_name = "HOST")]
    pub host: Option<String>,
    /// Port of Redis.
    #[arg(id = "redis-port", long = "redis-port", env = "REDIS_PORT", default_value_t = 6379, value_name = "PORT")]
    pub port: u16,
    /// Number of the Redis database.
    #[arg(id = "redis-db", long = "redis-db", env = "REDIS_DB", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=1000), value_name = "N")]
    pub db: i64,
    /// Password of Redis, where it wants one.
    #[arg(
        id = "redis-password",
        long = "redis-password",
        env = "REDIS_PASSWORD",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub password: Option<SecretString>,
    /// Speak TLS to Redis, with the certificate verified.
    #[arg(id = "redis-ssl", long = "redis-ssl", env = "REDIS_SSL", default_value_t = false, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub ssl: bool,
}

/// How a service serves HTTP.
#[derive(Args, Clone, Debug)]
pub struct Http {
    /// Where this runs: production or development.
    #[arg(long = "environment", env = "CLOUDJET_ENV", value_enum, default_value_t, value_name = "ENV")]
    pub environment: Environment,
    /// Port of the probes, for the cluster only [default: public port + 1000].
    #[arg(long = "internal-port", env = "INTERNAL_PORT", value_name = "PORT")]
    pub internal_port: Option<u16>,
    /// Answer CORS preflights here; switch off where a mesh in front does it.
    #[arg(long = "cors-enabled", env = "CORS_ENABLED", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub cors_enabled: bool,
    /// Origins whose pages may call the API, comma-separated.
    #[arg(
        long = "cors-allowed-origins",
        env = "CORS_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGINS",
        default_value = "https://www.cloudjet.click,https://cloudjet.click,https://d7aq35kj9vr3c.cloudfront.net"
    )]
    pub cors_allowed_origins: Vec<String>,
    /// How many proxies in front append to X-Forwarded-For; 0 trusts none and takes the peer's address.
    #[arg(long = "trusted-proxy-hops", env = "TRUSTED_PROXY_HOPS", default_value_t = 0, value_name = "N")]
    pub trusted_proxy_hops: usize,
    /// Threads that serve requests. One serves thousands of requests a second and needs the least memory.
    #[arg(long = "worker-threads", env = "WORKER_THREADS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    pub worker_threads: u16,
    /// Connections served at once; those beyond are told to come back.
    #[arg(long = "max-connections", env = "MAX_CONNECTIONS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    pub max_connections: u32,
    /// Requests worked on at once; those beyond are told to come back.
    #[arg(long = "max-requests", env = "MAX_REQUESTS", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    pub max_requests: u32,
    /// How long requests are still taken after the process was asked to stop, until everybody who sends them knows
    /// [default: 5, in development 0].
    #[arg(long = "shutdown-delay", env = "SHUTDOWN_DELAY_SECONDS", value_parser = clap::value_parser!(u64).range(0..=300), value_name = "SECONDS")]
    pub shutdown_delay_seconds: Option<u64>,
    /// Print this service's OpenAPI description and exit.
    #[arg(long = "openapi", exclusive = true)]
    pub openapi: bool,
    /// Ask the service that runs here with the same ports whether it is ready, and exit: 0 if so, else 1.
    #[arg(long = "probe")]
    pub probe: bool,
}

impl Http {
    /// How long requests are still taken after the process was asked to stop.
    pub fn shutdown_delay(&self) -> Duration {
        let usual = if self.environment == Environment::Production { 5 } else { 0 };
        Duration::from_secs(self.shutdown_delay_seconds.unwrap_or(usual))
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For reading on a terminal.
    Human,
}

/// Which requests are traced, by the names OpenTelemetry has for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TracesSampler {
    /// All.
    #[value(name = "always_on")]
    AlwaysOn,
    /// None.
    #[value(name = "always_off")]
    AlwaysOff,
    /// A share of them.
    #[value(name = "traceidratio")]
    TraceIdRatio,
    /// Those whose caller traces them, and all that begin here.
    #[default]
    #[value(name = "parentbased_always_on")]
    ParentBasedAlwaysOn,
    /// Those whose caller traces them.
    #[value(name = "parentbased_always_off")]
    ParentBasedAlwaysOff,
    /// Those whose caller traces them, and a share of those that begin here.
    #[value(name = "parentbased_traceidratio")]
    ParentBasedTraceIdRatio,
}

/// What a service tells about itself, and to whom.
#[derive(Args, Clone, Debug)]
pub struct Telemetry {
    /// Look of the log lines: json or human.
    #[arg(long = "log-format", env = "LOG_FORMAT", value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// What to log, e.g. `info` or `info,sqlx=debug`.
    #[arg(long = "log-level", env = "LOG_LEVEL", default_value = "info", value_name = "FILTER")]
    pub log_level: tracing_subscriber::filter::Targets,
    /// Where to send traces (OTLP over gRPC, with its scheme: http://otel-collector:4317); unset: nowhere.
    #[arg(long = "otlp-endpoint", env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Which requests are traced.
    #[arg(long = "traces-sampler", env = "OTEL_TRACES_SAMPLER", value_enum, default_value_t, value_name = "SAMPLER")]
    pub traces_sampler: TracesSampler,
    /// The share that is traced where the sampler wants one, from 0 to 1.
    #[arg(long = "traces-sampler-arg", env = "OTEL_TRACES_SAMPLER_ARG", default_value_t = 1.0, value_parser = share, value_name = "SHARE")]
    pub traces_sampler_arg: f64,
}

fn share(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or("must be a number from 0 to 1")
}

/// The key that signs sessions, and those that did or will; the same in all services.
#[derive(Args, Clone, Debug)]
pub struct SecretKey {
    /// Key of the session tokens (HS256); 32 characters or more.
    #[arg(long, env = "SECRET_KEY", hide_env_values = true, value_parser = secret_key, value_name = "SECRET")]
    pub secret_key: SecretString,
    /// Further keys whose session tokens are honoured, separated by spaces or commas, 32 characters or more each: for
    /// changing from one SECRET_KEY to the next while nobody is signed out.
    #[arg(long, env = "SECRET_KEYS_ACCEPTED", hide_env_values = true, value_parser = accepted_keys, value_name = "SECRETS")]
    pub secret_keys_accepted: Option<SecretString>,
}

/// From how many bytes on a key of HS256 is safe (RFC 7518, 3.2).
pub(crate) const SAFE_KEY: usize = 32;

impl SecretKey {
    /// The keys whose tokens are honoured beside those of [`SecretKey::secret_key`].
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &str> {
        self.secret_keys_accepted.iter().flat_map(|keys| listed(keys.expose_secret()))
    }
}

fn secret_key(value: &str) -> Result<SecretString, String> {
    if value.is_empty() { Err("must not be empty".to_owned()) } else { Ok(value.into()) }
}

/// A short key is refused here, though `SECRET_KEY` may be one: it is likely a piece of a key with a comma in it, and
/// whoever guesses it makes sessions.
fn accepted_keys(value: &str) -> Result<SecretString, String> {
    if listed(value).any(|key| key.len() < SAFE_KEY) {
        return Err(format!("each key must have {SAFE_KEY} characters or more, and no comma or space in it"));
    }
    Ok(value.into())
}

fn listed(keys: &str) -> impl Iterator<Item = &str> {
    keys.split(|c: char| c == ',' || c.is_whitespace()).filter(|key| !key.is_empty())
}

/// The process environment, completed by `.env` in the working directory; what is really set wins. An empty value is
/// none.
pub fn environment() -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> =
        dotenvy::from_path_iter(Path::new(".env")).into_iter().flatten().filter_map(Result::ok).collect();
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    variables.extend(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))));
    variables.retain(|_, value| !value.is_empty());
    variables
}

/// Reads the settings `C` from `arguments` and `variables`.
///
/// # Errors
/// A clap error to print: help or version when asked for, else one message that names every setting that is
/// missing or can't be used. Values of settings never appear in it.
pub fn load<C: CommandFactory + FromArgMatches>(
    arguments: &[String],
    variables: &BTreeMap<String, String>,
) -> Result<C, clap::Error> {
    let mut command = C::command();
    let mut line: Vec<String> = vec![command.get_name().to_owned()];
    if arguments.iter().any(|a| ["--help", "-h", "--version", "-V"].contains(&a.as_str())) {
        // Help names the variables, which `parse` takes away from clap.
        line.extend_from_slice(arguments);
        return command.try_get_matches_from(line).and_then(|matches| C::from_arg_matches(&matches));
    }
    let mut faults: Vec<String> = Vec::new();
    let mut set_aside: Vec<String> = Vec::new();
    for argument in command.get_arguments() {
        let (Some(name), Some(long)) = (argument.get_env().and_then(|n| n.to_str()), argument.get_long()) else {
            continue;
        };
        let overridden =
            arguments.iter().any(|a| a.strip_prefix("--").is_some_and(|a| a.split('=').next() == Some(long)));
        if overridden {
            continue;
        }
        let value = if argument.is_hide_env_values_set() {
            secret_file::read(name, variables)
        } else {
            Ok(variables.get(name).filter(|value| !value.is_empty()).cloned())
        };
        match value {
            Ok(Some(value)) => line.push(format!("--{long}={value}")),
            Ok(None) => {}
            Err(fault) => {
                faults.push(fault);
                set_aside.push(long.to_owned());
            }
        }
    }
    for long in &set_aside {
        command = without_need(command, long);
    }
    line.extend_from_slice(arguments);
    parse(&command, line, faults)
}

/// The command without the need for `--long`: what is bad is not also missing.
fn without_need(command: clap::Command, long: &str) -> clap::Command {
    command.mut_args(|a| if a.get_long() == Some(long) { a.required(false) } else { a })
}

/// Parses `line`, setting each bad value aside until all of them are known; `faults` are those known already.
fn parse<C: CommandFactory + FromArgMatches>(
    command: &clap::Command,
    mut line: Vec<String>,
    mut faults: Vec<String>,
) -> Result<C, clap::Error> {
    let names: BTreeMap<String, String> = command
        .get_arguments()
        .filter_map(|a| Some((format!("--{}", a.get_long()?), a.get_env()?.to_str()?.to_owned())))
        .collect();
    let name_of = |argument: &str| {
        let long = argument.split([' ', '=']).next().unwrap_or_default().to_owned();
        names.get(&long).cloned().unwrap_or(long)
    };
    let mut parser = command.clone().mut_args(|a| a.env(clap::builder::Resettable::Reset));
    loop {
        let error = match parser.try_get_matches_from_mut(&line) {
            Ok(matches) if faults.is_empty() => return C::from_arg_matches(&matches),
            Ok(_) => break,
            Err(error) => error,
        };
        match (error.kind(), error.get(ContextKind::InvalidArg)) {
            (ErrorKind::ValueValidation | ErrorKind::InvalidValue, Some(ContextValue::String(argument))) => {
                let name = name_of(argument);
                let long = argument.split(' ').next().unwrap_or_default().to_owned();
                let reason = std::error::Error::source(&error).map_or_else(
                    || match error.get(ContextKind::ValidValue) {
                        Some(ContextValue::Strings(values)) => format!("must be one of {}", values.join(", ")),
                        _ => "has a value that can't be used".to_owned(),
                    },
                    ToString::to_string,
                );
                faults.push(format!("{name}: {reason}"));
                let before = line.len();
                line.retain(|a| a.split('=').next() != Some(&long));
                if line.len() == before {
                    return Err(error);
                }
                parser = without_need(parser, long.trim_start_matches('-'));
            }
            (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(missing))) => {
                let known: Vec<&str> = faults.iter().filter_map(|f| f.split(':').next()).collect();
                let missing: Vec<String> = missing
                    .iter()
                    .map(|m| name_of(m))
                    .filter(|n| !known.contains(&n.as_str()))
                    .map(|n| format!("{n}: is not set"))
                    .collect();
                faults.extend(missing);
                break;
            }
            _ => return Err(error),
        }
    }
    let list = faults.join("\n  ");
    Err(clap::Error::raw(
        ErrorKind::ValueValidation,
        format!(
            "these settings are missing or can't be used:\n  {list}\nSet them in the environment or in .env; --help describes each.\n"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "probe")]
    struct Probe {
        #[command(flatten)]
        database: Database,
        #[command(flatten)]
        http: Http,
        #[command(flatten)]
        secret: SecretKey,
    }

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    const GOOD: [(&str, &str); 5] =
        [("DB_HOST", "db"), ("DB_USER", "u"), ("DB_PASSWORD", "hush-hush"), ("DB_NAME", "n"), ("SECRET_KEY", "k")];

    #[test]
    fn reads_the_environment() {
        let probe: Probe = load(&[], &variables(&GOOD)).unwrap();
        assert_eq!((probe.database.host.as_str(), probe.database.port), ("db", 3306));
        assert_eq!(probe.secret.secret_key.expose_secret(), "k");
        assert_eq!(probe.http.environment, Environment::Production);
    }

    #[test]
    fn an_argument_wins_over_the_environment() {
        let probe: Probe = load(&["--db-host=other".to_owned()], &variables(&GOOD)).unwrap();
        assert_eq!(probe.database.host, "other");
    }

    #[test]
    fn names_every_fault_at_once_and_no_value() {
        let error = load::<Probe>(
            &[],
            &variables(&[
                ("DB_HOST", "db"),
                ("DB_PORT", "tcp://1.2.3.4"),
                ("DB_PASSWORD", "hush-hush"),
                ("CLOUDJET_ENV", "prod"),
                ("DB_POOL_SIZE", "0"),
            ]),
        )
        .unwrap_err()
        .to_string();
        for name in [
            "DB_PORT:",
            "CLOUDJET_ENV:",
            "DB_POOL_SIZE:",
            "DB_USER: is not set",
            "DB_NAME: is not set",
            "SECRET_KEY: is not set",
        ] {
            assert!(error.contains(name), "{name} in {error}");
        }
        assert!(!error.contains("hush-hush") && !error.contains("DB_HOST"), "{error}");
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let path = std::env::temp_dir().join(format!("cloudjet-secret-key-{}", std::process::id()));
        std::fs::write(&path, "from-a-file\n").unwrap();
        let mut variables = variables(&GOOD);
        variables.remove("SECRET_KEY");
        variables.insert("SECRET_KEY_FILE".to_owned(), path.display().to_string());
        let probe = load::<Probe>(&[], &variables);
        let overridden = load::<Probe>(&["--secret-key=given".to_owned()], &variables);
        std::fs::remove_file(path).unwrap();
        assert_eq!(probe.unwrap().secret.secret_key.expose_secret(), "from-a-file");
        assert_eq!(overridden.unwrap().secret.secret_key.expose_secret(), "given");
    }

    #[test]
    fn a_bad_file_is_named_with_all_other_faults_and_not_as_missing() {
        let error = load::<Probe>(
            &[],
            &variables(&[
                ("DB_HOST", "db"),
                ("DB_PORT", "x"),
                ("DB_NAME", "n"),
                ("DB_PASSWORD", "hush-hush"),
                ("DB_PASSWORD_FILE", "/run/secrets/hidden"),
                ("SECRET_KEY_FILE", "/nowhere/at/all"),
                ("DB_HOST_FILE", "/nowhere/at/all"),
            ]),
        )
        .unwrap_err()
        .to_string();
        for fault in [
            "DB_PASSWORD_FILE: is set beside DB_PASSWORD",
            "SECRET_KEY_FILE: names a file that can't be read",
            "DB_PORT: ",
            "DB_USER: is not set",
        ] {
            assert!(error.contains(fault), "{fault} in {error}");
        }
        for silence in ["hush-hush", "hidden", "SECRET_KEY: ", "DB_PASSWORD: ", "DB_HOST"] {
            assert!(!error.contains(silence), "{silence} in {error}");
        }
    }

    #[test]
    fn further_keys_are_listed_and_none_of_them_is_short() {
        let [old, new] = ["o".repeat(32), "n".repeat(40)];
        let accepted = |keys: &str| {
            let probe: Probe = load(&[], &variables(&[&GOOD[..], &[("SECRET_KEYS_ACCEPTED", keys)]].concat()))?;
            Ok::<_, clap::Error>(probe.secret.accepted().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(accepted("").unwrap(), [""; 0]);
        assert_eq!(accepted(&old).unwrap(), [old.as_str()]);
        for separator in [",", " ", ", ", "\n"] {
            assert_eq!(accepted(&format!("{old}{separator}{new}")).unwrap(), [old.as_str(), &new], "{separator:?}");
        }
        for short in ["short", &format!("{old},5"), &format!("{} {new}", &old[1..])] {
            let error = accepted(short).unwrap_err().to_string();
            assert!(error.contains("SECRET_KEYS_ACCEPTED: each key must have 32") && !error.contains(short), "{error}");
        }
    }

    #[test]
    fn help_names_the_variables() {
        let help = load::<Probe>(&["--help".to_owned()], &BTreeMap::new()).unwrap_err();
        assert_eq!(help.kind(), ErrorKind::DisplayHelp);
        assert!(help.to_string().contains("[env: DB_HOST"), "{help}");
    }

    #[test]
    fn stopping_takes_its_time_in_production_only() {
        let delay = |more: &[(&str, &str)]| {
            let probe: Probe = load(&[], &variables(&[&GOOD, more].concat())).unwrap();
            probe.http.shutdown_delay().as_secs()
        };
        assert_eq!(delay(&[]), 5);
        assert_eq!(delay(&[("CLOUDJET_ENV", "development")]), 0);
        assert_eq!(delay(&[("CLOUDJET_ENV", "development"), ("SHUTDOWN_DELAY_SECONDS", "7")]), 7);
        assert_eq!(delay(&[("SHUTDOWN_DELAY_SECONDS", "0")]), 0);
    }

    #[test]
    fn a_secret_prints_nowhere() {
        let probe: Probe = load(&[], &variables(&GOOD)).unwrap();
        assert!(!format!("{probe:?}").contains("hush-hush"));
    }
}
