//! The HTTP side that all services share: the server, reading requests, the envelope around every answer, CORS.

mod connection;
pub mod cors;
mod envelope;
mod extract;
mod limits;
mod linger;
mod long_list;
mod measure;
pub mod openapi;
pub mod revalidate;
mod server;
pub mod wire;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};

pub use envelope::{Envelope, RequestId, wrap};
pub use extract::{Json, Path, Query, body_broken, body_refused, wrong_media_type};
pub use limits::{Limits, MAX_BODY, Work, too_large};
pub use long_list::long_list;
pub use measure::measure;
pub use revalidate::Known;
pub use server::Server;

/// What says of bytes that they are JSON.
pub(crate) const JSON: (HeaderName, HeaderValue) = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
