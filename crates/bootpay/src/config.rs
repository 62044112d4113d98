//! Where the provider is, who we are to it, and how long we wait.
//!
//! The contract wants every call to be waited for at least three seconds and a whole webhook, look-up included, to be
//! answered within ten: hence five seconds for look-ups. A time-out covers a whole call, fetching a token included.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// The settings of a [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Config {
    /// Base address of the API, version included: `https://api.bootpay.co.kr/v2`.
    pub api_url: String,
    /// The REST application id. Not the id that browsers get.
    pub rest_application_id: String,
    /// The private key that belongs to [`rest_application_id`](Self::rest_application_id).
    pub private_key: SecretString,
    /// The longest a look-up may take, from the first byte sent to the last read.
    pub timeout: Duration,
    /// The longest a call that moves money (`confirm`, `cancel`) may take.
    pub cancel_timeout: Duration,
    /// The longest that opening a connection may take, within the time-outs above.
    pub connect_timeout: Duration,
}

impl Config {
    /// Settings with the usual time-outs: 5 s for look-ups, 10 s for calls that move money, 2 s to connect.
    pub fn new(api_url: impl Into<String>, rest_application_id: impl Into<String>, private_key: SecretString) -> Self {
        Self {
            api_url: api_url.into(),
            rest_application_id: rest_application_id.into(),
            private_key,
            timeout: Duration::from_secs(5),
            cancel_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(2),
        }
    }

    /// The base address, if these settings can be used at all.
    pub(crate) fn checked_url(&self) -> Result<Url, ConfigError> {
        if self.rest_application_id.trim().is_empty() {
            return Err(ConfigError::NoApplicationId);
        }
        if self.private_key.expose_secret().trim().is_empty() {
            return Err(ConfigError::NoPrivateKey);
        }
        let url = Url::parse(self.api_url.trim()).map_err(|error| ConfigError::BadUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ConfigError::BadUrl("it must be http or https".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ConfigError::BadUrl("it must not have a query or a fragment".to_owned()));
        }
        Ok(url)
    }
}

/// Why settings can't be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The REST application id is empty: half a pair of credentials.
    #[error("the REST application id of the payment provider is empty")]
    NoApplicationId,
    /// The private key is empty: half a pair of credentials.
    #[error("the private key of the payment provider is empty")]
    NoPrivateKey,
    /// The address of the API can't be used.
    #[error("the payment provider's address can't be used: {0}")]
    BadUrl(String),
    /// The HTTP client can't be built, usually for want of root certificates on this machine.
    #[error("could not build the payment provider's HTTP client")]
    Http(#[source] reqwest::Error),
}

/// Whether `url` points at this very machine, where a proxy from the environment has no business.
pub(crate) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.ends_with(".localhost") || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, id: &str, key: &str) -> Config {
        Config::new(url, id, SecretString::from(key))
    }

    #[test]
    fn refuses_half_a_pair_of_credentials() {
        let no_id = config("http://localhost/v2", " ", "key").checked_url();
        let no_key = config("http://localhost/v2", "id", "").checked_url();

        assert!(matches!(no_id, Err(ConfigError::NoApplicationId)));
        assert!(matches!(no_key, Err(ConfigError::NoPrivateKey)));
    }

    #[test]
    fn refuses_an_address_that_is_none() {
        for url in ["", "api.bootpay.co.kr/v2", "ftp://x/v2", "http://x/v2?a=1"] {
            let checked = config(url, "id", "key").checked_url();
            assert!(matches!(checked, Err(ConfigError::BadUrl(_))), "{url}");
        }
    }

    #[test]
    fn never_prints_the_private_key() {
        let printed = format!("{:?}", config("http://x/v2", "id", "hush-hush"));

        assert!(!printed.contains("hush"), "{printed}");
    }

    #[test]
    fn knows_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:5010/v2", true),
            ("http://[::1]:5010/v2", true),
            ("http://localhost/v2", true),
            ("https://api.bootpay.co.kr/v2", false),
            ("http://10.0.0.1/v2", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
