//! The booking service through its front door: HTTP in, rows and bodies out.

#![expect(clippy::unwrap_used, reason = "a test that can't go on stops where it stands")]

mod access;
mod book;
mod cancel;
mod cancellation;
mod choose;
mod crash;
mod detail;
mod garbage;
mod health;
mod http;
mod list;
mod model;
mod openapi;
mod outage;
mod races;
mod repeat;
mod seat_map;
mod seats;
mod settings;
mod support;
mod telling;
