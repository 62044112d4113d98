//! `journey`: a customer's way through a running system. `journey --help` has the settings.
//!
//! It knows the system by its public addresses only, so it can ask one that runs in a cluster, in compose or here.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{FixedOffset, NaiveDate, Utc};
use clap::Parser;
use journey::{Account, Addresses, Route, travel};

/// How far Seoul's clock, by which flights have their days, is ahead of UTC, in seconds.
const SEOUL: i32 = 9 * 3600;

/// Goes through a running CloudJet as a customer: logs in, searches, books a seat, sees the booking, and cancels it.
///
/// Nothing is paid, so no payment provider is needed, and the seat is free again at the end. Exits with 1 at the first
/// answer that is not what a customer expects, and says which.
#[derive(Parser)]
#[command(name = "journey", version)]
struct Settings {
    /// Where the system is, e.g. http://localhost:5000.
    #[arg(long, env = "JOURNEY_URL", value_name = "URL")]
    url: String,
    /// Where accounts are, if not there.
    #[arg(long, env = "JOURNEY_AUTH_URL", value_name = "URL")]
    auth_url: Option<String>,
    /// Where flights are, if not there.
    #[arg(long, env = "JOURNEY_FLIGHT_URL", value_name = "URL")]
    flight_url: Option<String>,
    /// Where bookings are, if not there.
    #[arg(long, env = "JOURNEY_BOOKING_URL", value_name = "URL")]
    booking_url: Option<String>,
    /// Whose account to use; without one, somebody signs up.
    #[arg(long, env = "JOURNEY_EMAIL", value_name = "EMAIL", requires = "secret")]
    email: Option<String>,
    /// The password of that account.
    #[arg(
        long,
        env = "JOURNEY_PASSWORD",
        hide_env_values = true,
        value_name = "SECRET",
        group = "secret",
        requires = "email"
    )]
    password: Option<String>,
    /// A file with that password.
    #[arg(long, env = "JOURNEY_PASSWORD_FILE", value_name = "PATH", group = "secret", requires = "email")]
    password_file: Option<std::path::PathBuf>,
    /// Airport to fly from.
    #[arg(long, default_value = "ICN", value_name = "AIRPORT")]
    from: String,
    /// Airport to fly to.
    #[arg(long, default_value = "NRT", value_name = "AIRPORT")]
    to: String,
    /// How many days from tomorrow on may be searched for a free seat.
    #[arg(long, default_value_t = 7, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=366))]
    days: u16,
    /// How long one answer may take.
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=300))]
    patience: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = go(Settings::parse()).await;
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "journey: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn go(settings: Settings) -> Result<()> {
    let account = settings.account()?;
    let at = |own: Option<String>| own.unwrap_or_else(|| settings.url.clone());
    let addresses = Addresses {
        auth: at(settings.auth_url),
        flight: at(settings.flight_url),
        booking: at(settings.booking_url),
        patience: Duration::from_secs(settings.patience),
    };
    let route = Route { from: settings.from, to: settings.to, first_day: tomorrow()?, days: settings.days };
    travel(&addresses, account, &route, &mut |step| {
        // Nobody reading along is no reason to stop half-way.
        let _ = writeln!(io::stdout(), "{step}");
    })
    .await
}

impl Settings {
    fn account(&self) -> Result<Option<Account>> {
        let Some(email) = self.email.clone() else { return Ok(None) };
        let password = match (&self.password, &self.password_file) {
            (Some(password), _) => password.clone(),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).context("the file with the password can't be read")?;
                text.strip_suffix('\n').unwrap_or(&text).to_owned()
            }
            (None, None) => String::new(),
        };
        Ok(Some(Account { email, password }))
    }
}

#[expect(clippy::disallowed_methods, reason = "a customer has a calendar")]
fn tomorrow() -> Result<NaiveDate> {
    let seoul = FixedOffset::east_opt(SEOUL).context("there is no time in Seoul")?;
    Utc::now().with_timezone(&seoul).date_naive().succ_opt().context("there is no tomorrow")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Settings::command().debug_assert();
    }

    #[test]
    fn an_account_is_an_address_and_a_password() {
        let parse = |more: &[&str]| Settings::try_parse_from([&["journey", "--url", "http://x"], more].concat());
        assert!(parse(&[]).unwrap().account().unwrap().is_none());
        let account = parse(&["--email", "a@b.c", "--password", "p"]).unwrap().account().unwrap().unwrap();
        assert_eq!((account.email.as_str(), account.password.as_str()), ("a@b.c", "p"));
        for half in [&["--email", "a@b.c"][..], &["--password", "p"], &["--password-file", "/f"]] {
            assert!(parse(half).is_err(), "{half:?}");
        }
        assert!(parse(&["--email", "a@b.c", "--password", "p", "--password-file", "/f"]).is_err());
        assert!(parse(&["--email", "a@b.c", "--password-file", "/nowhere/at/all"]).unwrap().account().is_err());
    }
}
