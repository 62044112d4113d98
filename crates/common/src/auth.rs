//! Who is asking: session tokens, and permission as a type.
//!
//! A handler that takes a [`User`] can only be reached by somebody signed in; one that takes an [`Admin`], only by
//! an administrator. The token says who; the database says whether that account still is, and what it may.
//! Tokens are the original's (HS256; `user_id`, `role`, `iat`, `exp`; a day), so either system accepts the other's.

use std::sync::{Arc, OnceLock};

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::MySqlPool;

use crate::clock::Clock;
use crate::config::{SAFE_KEY, SecretKey};
use crate::error::ApiError;

/// How long a session lasts.
const LIFETIME: TimeDelta = TimeDelta::hours(24);

crate::text_enum! {
    /// What an account may do.
    #[derive(Default)]
    pub enum Role {
        /// Book and pay for oneself.
        #[default]
        User = "USER",
        /// Administer the airline.
        Admin = "ADMIN",
    }
}

/// What a token says. Whoever adds a claim must go on accepting tokens without it.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    user_id: i64,
    #[serde(default)]
    role: Option<Role>,
    iat: Option<i64>,
    exp: i64,
}

/// Signs and verifies session tokens.
#[derive(Clone)]
pub struct Tokens {
    signing: EncodingKey,
    /// The first is that of `signing`.
    verifying: Vec<DecodingKey>,
    validation: Validation,
    clock: Clock,
}

impl Tokens {
    /// Tokens under the key that the settings name; those of the further keys are honoured, too.
    pub fn of(keys: &SecretKey, clock: Clock) -> Self {
        let mut tokens = Self::new(&keys.secret_key, clock);
        tokens.verifying.extend(keys.accepted().map(|key| DecodingKey::from_secret(key.as_bytes())));
        tokens
    }

    /// Tokens under `key`, taken as the UTF-8 bytes it is, and under no other.
    pub fn new(key: &SecretString, clock: Clock) -> Self {
        let key = key.expose_secret().as_bytes();
        if key.len() < SAFE_KEY {
            tracing::warn!(bytes = key.len(), "SECRET_KEY is short enough to be guessed: {SAFE_KEY} bytes are safe");
        }
        let mut validation = Validation::new(Algorithm::HS256);
        // The library would read the machine's clock; `verify` compares with ours, and without leeway.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let (signing, verifying) = (EncodingKey::from_secret(key), vec![DecodingKey::from_secret(key)]);
        Self { signing, verifying, validation, clock }
    }

    /// A new session for an account.
    ///
    /// # Errors
    /// When signing fails, which is our fault and never the caller's.
    pub fn issue(&self, user_id: i64, role: Role) -> Result<String, ApiError> {
        let iat = self.clock.now().timestamp();
        let claims = Claims { user_id, role: Some(role), iat: Some(iat), exp: iat + LIFETIME.num_seconds() };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing).map_err(ApiError::internal)
    }

    /// The account a token is for, if the token is genuine and its time has come and not gone.
    fn verify(&self, token: &str) -> Option<i64> {
        let genuine = |key| jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok();
        let claims = self.verifying.iter().find_map(genuine)?.claims;
        let now = self.clock.now().timestamp();
        let current = claims.exp > now && claims.iat.is_none_or(|iat| iat <= now);
        current.then_some(claims.user_id)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

/// Somebody who is signed in and whose account exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The account (`users.user_id`).
    pub id: i64,
    /// What the account may do, as the database says now.
    pub role: Role,
}

impl User {
    /// Whether the account administers the airline.
    pub fn is_admin(self) -> bool {
        self.role == Role::Admin
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) => return None,
        None => header,
    };
    (!token.is_empty()).then_some(token)
}

impl<S> FromRequestParts<S> for User
where
    S: Send + Sync,
    Tokens: FromRef<S>,
    MySqlPool: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Err(ApiError::unauthorized("로그인이 필요합니다.", "Please log in."));
        }
        let refused = || {
            ApiError::unauthorized(
                "로그인이 만료되었거나 올바르지 않습니다. 다시 로그인해 주세요.",
                "Your session is invalid or has expired. Please log in again.",
            )
        };
        let id = bearer(parts).and_then(|token| Tokens::from_ref(state).verify(token)).ok_or_else(refused)?;
        // No macro: crates/migrate needs this crate before there is a database that a macro could ask.
        let role = sqlx::query_scalar::<_, Option<Role>>("select role from users where user_id = ?")
            .bind(id)
            .fetch_optional(&MySqlPool::from_ref(state))
            .await?
            .ok_or_else(refused)?
            .unwrap_or_default();
        if let Some(who) = parts.extensions.get::<WhoAsked>() {
            who.0.get_or_init(|| id);
        }
        Ok(Self { id, role })
    }
}

