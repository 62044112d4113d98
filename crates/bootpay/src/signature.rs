//! The webhook's signature: base64 of HMAC-SHA256 over the raw body, keyed with the private key.
//!
//! The trap: HMAC accepts an empty key, so a service without one would accept everybody's signature. Here an empty key
//! verifies nothing. The provider itself documents no signature; senders that add one follow this form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Whether `header` is the signature of `raw_body` under `key`, compared in constant time.
///
/// False for an empty key, whatever the header.
pub fn verify(key: &SecretString, raw_body: &[u8], header: &str) -> bool {
    let Ok(claimed) = STANDARD.decode(header.trim()) else {
        return false;
    };
    keyed(key, raw_body).is_some_and(|mac| mac.verify_slice(&claimed).is_ok())
}

/// The signature of `raw_body` under `key`: what the simulator sends, and tests. `None` for an empty key.
pub fn sign(key: &SecretString, raw_body: &[u8]) -> Option<String> {
    keyed(key, raw_body).map(|mac| STANDARD.encode(mac.finalize().into_bytes()))
}

fn keyed(key: &SecretString, raw_body: &[u8]) -> Option<Hmac<Sha256>> {
    let key = key.expose_secret().as_bytes();
    if key.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(raw_body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(key: &str) -> SecretString {
        SecretString::from(key)
    }

    /// RFC 4231, test case 2, in base64.
    #[test]
    fn agrees_with_the_published_vector() {
        let expected = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
        let body = b"what do ya want for nothing?";

        assert_eq!(sign(&key("Jefe"), body).as_deref(), Some(expected));
        assert!(verify(&key("Jefe"), body, expected));
    }

    #[test]
    fn refuses_another_body_key_or_form() {
        let signature = sign(&key("secret"), b"{\"price\":1}").unwrap();

        assert!(verify(&key("secret"), b"{\"price\":1}", &signature));
        assert!(verify(&key("secret"), b"{\"price\":1}", &format!(" {signature} ")));
        assert!(!verify(&key("secret"), b"{\"price\":2}", &signature));
        assert!(!verify(&key("other"), b"{\"price\":1}", &signature));
        assert!(!verify(&key("secret"), b"{\"price\":1}", &signature[..20]));
        assert!(!verify(&key("secret"), b"{\"price\":1}", ""));
        assert!(!verify(&key("secret"), b"{\"price\":1}", "not base64!"));
    }

    #[test]
    fn an_empty_key_verifies_nothing() {
        let of_the_empty_key =
            STANDARD.encode(Hmac::<Sha256>::new_from_slice(b"").unwrap().chain_update(b"body").finalize().into_bytes());

        assert!(!verify(&key(""), b"body", &of_the_empty_key));
        assert_eq!(sign(&key(""), b"body"), None);
    }

    proptest! {
        #[test]
        fn nothing_but_the_signature_verifies(body: Vec<u8>, header in "\\PC{0,60}|[A-Za-z0-9+/]{43}=") {
            let signature = sign(&key("secret"), &body).unwrap();
            prop_assert!(verify(&key("secret"), &body, &signature));
            prop_assert_eq!(verify(&key("secret"), &body, &header), header.trim() == signature);
        }
    }
}
