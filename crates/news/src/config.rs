//! Who gets the news: the settings of the service that delivers it.

use clap::Args;
use secrecy::SecretString;

use crate::{BadSecret, Secrets, Subscriber};

/// Where news goes, and what it is signed with. Without either it goes nowhere.
#[derive(Args, Clone, Debug)]
pub struct NewsSettings {
    /// Address that news is sent to by POST, as in docs/news.md; unset: nowhere.
    #[arg(id = "news-url", long = "news-url", env = "NEWS_URL", value_name = "URL")]
    pub url: Option<String>,
    /// What news is signed with: whsec_ and 24 to 64 bytes in base64. Several, separated by spaces or commas, sign side by
    /// side, so that the subscriber can change from one to the next.
    #[arg(
        id = "news-secret",
        long = "news-secret",
        env = "NEWS_SECRET",
        hide_env_values = true,
        value_name = "SECRETS"
    )]
    pub secret: Option<SecretString>,
}

/// Why the settings of news can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NewsSettingsError {
    /// Nobody could believe what isn't signed.
    #[error("NEWS_URL is set and NEWS_SECRET is not: set both, or neither")]
    NoSecret,
    /// There is nowhere to send it to.
    #[error("NEWS_SECRET is set and NEWS_URL is not: set both, or neither")]
    NoUrl,
    /// It is no address that news can be sent to.
    #[error("NEWS_URL must be an http or https address, without a user, a password or a fragment")]
    BadUrl,
    /// One of the secrets is none.
    #[error("NEWS_SECRET can't be used")]
    BadSecret(#[from] BadSecret),
    /// No HTTP client can be made, usually for want of root certificates on this machine.
    #[error("could not build the HTTP client that news needs")]
    Http(#[from] reqwest::Error),
}

impl NewsSettings {
    /// Who gets the news; `None` where nobody does.
    pub fn subscriber(&self) -> Result<Option<Subscriber>, NewsSettingsError> {
        match (&self.url, &self.secret) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(NewsSettingsError::NoSecret),
            (None, Some(_)) => Err(NewsSettingsError::NoUrl),
            (Some(url), Some(secret)) => Subscriber::new(url, Secrets::parse(secret)?).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const URL: &str = "--news-url=https://example.com/news";
    const SECRET: &str = "--news-secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[derive(Debug, Parser)]
    struct Probe {
        #[command(flatten)]
        news: NewsSettings,
    }

    fn subscriber(arguments: &[&str]) -> Result<Option<Subscriber>, String> {
        let probe = Probe::try_parse_from([&["probe"], arguments].concat()).unwrap();
        assert!(!format!("{probe:?}").contains("MfKQ"));
        let subscriber = probe.news.subscriber();
        assert!(!format!("{subscriber:?}").contains("MfKQ"));
        subscriber.map_err(|error| common::error::Chain(&error).to_string())
    }

    #[test]
    fn only_an_address_and_a_secret_make_a_subscriber() {
        assert!(subscriber(&[]).unwrap().is_none());
        assert!(subscriber(&[URL, SECRET]).unwrap().is_some());
        for half in [&[URL], &[SECRET]] {
            let error = subscriber(half).unwrap_err();
            assert!(error.contains("NEWS_URL") && error.contains("NEWS_SECRET"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for url in
            ["nowhere", "ftp://example.com", "http://user:pass@example.com", "http://u@example.com", "http://x/#y"]
        {
            let error = subscriber(&[&format!("--news-url={url}"), SECRET]).unwrap_err();
            assert!(error.contains("NEWS_URL"), "{error}");
        }
        let error = subscriber(&[URL, "--news-secret=hush"]).unwrap_err();
        assert!(error.contains("NEWS_SECRET") && !error.contains("hush"), "{error}");
    }
}
