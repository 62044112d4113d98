//! Password hashes of our own: Argon2id, as OWASP's minimum has it (19 MiB, two passes, one lane).
//!
//! A hash costs memory and tens of milliseconds of a core on purpose: run it off the async threads, and bound how
//! many run at once. The formats of the original are auth-service's alone.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params, PasswordHash};

/// The hash to store for a new password.
///
/// # Errors
/// When the system has no randomness for a salt, or no memory.
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// Whether `stored` is a hash of ours, of whatever password.
pub fn is_own(stored: &str) -> bool {
    stored.starts_with("$argon2id$")
}

/// Whether `stored` is a hash of ours that costs what a new one costs; another is better made anew when its
/// password is next known.
pub fn is_current(stored: &str) -> bool {
    let same = |p: Params| {
        (p.m_cost(), p.t_cost(), p.p_cost()) == (Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, Params::DEFAULT_P_COST)
    };
    is_own(stored) && PasswordHash::new(stored).is_ok_and(|hash| Params::try_from(&hash).is_ok_and(same))
}

/// Whether checking a hash stays within what a process can spare, whoever wrote it.
fn is_affordable(hash: &PasswordHash) -> bool {
    Params::try_from(hash).is_ok_and(|p| p.m_cost() <= 128 * 1024 && p.t_cost() <= 10 && p.p_cost() <= 16)
}

/// Whether `stored` is a hash of ours of `password`.
pub fn verify(password: &str, stored: &str) -> bool {
    is_own(stored)
        && PasswordHash::new(stored).is_ok_and(|hash| {
            is_affordable(&hash) && Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_opens_its_hash() {
        let stored = hash("Passw0rd!").unwrap();
        assert!(verify("Passw0rd!", &stored));
        assert!(!verify("Passw0rd!x", &stored) && !verify(&stored, &stored) && !verify("", &stored));
        assert_ne!(stored, hash("Passw0rd!").unwrap(), "each hash has its own salt");
    }
}
