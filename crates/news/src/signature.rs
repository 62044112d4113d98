//! Signatures, as Standard Webhooks has them: base64 of HMAC-SHA256 over `id.timestamp.body`. With several secrets there
//! are several signatures, and the subscriber believes whichever it knows.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

/// How many bytes a secret has: fewer can be guessed, more are none of the standard's.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What news is signed with: at least one secret.
#[derive(Clone)]
pub struct Secrets(Vec<SecretSlice<u8>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// Which secret, counted from one, isn't written as `whsec_` and 24 to 64 bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("secret {0} must be whsec_ followed by 24 to 64 bytes in base64")]
pub struct BadSecret(usize);

impl Secrets {
    /// Reads secrets that stand side by side, separated by spaces or commas.
    pub fn parse(text: &SecretString) -> Result<Self, BadSecret> {
        let mut secrets = Vec::new();
        for secret in text.expose_secret().split([' ', ',']).filter(|secret| !secret.is_empty()) {
            let bytes = secret.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
            let bytes = bytes.filter(|bytes| BYTES.contains(&bytes.len())).ok_or(BadSecret(secrets.len() + 1))?;
            secrets.push(bytes.into());
        }
        if secrets.is_empty() { Err(BadSecret(1)) } else { Ok(Self(secrets)) }
    }

    /// The `webhook-signature` of a message that is sent at `timestamp`, in seconds since 1970.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let message = format!("{id}.{timestamp}.{body}");
        let signatures: Vec<_> = self.0.iter().filter_map(|secret| sign(secret.expose_secret(), &message)).collect();
        signatures.join(" ")
    }
}

/// One signature; every length of key makes one.
fn sign(secret: &[u8], message: &str) -> Option<String> {
    let mac = Hmac::<Sha256>::new_from_slice(secret).ok()?.chain_update(message);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard's own example.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn sign(secrets: &str) -> String {
        let secrets = Secrets::parse(&secrets.into()).unwrap();
        secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#)
    }

    #[test]
    fn agrees_with_the_standards_example() {
        assert_eq!(sign(SECRET), SIGNATURE);
    }

    #[test]
    fn every_secret_signs_while_one_gives_way_to_the_next() {
        let next = format!("whsec_{}", STANDARD.encode([7; 32]));
        let alone = sign(&next);
        assert_ne!(alone, SIGNATURE);
        for both in [format!("{next},{SECRET}"), format!(" {next}  {SECRET} "), format!("{next}, {SECRET}")] {
            assert_eq!(sign(&both), format!("{alone} {SIGNATURE}"));
        }
    }

    #[test]
    fn a_secret_that_is_none_is_told_by_its_place_and_not_shown() {
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        let bare = SECRET.trim_start_matches("whsec_").to_owned();
        for (bad, place) in [
            ("", 1),
            (" , ", 1),
            (bare.as_str(), 1),
            ("whsec_", 1),
            ("whsec_not base64", 1),
            (&format!("{SECRET} {short}"), 2),
            (&format!("{SECRET},{long}"), 2),
        ] {
            assert_eq!(Secrets::parse(&bad.into()).unwrap_err(), BadSecret(place), "{bad:?}");
        }
        assert_eq!(format!("{:?}", Secrets::parse(&SECRET.into()).unwrap()), "1 secrets");
    }
}
