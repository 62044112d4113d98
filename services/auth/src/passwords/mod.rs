//! Whether a typed password is the one behind a stored hash, whichever accepted format that has.
//!
//! New hashes are Argon2id ([`common::password`]). The [`legacy`] formats of the original are accepted once: a
//! log-in that succeeds by one of them brings the hash to replace it. A stored text that is in no format, a
//! password in plain text above all, opens for nobody: nothing stored is ever compared with what was typed.

pub(crate) mod hashing;
mod legacy;
#[cfg(test)]
mod vectors;

use std::time::Duration;

use axum::http::StatusCode;
use common::error::{ApiError, Chain};
use common::password;

/// A hash of a password nobody has, checked where there is no hash of ours to check, so that all refusals cost
/// the same.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$/mumarZ7RPISzk82F+DcHg$44gkePqZ8/MywFT0WxWA8yJfIUAQmRN4aERywW1+9TI";

/// What a typed password is to a stored hash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not the password.
    Wrong,
    /// The password, and a hash to store in place of an outdated one.
    Right {
        /// `None` where the stored hash is as good as a new one.
        better: Option<String>,
    },
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("too many passwords wait to be hashed")]
    Overloaded,
    #[error("hashing broke off")]
    BrokeOff(#[source] tokio::task::JoinError),
    #[error("the password could not be hashed")]
    Unhashable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The hash to store for a new password. Takes a core for a while: take a [turn](hashing::Hashing).
pub(crate) fn hash(typed: &str) -> Result<String, PasswordError> {
    password::hash(typed).map_err(|error| PasswordError::Unhashable(error.into()))
}

/// Whether `typed` is the password behind `stored`, `None` being an account that doesn't exist. Takes a core for a
/// while: take a [turn](hashing::Hashing).
pub(crate) fn check(typed: &str, stored: Option<&str>) -> Verdict {
    let (right, current) = match stored {
        Some(own) if password::is_own(own) => (password::verify(typed, own), password::is_current(own)),
        Some(foreign) => (legacy::verify(typed, foreign) || decoy(typed), false),
        None => (decoy(typed), false),
    };
    match right {
        false => Verdict::Wrong,
        true if current => Verdict::Right { better: None },
        true => Verdict::Right { better: renewed(typed) },
    }
}

/// Costs what checking a hash of ours costs, and is always false.
fn decoy(typed: &str) -> bool {
    std::hint::black_box(password::verify(typed, DECOY));
    false
}

/// A hash of ours; a password that can't be hashed right now is still right.
fn renewed(typed: &str) -> Option<String> {
    hash(typed).inspect_err(|error| tracing::warn!(error = %Chain(error), "no better hash for now")).ok()
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Overloaded => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "지금은 접속자가 많습니다. 잠시 후 다시 시도해 주세요.",
                "Too many people are logging in right now. Please try again shortly.",
            )
            .retry_after(Duration::from_secs(2))
            .because(error),
            PasswordError::BrokeOff(_) | PasswordError::Unhashable(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_vector_opens_with_its_password_alone_and_is_renewed() {
        for (name, stored) in vectors::accepted() {
            let verdict = check(vectors::PASSWORD, Some(&stored));
            let Verdict::Right { better: Some(better) } = verdict else { panic!("{name}: {verdict:?}") };
            assert_eq!(check(vectors::PASSWORD, Some(&better)), Verdict::Right { better: None }, "{name}");
            assert_eq!(check("Passw0rd!x", Some(&stored)), Verdict::Wrong, "{name} with one more character");
            assert_eq!(check(&stored, Some(&stored)), Verdict::Wrong, "{name} typed as stored");
        }
    }

    /// Made with Werkzeug 2.3.7 and hashlib.
    #[test]
    fn salts_and_passwords_are_text_of_any_script_and_a_salt_may_be_empty() {
        for stored in [
            "pbkdf2:sha384:1000$$8f00432fd26e1b9cb59fb6fe1f0475bc3bd6454a3f91d38386eb48d5d6f7310fffb02b4d7f6f5b7eee88f27f62d3d55f",
            "pbkdf2:md5:3$소금$3fd2e5bd3a8b335272184b53068d1173",
            "sha224$소금$5ac88970cd50a8e20a120c1973fec779068024f66821de219ef5e80b",
            "sha384$$6cfeea4903b5bf2aed74ef514c357d697a87c4603449dbdffbf56e10bbe3cb36feb2d4259f5981c3ee12681d83787d41",
            "scrypt:1024:8:2$소금$4e1b9ba22c75930bac7af908d3a18a09941157e56684cdd84189ff62180820811fcf189ffcddcc2d5370669d4bf88b1054a6b86a112dc94751aed0c665a646aa",
            "소금소금소금소금소금소금소금소금소금소금소금소금소금소금소금소금966ee95caad0f2b24bb0f8dbd4738c8b9f119cd37e6d11f11f14a105ae7a6a6b",
            "4a37d0bcf70865c9aa1c5fe81b9d41353382972559499ee88b7f7dc8b6a0191c",
        ] {
            assert!(matches!(check("비밀번호-é😀", Some(stored)), Verdict::Right { .. }), "{stored}");
            assert_eq!(check("비밀번호-é😁", Some(stored)), Verdict::Wrong, "{stored}");
        }
    }

    #[test]
    fn what_is_no_hash_opens_for_nobody() {
        for stored in vectors::REFUSED {
            for typed in [vectors::PASSWORD, stored, "admin123"] {
                assert_eq!(check(typed, Some(stored)), Verdict::Wrong, "{stored:?} by {typed:?}");
            }
        }
        assert_eq!(check(vectors::PASSWORD, None), Verdict::Wrong);
    }

    #[test]
    fn an_own_hash_that_costs_less_than_new_ones_is_renewed() {
        let weak = "$argon2id$v=19$m=7168,t=5,p=1$+VawJD7Ew4yc7+RaCCW5dg$PcHxqALwfaUzOgI3a+Eb5wTKVZ9Yo5X5kdNCy9dFVzI";
        assert!(matches!(check(vectors::PASSWORD, Some(weak)), Verdict::Right { better: Some(_) }));
    }

    #[test]
    fn the_decoy_costs_what_a_new_hash_costs() {
        assert!(password::is_current(DECOY));
        assert_eq!(DECOY.len(), hash("any").unwrap().len());
    }

    /// Texts that look like hashes of ours and of the original's. They ask for little, or for more than there is: what
    /// lies between is allowed to take its time.
    fn lookalike() -> impl Strategy<Value = String> {
        let cost = "([0-9]{1,2}|[0-9]{8,20})";
        let texts = [
            format!(
                "\\$argon2id\\$v=(16|19|[0-9]{{1,9}})\\$m={cost},t=[0-3],p={cost}\\$[A-Za-z0-9+/]{{0,24}}\\$[A-Za-z0-9+/]{{0,88}}"
            ),
            format!("scrypt:{cost}:{cost}:{cost}\\$.{{0,9}}\\$[0-9a-f]{{0,128}}"),
            format!("pbkdf2:(md5|sha1|sha224|sha256|sha384|sha512|md4):{cost}\\$.{{0,9}}\\$[0-9a-f]{{0,64}}"),
            "(md5|sha1|sha256|sha512|)\\$.{0,9}\\$[0-9a-f]{0,64}".to_owned(),
            "[0-9a-f]{63,65}".to_owned(),
            "\\PC{0,99}".to_owned(),
            "[$:a-z0-9=,]{0,60}".to_owned(),
        ];
        proptest::strategy::Union::new(texts.map(|text| proptest::string::string_regex(&text).unwrap()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn no_stored_text_opens_by_chance_or_takes_more_than_there_is(stored in lookalike(), typed in "\\PC{0,20}") {
            // Without the decoy, which takes a while on purpose.
            prop_assert!(!password::verify(&typed, &stored));
            prop_assert!(!legacy::verify(&typed, &stored));
            let _ = password::is_current(&stored);
        }
    }
}
