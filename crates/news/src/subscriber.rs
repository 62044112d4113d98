//! The subscriber: one address, which the operator has set. So it may be anywhere, in our own network, too: the usual
//! block of private addresses is for addresses that strangers choose.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::telemetry::trace;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url, redirect};

use crate::config::NewsSettingsError;
use crate::{News, Secrets};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How long the subscriber may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Who gets the news.
#[derive(Clone, Debug)]
pub struct Subscriber {
    url: Url,
    secrets: Secrets,
    http: reqwest::Client,
}

/// What came of sending a piece of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The subscriber has it.
    Delivered,
    /// The subscriber wants no more news, ever: 410.
    Gone,
    /// It answered otherwise, and may have said when to come again.
    Refused { status: StatusCode, asks: Option<TimeDelta> },
    /// It didn't answer; why, in our words.
    Unanswered(&'static str),
}

impl Subscriber {
    /// A subscriber at `url`, which gets news that is signed with `secrets`. Nothing is sent yet.
    pub fn new(url: &str, secrets: Secrets) -> Result<Self, NewsSettingsError> {
        Self::patient(url, secrets, PATIENCE)
    }

    /// The same, which may take so long to answer.
    pub fn patient(url: &str, secrets: Secrets, patience: Duration) -> Result<Self, NewsSettingsError> {
        let url = Url::parse(url.trim()).ok().filter(is_usable).ok_or(NewsSettingsError::BadUrl)?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("cloudjet/", env!("CARGO_PKG_VERSION")))
            .timeout(patience)
            .redirect(redirect::Policy::none());
        if is_here(&url) {
            http = http.no_proxy();
        }
        if url.scheme() == "http" {
            // No TLS will be spoken, so the machine's root certificates need not be found and kept in memory.
            http = http.tls_certs_only([]);
        }
        Ok(Self { url, secrets, http: http.build()? })
    }

    /// Sends a piece of news.
    pub(crate) async fn send(&self, news: &News, now: DateTime<Utc>) -> Outcome {
        let body = news.body();
        let headers = self.headers(news, now, &body);
        match self.http.post(self.url.clone()).headers(headers).body(body).send().await {
            Ok(answer) => Outcome::of(answer.status(), asks(answer.headers(), now)),
            Err(error) if error.is_timeout() => Outcome::Unanswered("no answer in time"),
            Err(error) if error.is_connect() => Outcome::Unanswered("no connection"),
            Err(_) => Outcome::Unanswered("the connection broke"),
        }
    }

    fn headers(&self, news: &News, now: DateTime<Utc>, body: &str) -> HeaderMap {
        let (id, timestamp) = (news.id.to_string(), now.timestamp());
        let signature = self.secrets.sign(&id, timestamp, body);
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        for (name, value) in [(ID, id), (TIMESTAMP, timestamp.to_string()), (SIGNATURE, signature)] {
            headers.extend(HeaderValue::try_from(value).map(|value| (name, value)));
        }
        if let Some(origin) = &news.origin {
            origin.pass_on(&mut headers);
        }
        trace::pass_on(&mut headers);
        headers
    }
}

impl Outcome {
    fn of(status: StatusCode, asks: Option<TimeDelta>) -> Self {
        match status {
            StatusCode::GONE => Self::Gone,
            status if status.is_success() => Self::Delivered,
            status => Self::Refused { status, asks },
        }
    }

    /// As a label.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Refused { .. } if self.rest().is_some() => "slowed",
            Self::Refused { .. } => "refused",
            Self::Unanswered(_) => "unanswered",
        }
    }

    /// How long to leave the subscriber alone with all news, where it can't take more or somebody before it says so.
    pub(crate) fn rest(self) -> Option<TimeDelta> {
        const OVERLOADED: [StatusCode; 4] = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        match self {
            Self::Refused { status, asks } if OVERLOADED.contains(&status) => {
                Some(asks.unwrap_or(USUAL_REST).min(LONGEST_REST))
            }
            _ => None,
        }
    }

    /// What the operator is told of it.
    pub(crate) fn told(self) -> String {
        match self {
            Self::Delivered => String::new(),
            Self::Gone => "status 410".to_owned(),
            Self::Refused { status, .. } => format!("status {}", status.as_u16()),
            Self::Unanswered(why) => why.to_owned(),
        }
    }
}

/// How long a subscriber that can't take more is left alone if it doesn't say how long.
const USUAL_REST: TimeDelta = TimeDelta::seconds(30);

/// How long it is left alone at most, so that a slip of its doesn't silence us.
const LONGEST_REST: TimeDelta = TimeDelta::hours(1);

/// What `Retry-After` says, as seconds or as a date.
fn asks(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<u32>() {
        Ok(seconds) => Some(TimeDelta::seconds(seconds.into())),
        Err(_) => DateTime::parse_from_rfc2822(text).ok().map(|then| then.with_timezone(&Utc) - now),
    }
}

fn is_usable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
}

/// Whether `url` points at this very machine, where a proxy from the environment has no business.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_can_say_when_to_come_again_in_seconds_or_by_date() {
        let now = "2026-12-01T09:00:00Z".parse().unwrap();
        let asks =
            |text: &'static str| asks(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), now);
        assert_eq!(asks("120"), Some(TimeDelta::minutes(2)));
        assert_eq!(asks("Tue, 01 Dec 2026 09:30:00 GMT"), Some(TimeDelta::minutes(30)));
        assert_eq!(asks("soon"), None);
        assert_eq!(asks("-5"), None);
    }

    #[test]
    fn only_one_that_is_overloaded_is_left_alone() {
        let rest = |status: u16, asks| Outcome::of(StatusCode::from_u16(status).unwrap(), asks).rest();
        for status in [429, 502, 503, 504] {
            assert_eq!(rest(status, None), Some(TimeDelta::seconds(30)));
            assert_eq!(rest(status, Some(TimeDelta::minutes(2))), Some(TimeDelta::minutes(2)));
            assert_eq!(rest(status, Some(TimeDelta::days(9))), Some(TimeDelta::hours(1)));
        }
        for status in [200, 301, 400, 404, 410, 500] {
            assert_eq!(rest(status, Some(TimeDelta::minutes(2))), None);
        }
    }
}
