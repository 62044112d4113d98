//! Describing an API from its types, alike in every service: the session's scheme, the failures that any operation
//! can end in, and the description served at `/openapi.json`.

use axum::Router;
use axum::routing::get;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoParams, IntoResponses, Modify};
use utoipa_axum::router::OpenApiRouter;

use super::Json;
use crate::error::Problem;

/// The security scheme `bearer`: a session token of [`crate::auth`].
#[derive(Clone, Copy, Debug)]
pub struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        openapi.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// What any operation can end in, through no fault of its caller.
#[derive(Debug, IntoResponses)]
pub enum Failures {
    /// A fault of ours.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// Something we depend on can't be reached, or all hands are busy. `Retry-After` says when to try again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
    /// It takes too long, or the database went away in the middle. It may have happened, or still happen.
    #[response(status = 504, content_type = "application/problem+json")]
    Timeout(Problem),
}

/// How any operation refuses a caller who isn't signed in.
#[derive(Debug, IntoResponses)]
pub enum NotSignedIn {
    /// No session, or one that isn't valid (any more).
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
}

/// How any operation for administrators refuses everybody else.
#[derive(Debug, IntoResponses)]
pub enum NotAdministrator {
    /// No session, or one that isn't valid (any more).
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// The caller is not an administrator.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
}

/// How any operation refuses a body that it can't read.
#[derive(Debug, IntoResponses)]
pub enum BodyRefused {
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body has another media type than the operation reads.
    #[response(status = 415, content_type = "application/problem+json")]
    WrongType(Problem),
}

/// How any operation that changes what money or seats depend on can be asked for again: see [`crate::idempotency`].
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct Repeatable {
    /// A name of the caller's own for this request, best a random UUID. Sent again with the same name within 24 hours,
    /// it changes nothing and gets the first answer, with `Idempotent-Replayed: true`; 409 and `Retry-After` while that
    /// is still worked on, 422 if it names another request. Refusals are not kept: the name is free again.
    #[param(rename = "Idempotency-Key", nullable = false, min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    #[expect(dead_code, reason = "only described; common::idempotency reads it")]
    idempotency_key: Option<String>,
}

/// How such an operation refuses a key.
#[derive(Debug, IntoResponses)]
pub enum KeyRefused {
    /// The `Idempotency-Key` can't be one.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Problem),
    /// The request with this `Idempotency-Key` is still being worked on. `Retry-After` says when to ask again.
    #[response(status = 409, content_type = "application/problem+json")]
    InFlight(Problem),
    /// The `Idempotency-Key` was used for another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Reused(Problem),
}

/// The routes of `api` with their description at `/openapi.json`.
pub fn serve<S: Clone + Send + Sync + 'static>(api: OpenApiRouter<S>, state: S) -> Router {
    let (router, description) = api.split_for_parts();
    router.route("/openapi.json", get(async move || Json(description))).with_state(state)
}
