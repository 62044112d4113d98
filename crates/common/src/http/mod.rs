//! The HTTP side that all services share: reading requests, the envelope around every answer, CORS.

pub mod cors;
mod envelope;
mod extract;
mod linger;
pub mod openapi;
pub mod wire;

pub use envelope::{Envelope, MAX_BODY, RequestId, wrap};
pub use extract::{Json, Path, Query, body_refused, wrong_media_type};
