//! How often a wrong password may be tried for one account: a limited number within any minute.
//!
//! Attempts are counted per e-mail address whether it has an account or not, so that the limit tells nobody which
//! have one, and before they are checked, so that parallel ones can't slip past; a right password takes the count
//! away. All replicas count together in Redis; while it is away each counts for itself.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use common::cache::Cache;
use common::clock::Clock;
use common::error::ApiError;
use sha2::{Digest, Sha256};

use crate::people::EmailAddress;

/// The span in which attempts count.
const WINDOW: Duration = Duration::from_mins(1);
/// How many accounts a process counts for by itself. Hashing is so slow that hardly more can be tried in a window.
const ACCOUNTS: usize = 10_000;

/// Counts attempts; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    cache: Cache,
    clock: Clock,
    limit: u32,
    local: Arc<Mutex<HashMap<Key, VecDeque<DateTime<Utc>>>>>,
}

/// Too many attempts for one account.
#[derive(Debug, thiserror::Error)]
#[error("too many wrong passwords")]
pub(crate) struct TooManyAttempts {
    /// When the next one is let through.
    wait: Duration,
}

/// An e-mail address that can't be read back, because Redis is no place for personal data.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

impl Throttle {
    /// At most `limit` wrong attempts for an account in any minute.
    pub(crate) fn new(cache: Cache, clock: Clock, limit: u32) -> Self {
        Self { cache, clock, limit, local: Arc::default() }
    }

    /// Counts one more attempt for this account, which its limit may refuse.
    pub(crate) async fn admit(&self, email: &EmailAddress) -> Result<(), TooManyAttempts> {
        let (key, now) = (Key::of(email), self.clock.now());
        let admitted = match self.cache.admit(&key.to_string(), self.limit, WINDOW, now).await {
            Some(admitted) => admitted,
            None => self.admit_locally(key, now),
        };
        admitted.map_err(|wait| TooManyAttempts { wait })
    }

    /// The password was right: nothing counts against this account any more.
    pub(crate) async fn forget(&self, email: &EmailAddress) {
        let key = Key::of(email);
        self.local.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        self.cache.reset(&key.to_string()).await;
    }

    fn admit_locally(&self, key: Key, now: DateTime<Utc>) -> Result<(), Duration> {
        let since = now - TimeDelta::from_std(WINDOW).unwrap_or_default();
        let mut accounts = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= ACCOUNTS && !accounts.contains_key(&key) {
            make_room(&mut accounts, since);
        }
        let attempts = accounts.entry(key).or_default();
        attempts.retain(|at| *at > since);
        if attempts.len() < usize::try_from(self.limit).unwrap_or(usize::MAX) {
            attempts.push_back(now);
            return Ok(());
        }
        let oldest = attempts.front().copied().unwrap_or(now);
        Err((oldest - since).to_std().unwrap_or(WINDOW))
    }
}

/// Drops what doesn't count any more, and if that is nothing, the account with the least against it.
fn make_room(accounts: &mut HashMap<Key, VecDeque<DateTime<Utc>>>, since: DateTime<Utc>) {
    accounts.retain(|_, attempts| attempts.back().is_some_and(|at| *at > since));
    if accounts.len() >= ACCOUNTS
        && let Some(least) = accounts.iter().min_by_key(|(_, a)| (a.len(), a.back().copied())).map(|(key, _)| *key)
    {
        accounts.remove(&least);
    }
}

impl Key {
    fn of(email: &EmailAddress) -> Self {
        Self(Sha256::digest(email.as_str()).into())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("login:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<TooManyAttempts> for ApiError {
    fn from(TooManyAttempts { wait }: TooManyAttempts) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-attempts",
            "로그인 시도가 너무 많습니다. 잠시 후 다시 시도해 주세요.",
            "There were too many attempts to log in. Please try again later.",
        )
        // Whole seconds, never too early.
        .retry_after(Duration::from_secs(wait.as_secs() + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(limit: u32) -> (Throttle, Clock) {
        let clock = Clock::fixed("2026-12-01T00:00:00Z".parse().unwrap());
        (Throttle::new(Cache::absent(), clock.clone(), limit), clock)
    }

    fn email(n: usize) -> EmailAddress {
        EmailAddress::typed(&format!("person{n}@example.com"))
    }

    #[tokio::test]
    async fn any_minute_has_at_most_the_limit() {
        let (throttle, clock) = throttle(2);
        assert!(throttle.admit(&email(1)).await.is_ok());
        clock.advance(TimeDelta::seconds(59));
        assert!(throttle.admit(&email(1)).await.is_ok());
        assert_eq!(throttle.admit(&email(1)).await.unwrap_err().wait, Duration::from_secs(1));
        clock.advance(TimeDelta::seconds(1));
        assert!(throttle.admit(&email(1)).await.is_ok());
        assert_eq!(throttle.admit(&email(1)).await.unwrap_err().wait, Duration::from_secs(59));
        assert!(throttle.admit(&email(2)).await.is_ok(), "each account has its own");
    }

    #[tokio::test]
    async fn memory_is_bounded_and_those_with_most_against_them_stay() {
        let (throttle, _) = throttle(2);
        assert!(throttle.admit(&email(0)).await.is_ok());
        assert!(throttle.admit(&email(0)).await.is_ok());
        for n in 1..=ACCOUNTS + 50 {
            assert!(throttle.admit(&email(n)).await.is_ok());
        }
        assert_eq!(throttle.local.lock().unwrap().len(), ACCOUNTS);
        assert!(throttle.admit(&email(0)).await.is_err());
    }

    #[test]
    fn a_key_shows_no_address() {
        let key = Key::of(&EmailAddress::typed(" Kim@Example.COM "));
        assert_eq!(key.to_string(), Key::of(&EmailAddress::typed("kim@example.com")).to_string());
        assert!(!format!("{key:?}").contains("kim"));
    }
}
