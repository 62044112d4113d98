//! News from the outbox to a subscriber, on a real database and over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test that can't go on stops where it stands")]

mod delivery;
mod order;
mod outbox;
mod support;
mod trace;
