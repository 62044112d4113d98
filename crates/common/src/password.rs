//! Password hashes of our own: Argon2id, as OWASP's minimum has it (19 MiB, two passes, one lane).
//!
//! A hash costs memory and tens of milliseconds of a core on purpose: run it off the async threads, and bound how
//! many run at once. The formats of the original are auth-service's alone.
//!
//! The one trap is where that memory comes from. glibc serves an aligned block of 19 MiB from its heap and never
//! reuses it for the next one, so a process grew by 19 MiB with every log-in. [`digest`] asks for a little more than
//! glibc ever takes from its heap: each hash then gets fresh pages, and the system has them back at once.

use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::password_hash::{self, try_generate_salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};

/// How many blocks are reserved at least, in address space only: just above 32 MiB, glibc's largest threshold.
const RESERVED: usize = (32 << 10) + 64;

/// The hash to store for a new password.
///
/// # Errors
/// When the system has no randomness for a salt, or no memory.
pub fn hash(password: &str) -> Result<String, password_hash::Error> {
    let salt = Salt::new(&try_generate_salt().map_err(|_| password_hash::Error::Crypto)?)?;
    let (version, params) = (Version::default(), Params::DEFAULT);
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(salt),
        hash: Some(digest(password, &salt, version, params)?),
    };
    Ok(hash.to_string())
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

/// Whether `stored` is a hash of ours of `password`. One that asks for more than a process can spare, whoever wrote
/// it, is none.
pub fn verify(password: &str, stored: &str) -> bool {
    is_own(stored) && PasswordHash::new(stored).is_ok_and(|hash| matches(password, &hash).unwrap_or(false))
}

fn matches(password: &str, hash: &PasswordHash) -> Result<bool, password_hash::Error> {
    let (Some(salt), Some(expected), Some(version)) = (&hash.salt, &hash.hash, hash.version) else { return Ok(false) };
    let params = Params::try_from(hash)?;
    let affordable = params.m_cost() <= 128 << 10 && params.t_cost() <= 10 && params.p_cost() <= 16;
    // Outputs compare in constant time.
    Ok(affordable && digest(password, salt, version.try_into()?, params)? == *expected)
}

fn digest(password: &str, salt: &Salt, version: Version, params: Params) -> Result<Output, password_hash::Error> {
    let blocks = params.block_count();
    let mut memory: Vec<Block> = Vec::new();
    memory.try_reserve_exact(blocks.max(RESERVED)).map_err(|_| password_hash::Error::OutOfMemory)?;
    memory.resize(blocks, Block::default());
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, version, params);
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut memory)?;
    Ok(Output::new(out)?)
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
        assert!(is_current(&stored));
    }

    /// Made by the reference implementation, through Python's argon2-cffi.
    #[test]
    fn checks_what_others_made_at_any_cost_it_can_spare() {
        let cheaper =
            "$argon2id$v=19$m=7168,t=5,p=1$+VawJD7Ew4yc7+RaCCW5dg$PcHxqALwfaUzOgI3a+Eb5wTKVZ9Yo5X5kdNCy9dFVzI";
        assert!(verify("Passw0rd!", cheaper) && !verify("Passw0rd!x", cheaper) && !is_current(cheaper));
        for cost in ["m=4294967295,t=2,p=1", "m=19456,t=4294967295,p=1", "m=7168,t=5,p=17", "m=0,t=0,p=0"] {
            assert!(!verify("Passw0rd!", &cheaper.replace("m=7168,t=5,p=1", cost)), "{cost}");
        }
        assert!(!verify("Passw0rd!", "$argon2id$") && !verify("", "$argon2id$v=19$m=7168,t=5,p=1$$"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_no_larger_after_many_hashes() {
        let resident = || -> usize {
            let status = std::fs::read_to_string("/proc/self/statm").unwrap();
            status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
        };
        let stored = hash("Passw0rd!").unwrap();
        let before = resident();
        for _ in 0..40 {
            assert!(verify("Passw0rd!", &stored));
        }
        // Forty hashes take 760 MiB, and other tests may be at it beside this one.
        assert!(resident() < before + (120 << 20), "{before} became {}", resident());
    }
}
