//! What tests of services share: a [`World`] with a database and a cache of its own and time that can be moved, a
//! [`Client`] that speaks HTTP to a router, and [`seed`]s. With the feature `desk`, an order desk with a payment provider.
//!
//! Tests get their database from `#[sqlx::test(migrator = "common::db::MIGRATOR")]` and their Redis from
//! `REDIS_HOST`/`REDIS_PORT`; `cargo xtask test` provides both.

mod client;
pub mod description;
#[cfg(feature = "desk")]
pub mod desk;
pub mod original;
pub mod seed;
mod world;

pub use client::{Answer, Client};
pub use world::World;
