//! Chance as an argument: whoever needs something unguessable takes a [`Chance`], so a test can repeat a run.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A source of random choices; clones draw from the same stream.
#[derive(Clone, Debug)]
pub struct Chance(Arc<Mutex<StdRng>>);

impl Chance {
    /// Seeded by the operating system: a cryptographic generator, fit for booking numbers.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system for a seed")]
        let seed = rand::random();
        Self(Arc::new(Mutex::new(StdRng::from_seed(seed))))
    }

    /// Always the same stream for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// A text of `length` characters, each drawn evenly from `alphabet`.
    ///
    /// # Panics
    /// When `alphabet` is empty.
    pub fn text(&self, alphabet: &[u8], length: usize) -> String {
        let mut generator = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (0..length).map(|_| char::from(alphabet[generator.random_range(0..alphabet.len())])).collect()
    }

    /// A number between 0 and 1, for jitter.
    pub fn fraction(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_repeats_and_another_does_not() {
        let draw = |seed| Chance::seeded(seed).text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 16);
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
