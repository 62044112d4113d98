//! Reading a request: the framework's extractors with refusals in our one error shape, naming the field at fault.

use std::error::Error as StdError;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_http::timeout::TimeoutError;

use super::limits::{too_large, too_slow};
use crate::error::ApiError;

/// A JSON body, in or out.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(wrong_media_type("application/json"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(body_refused)?;
        from_slice(&bytes).map(Self)
    }
}

/// A body that may be left out. The browser client says that it is JSON even then.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(body_refused)?;
        if bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        if !is_json {
            return Err(wrong_media_type("application/json"));
        }
        from_slice(&bytes).map(|value| Some(Self(value)))
    }
}

/// Reads a JSON object, naming the field that doesn't fit. The parser's own words are not kept for the log: they
/// quote the value, and that may be a password.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let malformed = || {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "malformed-json",
            "요청 본문이 올바른 JSON 객체가 아닙니다.",
            "The body is not a JSON object.",
        )
    };
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(malformed());
    }
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| malformed())?;
    serde_path_to_error::deserialize(value).map_err(|error| wrong_form(error.path().to_string()))
}

fn wrong_form(field: String) -> ApiError {
    ApiError::invalid(field, "값의 형식이 올바르지 않습니다.", "The value has the wrong form.")
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// 415: only the media types of `accepted` are read here.
pub fn wrong_media_type(accepted: &'static str) -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        format!("Content-Type은 {accepted} 형식이어야 합니다."),
        format!("The Content-Type must be {accepted}."),
    )
}

/// A body that couldn't be read: too large, too slow, or the client went away.
pub fn body_refused(rejection: BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { too_large() } else { body_broken(rejection) }
}

/// A body that didn't come to its end: 408 when its time was up, 400 when the client broke off.
pub fn body_broken(error: impl StdError + Send + Sync + 'static) -> ApiError {
    let mut causes = std::iter::successors(Some(&error as &(dyn StdError + 'static)), |&e| e.source());
    if causes.any(<dyn StdError>::is::<TimeoutError>) {
        return too_slow();
    }
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "unreadable-body",
        "요청 본문을 읽을 수 없습니다.",
        "The body couldn't be read.",
    )
    .because(error)
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The parameters in the path. One that can't be read names nothing that exists: 404.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(v)| Self(v))
            .map_err(|_| no_such_path())
    }
}

/// 404: nothing is there.
pub(super) fn no_such_path() -> ApiError {
    ApiError::not_found("not-found", "요청한 주소를 찾을 수 없습니다.", "There is nothing at this address.")
}

/// The parameters behind the `?`.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(field_at_fault(&rejection).map_or_else(malformed_query, wrong_form)),
        }
    }
}

/// The parameter that couldn't be read; `None` if it isn't one alone.
fn field_at_fault(rejection: &QueryRejection) -> Option<String> {
    std::iter::successors(rejection.source(), |&error| error.source())
        .find_map(|error| error.downcast_ref::<serde_path_to_error::Error<serde::de::value::Error>>())
        .map(|error| error.path().to_string())
        .filter(|path| path != ".")
}

fn malformed_query() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "malformed-query",
        "조회 조건이 올바르지 않습니다.",
        "The query can't be read.",
    )
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    enum Side {
        Left,
    }

    #[derive(Debug, Deserialize)]
    struct Form {
        #[expect(dead_code, reason = "only read")]
        password: Option<String>,
        #[expect(dead_code, reason = "only read")]
        side: Option<Side>,
    }

    #[test]
    fn a_value_of_the_wrong_form_is_named_and_never_quoted() {
        for (body, field) in [
            (r#"{"password": 20011225}"#, "password"),
            (r#"{"side": "hush-hush"}"#, "side"),
            (r#"{"side": 20011225}"#, "side"),
        ] {
            let error = from_slice::<Form>(body.as_bytes()).unwrap_err();
            let told = serde_json::to_string(&error.problem(crate::language::Language::English, "id")).unwrap();
            assert!(told.contains(&format!("\"field\":\"{field}\"")), "{told}");
            assert!(error.source().is_none() && !told.contains("20011225") && !told.contains("hush-hush"), "{told}");
        }
        assert!(matches!(from_slice::<Form>(b"{}"), Ok(Form { .. })));
        let _ = Side::Left;
    }

    #[tokio::test]
    async fn a_parameter_of_the_wrong_form_is_named() {
        #[derive(Debug, Deserialize)]
        struct Page {
            #[expect(dead_code, reason = "only read")]
            limit: Option<u32>,
        }
        for (query, field) in [("limit=hush", Some("limit")), ("limit=-1", Some("limit")), ("limit=1&limit=2", None)] {
            let request = Request::builder().uri(format!("/?{query}")).body(axum::body::Body::empty()).unwrap();
            let error = Query::<Page>::from_request_parts(&mut request.into_parts().0, &()).await.unwrap_err();
            let told = serde_json::to_value(error.problem(crate::language::Language::English, "id")).unwrap();
            assert_eq!(told["errors"][0]["field"].as_str(), field, "{told}");
            assert_eq!(error.status(), StatusCode::BAD_REQUEST);
            assert!(!told.to_string().contains("hush"), "{told}");
        }
    }
}
