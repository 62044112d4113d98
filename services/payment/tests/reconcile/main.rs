//! Reconciliation: faults as people, crashes and lost messages make them, found, healed or named, and then never again.

#![expect(clippy::unwrap_used, reason = "a test that can't go on stops where it stands")]

mod bookings;
mod busy;
mod charges;
mod command;
mod money;
mod parts;
mod provider;
mod rounds;
mod seats;
mod support;
mod waiting;
