//! What is answered where there is nothing to tell but that it is done.

use serde::Serialize;
use utoipa::ToSchema;

/// It is done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    message: &'static str,
    /// Always true.
    success: bool,
}

impl Done {
    /// It is done, in words.
    pub(crate) fn new(message: &'static str) -> Self {
        Self { message, success: true }
    }
}
