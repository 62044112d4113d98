//! The payment service through its front door: HTTP in, rows and bodies out, on a real database, a real cache and a
//! payment provider that speaks real HTTP.

#![expect(clippy::unwrap_used, reason = "a test that can't go on stops where it stands")]

mod access;
mod any_order;
mod attach;
mod authenticity;
mod bookings;
mod confirm;
mod crash;
mod forgetting;
mod garbage;
mod health;
mod history;
mod inbox;
mod init;
mod jobs;
mod messages;
mod news;
mod openapi;
mod outage;
mod races;
mod refunds;
mod refunds_in_parts;
mod repeat;
mod reservations;
mod settings;
mod shapes;
mod states;
mod support;
mod telling;
