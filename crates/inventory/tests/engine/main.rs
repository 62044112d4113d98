//! The engine at work for somebody other than an airline: a theatre, which sells seats by name and standing room without.
//! Whatever holds whoever comes is tried with both kinds of pool.

#![expect(clippy::unwrap_used, reason = "a test that can't go on stops where it stands")]

mod crowd;
mod theatre;
mod units;
mod venue;
