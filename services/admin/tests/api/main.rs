//! The admin service through its front door: HTTP in, rows and bodies out.

#![expect(clippy::unwrap_used, reason = "a test that can't go on stops where it stands")]

mod access;
mod bookings;
mod cancel;
mod discounts;
mod events;
mod flights;
mod garbage;
mod grounding;
mod health;
mod http;
mod news;
mod openapi;
mod outage;
mod outbox;
mod payments;
mod publish;
mod races;
mod refunds;
mod repeat;
mod replay;
mod reports;
mod schedules;
mod settings;
mod support;
