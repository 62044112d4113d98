//! What a person sees when everything runs: where it is, who can log in, and what to try first.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::migrate::ADMIN;
use crate::report::{self, Style, paint};
use crate::servers::Servers;
use crate::services::Ports;
use crate::settings::Settings;

/// The passenger of the demo data.
pub(crate) const PASSENGER: (&str, &str) = ("user@cloudjet.com", "user1234");

/// What is not for showing on a screen.
const HIDDEN: &str = "(as you set it)";

/// How far Seoul's clock, by which the demo data has its days, is ahead of UTC.
const SEOUL: Duration = Duration::from_hours(9);

const DAY: Duration = Duration::from_hours(24);

/// An account somebody can log in with.
pub(crate) struct Account {
    role: &'static str,
    email: String,
    password: String,
}

/// All that is worth telling.
pub(crate) struct Welcome<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) servers: &'a Servers,
    /// How long each service took to become ready.
    pub(crate) ready: &'a [Duration],
    pub(crate) accounts: &'a [Account],
}

/// The accounts that exist; a password that was set by the developer is not shown.
pub(crate) fn accounts(settings: &Settings, demo: bool) -> Vec<Account> {
    let [(email, default_email), (password, default_password)] = ADMIN;
    let passenger =
        demo.then(|| Account { role: "passenger", email: PASSENGER.0.to_owned(), password: PASSENGER.1.to_owned() });
    let administrator = Account {
        role: "administrator",
        email: settings.get_or(email, default_email).to_owned(),
        password: settings.get(password).map_or(default_password, |_| HIDDEN).to_owned(),
    };
    passenger.into_iter().chain([administrator]).collect()
}

impl fmt::Display for Welcome<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "\n{}\n", paint(Style::Bold, "CloudJet is up."))?;
        to.write_str(&report::table(&self.rows()))?;

        writeln!(to, "\n{}\n", paint(Style::Bold, "Accounts"))?;
        let accounts: Vec<_> = self
            .accounts
            .iter()
            .map(|account| [account.role.to_owned(), account.email.clone(), account.password.clone()])
            .collect();
        to.write_str(&report::table(&accounts))?;

        writeln!(to, "\n{}\n", paint(Style::Bold, "Try"))?;
        for command in self.commands() {
            writeln!(to, "  {command}")?;
        }
        if let Some(port) = self.ports.simulator {
            writeln!(to, "\n  Approve or decline payments by hand: http://localhost:{port}/")?;
        }
        writeln!(to, "\n{}", paint(Style::Dim, "Ctrl-C stops everything. The logs follow."))
    }
}

impl Welcome<'_> {
    fn rows(&self) -> Vec<[String; 3]> {
        let row = |name: &str, address: String, health: String| [name.to_owned(), address, health];
        let mut rows = vec![row("service", "url".to_owned(), "health".to_owned())];
        for ((service, port), ready) in self.ports.services().zip(self.ready) {
            rows.push(row(
                service.name,
                format!("http://localhost:{port}"),
                format!("ready after {} ms", ready.as_millis()),
            ));
        }
        // The gateway is the front door: it stands first.
        rows[1..].rotate_right(1);
        rows.insert(2, row("API, to read and try", format!("{}/docs/", self.gateway()), "ready".to_owned()));
        match self.ports.simulator {
            Some(port) => rows.push(row("payment simulator", format!("http://localhost:{port}"), "ready".to_owned())),
            None => rows.push(row("payment provider", "BOOTPAY_API_URL".to_owned(), "not asked".to_owned())),
        }
        rows.push(row("database", self.servers.database.description.clone(), "migrated".to_owned()));
        rows.push(row("cache", self.servers.cache.description.clone(), "ready".to_owned()));
        rows
    }

    fn gateway(&self) -> String {
        format!("http://localhost:{}", self.ports.of("gateway").unwrap_or_default())
    }

    fn commands(&self) -> [String; 3] {
        let gateway = format!("{}/api", self.gateway());
        let json = "-H 'content-type: application/json' -d";
        let date = tomorrow();
        let (email, password) = self
            .accounts
            .iter()
            .find(|account| account.password != HIDDEN)
            .map_or(PASSENGER, |account| (account.email.as_str(), account.password.as_str()));
        [
            format!("curl '{gateway}/flights/search?departure=ICN&arrival=NRT&date={date}'"),
            format!(
                r#"curl {gateway}/auth/signup {json} '{{"name":"김하늘","email":"haneul@example.com","password":"blue-sky","phone":"010-1234-5678","birthDate":"1995-03-02"}}'"#
            ),
            format!(r#"curl {gateway}/auth/login {json} '{{"email":"{email}","password":"{password}"}}'"#),
        ]
    }
}

/// The next day in Seoul, which has demo flights, as `YYYY-MM-DD`.
pub(crate) fn tomorrow() -> String {
    in_days(1)
}

/// The day in Seoul that comes after so many.
pub(crate) fn in_days(days: u32) -> String {
    Date::in_seoul(SystemTime::now() + DAY * days).to_string()
}

/// A day of the calendar. A date library would be the longest wait of the first build.
struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    /// The day in Seoul at `instant`.
    fn in_seoul(instant: SystemTime) -> Self {
        let since_epoch = instant.duration_since(UNIX_EPOCH).unwrap_or_default() + SEOUL;
        Self::from_days(since_epoch.as_secs() / DAY.as_secs())
    }

    /// The day that is `days` after 1 January 1970, counted in years that begin with March, so that a leap day is
    /// the last day of its year.
    fn from_days(days: u64) -> Self {
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_calendar() {
        let date = |days| Date::from_days(days).to_string();
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_512), "2026-02-28");
        assert_eq!(date(20_513), "2026-03-01");
        assert_eq!(date(20_818), "2026-12-31");
    }

    #[test]
    fn the_day_is_that_of_seoul() {
        let late_evening = UNIX_EPOCH + Duration::from_hours(15);
        assert_eq!(Date::in_seoul(late_evening - Duration::from_secs(1)).to_string(), "1970-01-01");
        assert_eq!(Date::in_seoul(late_evening).to_string(), "1970-01-02");
    }

    #[test]
    fn a_password_of_the_developers_own_is_not_shown() {
        let settings = Settings::from([("ADMIN_PASSWORD", "secret")]);
        let accounts = accounts(&settings, true);
        assert_eq!(accounts.len(), 2);
        assert!(accounts.iter().all(|account| account.password != "secret"));
    }
}
