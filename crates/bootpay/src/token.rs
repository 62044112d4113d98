//! The access token: fetched when first needed, kept until shortly before it expires, replaced once it is refused.
//!
//! One caller fetches while the others wait for it: a burst after the half hour must not become a burst of token
//! requests. The trap is the refusal: many calls may fail with the *same* old token, and only the first of them may
//! replace it. Hence the number that each token carries.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;

use crate::Error;

/// What the provider documents, and the longest we believe it.
const LIFETIME: Duration = Duration::from_mins(30);
/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_mins(1);

/// A token as the calls use it.
#[derive(Clone)]
pub(crate) struct Token {
    /// What goes into the `Authorization` header.
    pub(crate) value: SecretString,
    /// Tells this token from the one before it.
    pub(crate) number: u64,
    usable_until: Instant,
}

impl Token {
    /// Reads the provider's answer to a token request that was made at `asked_at`.
    pub(crate) fn from_json(json: &Value, number: u64, asked_at: Instant) -> Result<Self, Error> {
        let value = json
            .get("access_token")
            .and_then(Value::as_str)
            .filter(|token| !token.is_empty())
            .ok_or(Error::Unreadable("a token request without an access_token"))?;
        let lifetime =
            json.get("expire_in").and_then(Value::as_u64).map_or(LIFETIME, Duration::from_secs).min(LIFETIME);
        // A token that lives a few seconds is still used, for most of them.
        let margin = MARGIN.min(lifetime / 10);
        Ok(Self { value: SecretString::from(value), number, usable_until: asked_at + lifetime.saturating_sub(margin) })
    }

    /// Whether it can be used at `now` by a caller who saw the token numbered `refused` being refused.
    pub(crate) fn is_good(&self, now: Instant, refused: Option<u64>) -> bool {
        now < self.usable_until && Some(self.number) != refused
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(expire_in: &Value) -> (Token, Instant) {
        let now = Instant::now();
        let json = json!({"access_token": "t", "expire_in": expire_in});
        (Token::from_json(&json, 7, now).unwrap(), now)
    }

    #[test]
    fn is_not_used_in_its_last_minute() {
        let (token, now) = token(&json!(1800));

        assert!(token.is_good(now + Duration::from_secs(1739), None));
        assert!(!token.is_good(now + Duration::from_mins(29), None));
    }

    #[test]
    fn lives_half_an_hour_at_most_whatever_is_said() {
        for said in [json!(null), json!("soon"), json!(1_795_000_000), json!(u64::MAX)] {
            let (token, now) = token(&said);
            assert!(token.is_good(now + Duration::from_secs(1739), None), "{said}");
            assert!(!token.is_good(now + Duration::from_mins(29), None), "{said}");
        }
    }

    #[test]
    fn a_refused_one_is_not_used_again() {
        let (token, now) = token(&json!(1800));

        assert!(!token.is_good(now, Some(7)));
        assert!(token.is_good(now, Some(6)));
    }

    #[test]
    fn an_answer_without_a_token_is_unreadable() {
        for json in [json!({}), json!({"access_token": ""}), json!([]), json!({"access_token": 1})] {
            let read = Token::from_json(&json, 1, Instant::now());
            assert!(matches!(read, Err(Error::Unreadable(_))), "{json}");
        }
    }
}
