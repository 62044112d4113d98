//! Sessions, signed as auth-service signs them: two thousand log-ins would measure password hashes and nothing else.
//!
//! It is done by hand, in a few lines, because these commands are what everybody builds first: neither `common`, which has
//! `Tokens`, nor the library that it signs with, which brings a whole one in C, is worth that wait. That the services
//! accept them is seen at a proof's first request.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

/// Seconds a session lasts.
const LIFETIME: u64 = 24 * 3600;

/// A session of the account `user_id` under the services' `key` (HS256).
pub(super) fn session(key: &str, user_id: u64) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({ "user_id": user_id, "role": "USER", "iat": now, "exp": now + LIFETIME });
    let head = URL_SAFE_NO_PAD.encode(json!({ "alg": "HS256", "typ": "JWT" }).to_string());
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())?.chain_update(&signed).finalize().into_bytes();
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac)))
}