/// Where a request keeps, for its log line, which account asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhoAsked(Arc<OnceLock<i64>>);

impl WhoAsked {
    /// The account, if one was needed and found.
    pub(crate) fn get(&self) -> Option<i64> {
        self.0.get().copied()
    }
}

/// An administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The account (`users.user_id`).
    pub id: i64,
}

impl<S> FromRequestParts<S> for Admin
where
    S: Send + Sync,
    Tokens: FromRef<S>,
    MySqlPool: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let user = User::from_request_parts(parts, state).await?;
        if !user.is_admin() {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "관리자만 이용할 수 있습니다.",
                "Only administrators may do this.",
            ));
        }
        Ok(Self { id: user.id })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "a-key-of-the-original-system-0123456789";

    fn tokens(at: &str) -> (Tokens, Clock) {
        let clock = Clock::fixed(at.parse().unwrap());
        (Tokens::new(&KEY.into(), clock.clone()), clock)
    }

    fn signed(claims: &serde_json::Value) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(KEY.as_bytes())).unwrap()
    }

    #[test]
    fn a_session_lasts_a_day_to_the_second() {
        let (tokens, clock) = tokens("2026-12-01T00:00:00Z");
        let token = tokens.issue(7, Role::User).unwrap();
        clock.advance(TimeDelta::seconds(86_399));
        assert_eq!(tokens.verify(&token), Some(7));
        clock.advance(TimeDelta::seconds(1));
        assert_eq!(tokens.verify(&token), None);
    }

    #[test]
    fn refuses_what_the_original_refuses() {
        let (tokens, clock) = tokens("2026-12-01T00:00:00Z");
        let now = clock.now().timestamp();
        let good = serde_json::json!({"user_id": 7, "iat": now, "exp": now + 10});
        assert_eq!(tokens.verify(&signed(&good)), Some(7));
        for (name, value) in [
            ("iat", serde_json::json!(now + 1)),
            ("exp", serde_json::json!(now)),
            ("aud", serde_json::json!("someone")),
            ("user_id", serde_json::json!("7")),
            ("user_id", serde_json::Value::Null),
        ] {
            let mut bad = good.clone();
            bad[name] = value;
            assert_eq!(tokens.verify(&signed(&bad)), None, "{bad}");
        }
    }

    #[test]
    fn refuses_another_key_and_another_algorithm() {
        let (tokens, clock) = tokens("2026-12-01T00:00:00Z");
        let claims = serde_json::json!({"user_id": 7, "exp": clock.now().timestamp() + 10});
        let other =
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(b"other")).unwrap();
        let stronger =
            jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &EncodingKey::from_secret(KEY.as_bytes()))
                .unwrap();
        for token in [other.as_str(), &stronger, "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjo3fQ.", "", "a.b.c"] {
            assert_eq!(tokens.verify(token), None, "{token}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_session(token in "\\PC{0,80}|[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,60}){1,3}") {
            prop_assert_eq!(tokens("2026-12-01T00:00:00Z").0.verify(&token), None);
        }

        #[test]
        fn any_times_are_compared_and_no_more(iat: Option<i64>, exp: i64, id: i64) {
            let (tokens, clock) = tokens("2026-12-01T00:00:00Z");
            let now = clock.now().timestamp();
            let token = signed(&serde_json::json!({"user_id": id, "iat": iat, "exp": exp}));
            let current = exp > now && iat.is_none_or(|iat| iat <= now);
            prop_assert_eq!(tokens.verify(&token), current.then_some(id));
        }

        #[test]
        fn any_authorization_header_is_read_or_not(header in prop::collection::vec(any::<u8>(), 0..80)) {
            let Ok(value) = axum::http::HeaderValue::from_bytes(&header) else { return Ok(()) };
            let (parts, ()) = axum::http::Request::builder().header(AUTHORIZATION, value).body(()).unwrap().into_parts();
            prop_assert!(bearer(&parts).is_none_or(|token| !token.trim().is_empty()));
        }
    }
}
