//! What is answered where there is nothing to tell but that it is done.

use serde::Serialize;
use utoipa::ToSchema;

/// It is done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangeDone)]
pub(crate) struct Done {
    #[schema(example = "할인이 삭제되었습니다.")]
    message: &'static str,
    /// Always true.
    #[schema(example = true)]
    success: bool,
}

impl Done {
    /// It is done, in words.
    pub(crate) fn new(message: &'static str) -> Self {
        Self { message, success: true }
    }
}
