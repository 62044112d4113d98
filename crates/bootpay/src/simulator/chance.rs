//! The simulator's clock and its dice: the one place where it takes an instant or an id from the world.
//!
//! It is a program of its own beside the system, so it doesn't take `common`'s: no rule of the airline hangs on these.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The instant that goes onto receipts.
#[expect(clippy::disallowed_methods, reason = "the simulator keeps its own clock, as the provider does")]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// `2 * BYTES` hexadecimal digits.
pub(super) fn hex<const BYTES: usize>() -> String {
    #[expect(clippy::disallowed_methods, reason = "the simulator makes its own ids, as the provider does")]
    let bytes: [u8; BYTES] = rand::random();
    digits(&bytes)
}

/// Where the ids of receipts come from.
#[derive(Default)]
pub(super) struct Ids(Option<StdRng>);

impl Ids {
    /// The same ones for the same seed; without one, others each time.
    pub(super) fn of(seed: Option<u64>) -> Self {
        Self(seed.map(StdRng::seed_from_u64))
    }

    /// The next one.
    pub(super) fn draw(&mut self) -> String {
        match &mut self.0 {
            Some(generator) => digits(&generator.random::<[u8; 12]>()),
            None => hex::<12>(),
        }
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
