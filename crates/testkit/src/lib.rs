//! What tests of services share: a [`World`] with a database and a cache of its own and time that can be moved, a
//! [`Client`] that speaks HTTP to a router, and [`seed`]s; with the feature `desk`, an order desk with a payment
//! provider; a [`Log`] to read afterwards; a [`Port`] that stays free for who listens there; and to spoil it all, a
//! [`Cable`] that can be cut, a [`Tap`] that stops what it carries, a [`Redis`] that can be turned against us, and with
//! the feature `desk` a service that can be killed.
//!
//! Tests get their database from `#[sqlx::test(migrator = "common::db::MIGRATOR")]` and their Redis from
//! `REDIS_HOST`/`REDIS_PORT`; `cargo xtask test` provides both.

mod cable;
mod client;
#[cfg(feature = "desk")]
pub mod crash;
pub mod description;
#[cfg(feature = "desk")]
pub mod desk;
pub mod garbage;
mod log;
mod near_end;
pub mod original;
pub mod outage;
mod port;
pub mod protocol;
mod redis;
pub mod seed;
pub mod subscriber;
mod tap;
mod world;

pub use cable::{Cable, Condition};
pub use client::{Answer, Client};
pub use log::Log;
pub use near_end::NearEnd;
pub use port::Port;
pub use redis::Redis;
pub use subscriber::Subscriber;
pub use tap::{At, Moment, Tap};
pub use world::World;
