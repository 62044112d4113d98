//! The gateway from outside: real ports, real connections, and upstreams that tell what reached them.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]

mod adopted;
mod cors;
mod docs;
mod failures;
mod headers;
mod journey;
mod process;
mod routes;
mod streaming;
mod support;
mod system;
mod telling;
