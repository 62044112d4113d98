//! Ports that stay ours while whoever listens there is dead.
//!
//! The system lends outgoing connections the ports from 32768 on, and thousands of clients take many of them: a killed
//! server could find its own taken. So these are below.

use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context as _, Result};

use crate::services::{internal, is_free};

/// Above what people know by heart, and room above each for the internal port.
const OURS: Range<u16> = 21_000..31_000;

/// The next to be looked at. Other runs of this command begin elsewhere.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody uses, not given out before.
pub(super) fn lasting() -> Result<u16> {
    let width = OURS.end - OURS.start;
    let elsewhere = u16::try_from(std::process::id() % u32::from(width))?;
    (0..width)
        .map(|_| OURS.start + (elsewhere + NEXT.fetch_add(1, Ordering::Relaxed) % width) % width)
        .find(|port| is_free(*port))
        .context("no port is free")
}

/// One for a service: the port of its probes is free, too.
pub(super) fn public() -> Result<u16> {
    loop {
        let port = lasting()?;
        if is_free(internal(port)) {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_given_twice_or_lent_to_outgoing_connections() {
        let (one, other) = (lasting().unwrap(), lasting().unwrap());
        assert_ne!(one, other);
        assert!(OURS.contains(&one) && OURS.contains(&other));
    }
}
