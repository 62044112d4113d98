//! The hash formats the original left behind (contract §3), decided in the original's order, with two differences:
//! nothing is ever compared as plain text, and a hash that asks for more work or memory than a log-in may cost
//! matches nothing.
//!
//! The one trap: a salt is its text, never decoded, even where it looks like hex.

use hmac::{EagerHash, Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

/// Iterations where a PBKDF2 hash names none.
const IMPLIED_ITERATIONS: u32 = 600_000;
/// Three times what the original ever used: more than a second of a core is no log-in.
const MOST_ITERATIONS: u32 = 2_000_000;
/// What a scrypt hash may take, by the measure 132·N·r·p; the original's take 33 MiB.
const MOST_MEMORY: u64 = 64 << 20;
/// How the salted format's salt is told from its digest: by length.
const SALT_CHARACTERS: usize = 32;

/// Whether `stored` is a hash of `typed` in one of the original's formats.
pub(super) fn verify(typed: &str, stored: &str) -> bool {
    let length = stored.chars().count();
    if stored.contains('$') && stored.contains(':') {
        werkzeug(typed, stored)
    } else if length == 64 && stored.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        same(&hex(&Sha256::digest(typed)), stored)
    } else if length == 96 {
        salted(typed, stored)
    } else {
        werkzeug(typed, stored)
    }
}

/// 32 characters of salt, then the hex of PBKDF2-HMAC-SHA256.
fn salted(typed: &str, stored: &str) -> bool {
    let cut = stored.char_indices().nth(SALT_CHARACTERS).map_or(stored.len(), |(at, _)| at);
    let (salt, digest) = stored.split_at(cut);
    same(&hex(&pbkdf2::<Sha256>(typed, salt, 100_000)), digest)
}

/// `<method>$<salt>$<hex>`; what follows the second `$` is all digest.
fn werkzeug(typed: &str, stored: &str) -> bool {
    let mut parts = stored.splitn(3, '$');
    let (Some(method), Some(salt), Some(digest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let method: Vec<&str> = method.split(':').collect();
    let computed = match method[..] {
        ["scrypt"] => scrypt(typed, salt, 32_768, 8, 1),
        ["scrypt", n, r, p] => match (n.parse(), r.parse(), p.parse()) {
            (Ok(n), Ok(r), Ok(p)) => scrypt(typed, salt, n, r, p),
            _ => None,
        },
        ["pbkdf2"] => pbkdf2_by("sha256", typed, salt, IMPLIED_ITERATIONS),
        ["pbkdf2", hash] => pbkdf2_by(hash, typed, salt, IMPLIED_ITERATIONS),
        ["pbkdf2", hash, iterations] => iterations.parse().ok().and_then(|n| pbkdf2_by(hash, typed, salt, n)),
        [hash] => hmac_by(hash, typed, salt),
        _ => None,
    };
    computed.is_some_and(|computed| same(&hex(&computed), digest))
}

fn scrypt(typed: &str, salt: &str, n: u64, r: u32, p: u32) -> Option<Vec<u8>> {
    let memory = n.checked_mul(132)?.checked_mul(r.into())?.checked_mul(p.into())?;
    if memory > MOST_MEMORY || n < 2 || !n.is_power_of_two() {
        return None;
    }
    let params = scrypt::Params::new(u8::try_from(n.ilog2()).ok()?, r, p).ok()?;
    let mut key = vec![0; 64];
    scrypt::scrypt(typed.as_bytes(), salt.as_bytes(), &params, &mut key).ok()?;
    Some(key)
}

fn pbkdf2_by(hash: &str, typed: &str, salt: &str, iterations: u32) -> Option<Vec<u8>> {
    if !(1..=MOST_ITERATIONS).contains(&iterations) {
        return None;
    }
    Some(match hash {
        "md5" => pbkdf2::<Md5>(typed, salt, iterations),
        "sha1" => pbkdf2::<Sha1>(typed, salt, iterations),
        "sha224" => pbkdf2::<Sha224>(typed, salt, iterations),
        "sha256" => pbkdf2::<Sha256>(typed, salt, iterations),
        "sha384" => pbkdf2::<Sha384>(typed, salt, iterations),
        "sha512" => pbkdf2::<Sha512>(typed, salt, iterations),
        _ => return None,
    })
}

/// As long as the hash's own digest.
fn pbkdf2<D: Digest + EagerHash>(typed: &str, salt: &str, iterations: u32) -> Vec<u8> {
    let mut key = vec![0; <D as Digest>::output_size()];
    pbkdf2::pbkdf2_hmac::<D>(typed.as_bytes(), salt.as_bytes(), iterations, &mut key);
    key
}

/// The salt is the key and the password the message.
fn hmac_by(hash: &str, typed: &str, salt: &str) -> Option<Vec<u8>> {
    match hash {
        "md5" => hmac::<Hmac<Md5>>(typed, salt),
        "sha1" => hmac::<Hmac<Sha1>>(typed, salt),
        "sha224" => hmac::<Hmac<Sha224>>(typed, salt),
        "sha256" => hmac::<Hmac<Sha256>>(typed, salt),
        "sha384" => hmac::<Hmac<Sha384>>(typed, salt),
        "sha512" => hmac::<Hmac<Sha512>>(typed, salt),
        _ => None,
    }
}

fn hmac<M: Mac + KeyInit>(message: &str, key: &str) -> Option<Vec<u8>> {
    let mac = <M as KeyInit>::new_from_slice(key.as_bytes()).ok()?;
    Some(mac.chain_update(message).finalize().into_bytes().to_vec())
}

/// Compares without telling by its time where the difference is.
fn same(computed: &str, stored: &str) -> bool {
    computed.as_bytes().ct_eq(stored.as_bytes()).into()
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|d| char::from_digit(d.into(), 16)).collect()
}
