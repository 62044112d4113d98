//! What a client is told of something that is done once.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::ApiError;
use crate::http::JSON;

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// When whoever asks for what is being done already should ask again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// An answer as it is sent, and kept: the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(status: StatusCode, shape: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Self { status, body: serde_json::to_vec(shape)?.into() })
    }

    /// What is said where nobody listens.
    pub(super) fn silence() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Bytes::new() }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, [JSON], self.body).into_response()
    }
}

/// What came of a call.
#[derive(Debug)]
pub enum Told<T> {
    /// This, just now.
    Done(T, Answer),
    /// The same call was made before, and was answered like that.
    Again(Answer),
    /// Nothing, because of its key.
    Refused(KeyRefusal),
}

/// Why a key can't be used. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// It names another request.
    Reused,
    /// The request it names is still being worked on.
    InFlight,
}

impl<T> Told<T> {
    /// What was done just now.
    pub fn done(&self) -> Option<&T> {
        match self {
            Self::Done(value, _) => Some(value),
            Self::Again(_) | Self::Refused(_) => None,
        }
    }

    /// What was done just now: always something where there was no key.
    pub fn into_done(self) -> Option<T> {
        match self {
            Self::Done(value, _) => Some(value),
            Self::Again(_) | Self::Refused(_) => None,
        }
    }
}

impl<T> IntoResponse for Told<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Done(_, answer) => answer.into_response(),
            Self::Again(answer) => ([(REPLAYED, HeaderValue::from_static("true"))], answer).into_response(),
            Self::Refused(refusal) => ApiError::from(refusal).into_response(),
        }
    }
}

impl From<KeyRefusal> for ApiError {
    fn from(refusal: KeyRefusal) -> Self {
        match refusal {
            KeyRefusal::Reused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "이 Idempotency-Key는 이미 다른 요청에 사용되었습니다. 새 키로 요청해 주세요.",
                "This Idempotency-Key was used for another request. Please make a new one.",
            ),
            KeyRefusal::InFlight => Self::conflict(
                "idempotency-key-in-flight",
                "같은 요청을 아직 처리하고 있습니다. 잠시 후 다시 시도해 주세요.",
                "The same request is still being worked on. Please try again shortly.",
            )
            .retry_after(ASK_AGAIN),
        }
    }
}
