//! Giving money back by hand, and ending refunds that the provider won't pay.

pub(crate) mod part;
pub(crate) mod retry;
pub(crate) mod settle;

use common::error::ApiError;
use orders::refunds::{OperatorError, Refund};
use serde::Serialize;
use utoipa::ToSchema;

/// The longest reason or note that is kept.
const LONGEST_NOTE: usize = 200;

/// A refund, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefundDone {
    #[schema(example = "환불이 접수되었습니다.")]
    message: &'static str,
    /// Always true.
    #[schema(example = true)]
    success: bool,
    refund: Refund,
}

impl RefundDone {
    fn new(message: &'static str, refund: Refund) -> Self {
        Self { message, success: true, refund }
    }
}

/// How an operator's refusal is told.
fn refused(error: OperatorError) -> ApiError {
    match error {
        OperatorError::UnknownRefund => {
            ApiError::not_found("refund-not-found", "환불을 찾을 수 없습니다.", "There is no such refund.")
        }
        OperatorError::NotWaiting => ApiError::conflict(
            "refund-not-waiting",
            "운영자 확인이 필요한 환불이 아닙니다.",
            "The refund doesn't wait for an operator.",
        ),
        OperatorError::Database(error) => error.into(),
    }
}
