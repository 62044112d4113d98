//! The simulator's clock and its dice: the one place where it takes an instant or an id from the world.
//!
//! It is a program of its own beside the system, so it doesn't take `common`'s: no rule of the airline hangs on these.

use std::fmt::Write;

use chrono::{DateTime, Utc};

/// The instant that goes onto receipts.
#[expect(clippy::disallowed_methods, reason = "the simulator keeps its own clock, as the provider does")]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// `2 * BYTES` hexadecimal digits.
#[expect(clippy::disallowed_methods, reason = "the simulator makes its own ids, as the provider does")]
pub(super) fn hex<const BYTES: usize>() -> String {
    let bytes: [u8; BYTES] = rand::random();
    bytes.iter().fold(String::with_capacity(2 * BYTES), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
