//! What every service shares, and nothing that only one of them needs: tokens and permissions, settings, the
//! connection pool, the cache, errors as clients see them, the HTTP server around a router, and telemetry.
//!
//! The one thing to know: [`service::Service`] is what a binary implements; everything else here is a part it
//! plugs together.

pub mod auth;
pub mod cache;
pub mod chance;
pub mod clock;
pub mod config;
pub mod db;
pub mod error;
pub mod events;
pub mod health;
pub mod http;
pub mod idempotency;
pub mod jobs;
pub mod language;
pub mod metrics;
pub mod money;
pub mod outbox;
pub mod page;
pub mod password;
pub mod pool;
pub mod probe;
pub mod reference;
pub mod service;
pub mod shutdown;
pub mod telemetry;
