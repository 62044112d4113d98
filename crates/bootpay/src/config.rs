//! Where the provider is, who we are to it, and how long we wait.
//!
//! The contract wants every call to be waited for at least three seconds and a whole webhook, look-up included, to be
//! answered within ten: hence five seconds for look-ups. A time-out covers a whole call, fetching a token included.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// Who we are to the provider.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// The older pair, which is exchanged for an access token.
    Application {
        /// The REST application id. Not the id that browsers get.
        id: String,
        /// The private key that belongs to it.
        private_key: SecretString,
    },
    /// The newer pair, which goes with every call as HTTP Basic credentials.
    Client {
        /// The client key.
        key: String,
        /// The secret key that belongs to it.
        secret: SecretString,
    },
}

impl Credentials {
    /// Without blanks around the public halves, if both halves can be sent.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        let is_blank = |secret: &SecretString| secret.expose_secret().trim().is_empty();
        match self {
            Self::Application { id, .. } if id.trim().is_empty() => Err(ConfigError::NoApplicationId),
            Self::Application { private_key, .. } if is_blank(&private_key) => Err(ConfigError::NoPrivateKey),
            Self::Application { id, private_key } => Ok(Self::Application { id: id.trim().to_owned(), private_key }),
            // A colon would end the key early, and begin the secret.
            Self::Client { key, .. } if key.trim().is_empty() || key.contains(':') => Err(ConfigError::NoClientKey),
            Self::Client { secret, .. } if is_blank(&secret) => Err(ConfigError::NoSecretKey),
            Self::Client { key, secret } => Ok(Self::Client { key: key.trim().to_owned(), secret }),
        }
    }
}

/// The settings of a [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Config {
    /// Base address of the API, version included: `https://api.bootpay.co.kr/v2`.
    pub api_url: String,
    /// Who we are there.
    pub credentials: Credentials,
    /// The longest a look-up may take, from the first byte sent to the last read.
    pub timeout: Duration,
    /// The longest a call that moves money (`confirm`, `cancel`) may take.
    pub cancel_timeout: Duration,
    /// The longest that opening a connection may take, within the time-outs above.
    pub connect_timeout: Duration,
    /// After how many outages in a row calls fail without being tried.
    pub outages: u32,
    /// For how long they do, before one is tried again.
    pub rest: Duration,
}

impl Config {
    /// Settings for the older pair of credentials, with the [usual](Self::with) time-outs.
    pub fn new(api_url: impl Into<String>, rest_application_id: impl Into<String>, private_key: SecretString) -> Self {
        Self::with(api_url, Credentials::Application { id: rest_application_id.into(), private_key })
    }

    /// Settings with the usual time-outs: 5 s for look-ups, 10 s for calls that move money, 2 s to connect; and a rest
    /// of 3 s after five outages in a row. It is short because all it saves is waiting.
    pub fn with(api_url: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            api_url: api_url.into(),
            credentials,
            timeout: Duration::from_secs(5),
            cancel_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(2),
            outages: 5,
            rest: Duration::from_secs(3),
        }
    }

    /// The base address, if it can be used at all.
    pub(crate) fn checked_url(&self) -> Result<Url, ConfigError> {
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
    /// The client key is empty, or has a colon, which no such key may: half a pair of credentials.
    #[error("the client key of the payment provider is empty or has a colon")]
    NoClientKey,
    /// The secret key is empty: half a pair of credentials.
    #[error("the secret key of the payment provider is empty")]
    NoSecretKey,
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

    fn with_client(key: &str, secret: &str) -> Config {
        Config::with("http://x/v2", Credentials::Client { key: key.to_owned(), secret: SecretString::from(secret) })
    }

    #[test]
    fn refuses_half_a_pair_of_credentials() {
        let refused = |config: Config| config.credentials.checked().unwrap_err();

        assert!(matches!(refused(config("http://x/v2", " ", "key")), ConfigError::NoApplicationId));
        assert!(matches!(refused(config("http://x/v2", "id", "")), ConfigError::NoPrivateKey));
        assert!(matches!(refused(with_client("", "secret")), ConfigError::NoClientKey));
        assert!(matches!(refused(with_client("a:b", "secret")), ConfigError::NoClientKey));
        assert!(matches!(refused(with_client("key", " ")), ConfigError::NoSecretKey));
        assert!(with_client(" key ", "secret").credentials.checked().is_ok());
    }

    #[test]
    fn refuses_an_address_that_is_none() {
        for url in ["", "api.bootpay.co.kr/v2", "ftp://x/v2", "http://x/v2?a=1"] {
            let checked = config(url, "id", "key").checked_url();
            assert!(matches!(checked, Err(ConfigError::BadUrl(_))), "{url}");
        }
    }

    #[test]
    fn never_prints_a_secret() {
        let printed = format!("{:?} {:?}", config("http://x/v2", "id", "hush-hush"), with_client("key", "hush-hush"));

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
