//! What a client hears when the gateway itself has to answer, and what the log hears about it.

use std::error::Error as StdError;
use std::time::Duration;

use axum::http::StatusCode;
use common::error::ApiError;

/// A failure on the way to an upstream, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{upstream}")]
struct Failure {
    upstream: &'static str,
    source: Box<dyn StdError + Send + Sync>,
}

fn failure(upstream: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Failure {
    Failure { upstream, source: source.into() }
}

/// 503: nobody listens there, so nothing has happened.
pub(crate) fn unreachable(upstream: &'static str, source: impl StdError + Send + Sync + 'static) -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "upstream-unavailable",
        "지금은 서비스를 이용할 수 없습니다. 잠시 후 다시 시도해 주세요.",
        "The service is temporarily unavailable. Please try again shortly.",
    )
    .retry_after(Duration::from_secs(2))
    .because(failure(upstream, source))
}

/// 502: it broke off, or said something that is no HTTP. What was asked for may have happened.
pub(crate) fn broken(upstream: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> ApiError {
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "upstream-broken",
        "서비스의 응답을 받지 못했습니다. 결과를 확인한 후 다시 시도해 주세요.",
        "The service did not answer properly. Please check the outcome before you try again.",
    )
    .because(failure(upstream, source))
}

/// 504: it takes too long. What was asked for may yet happen.
pub(crate) fn too_slow(upstream: &'static str) -> ApiError {
    ApiError::new(
        StatusCode::GATEWAY_TIMEOUT,
        "upstream-timeout",
        "서비스의 응답이 너무 오래 걸립니다. 잠시 후 결과를 확인해 주세요.",
        "The service takes too long to answer. Please check the outcome in a moment.",
    )
    .because(failure(upstream, "no answer in time"))
}

/// 400: a path that readers along the way could understand differently.
pub(crate) fn ambiguous_path() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "ambiguous-path",
        "주소에 '.' 또는 '..' 경로를 사용할 수 없습니다.",
        "The address must not contain the path segments '.' and '..'.",
    )
}
