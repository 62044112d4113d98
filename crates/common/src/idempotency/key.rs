//! The header `Idempotency-Key`, read together with the request it names.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, MatchedPath, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::http::body_refused;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key that is taken.
const LONGEST: usize = 255;

/// A key, and the request it names. As an extractor (`Option<Key>`) it is for operations that read no body;
/// [`Keyed`] is for those that do.
#[derive(Clone, Debug)]
pub struct Key {
    pub(super) text: String,
    /// Method and route: on another route, the same key is another one.
    pub(super) operation: String,
    /// SHA-256 of method, path and body.
    pub(super) fingerprint: [u8; 32],
}

/// What `E` reads, and the key of the request it is read from, if it has one.
#[derive(Clone, Debug)]
pub struct Keyed<E>(pub Option<Key>, pub E);

impl<S: Send + Sync, E: FromRequest<S, Rejection = ApiError>> FromRequest<S> for Keyed<E> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (key, request) = Key::of(request, state).await?;
        Ok(Self(key, E::from_request(request, state).await?))
    }
}

impl<S: Send + Sync> OptionalFromRequest<S> for Key {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        Ok(Self::of(request, state).await?.0)
    }
}

impl Key {
    /// The key, where there must be one: what has no other name would be done again by every repetition.
    pub fn required(key: Option<Self>) -> Result<Self, ApiError> {
        key.ok_or_else(|| {
            ApiError::new(
                StatusCode::BAD_REQUEST,
                "idempotency-key-required",
                "Idempotency-Key 헤더가 필요합니다.",
                "The header Idempotency-Key is required.",
            )
        })
    }

    /// The key of `request`, and the request to read on. Only one that has a key is read here.
    async fn of<S: Send + Sync>(request: Request, state: &S) -> Result<(Option<Self>, Request), ApiError> {
        let Some(text) = text_in(request.headers())? else { return Ok((None, request)) };
        let (parts, body) = request.into_parts();
        let unread = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(unread, state).await.map_err(body_refused)?;
        let key = Self { text, operation: operation(&parts), fingerprint: fingerprint(&parts, &body) };
        Ok((Some(key), Request::from_parts(parts, Body::from(body))))
    }
}

/// The key that `headers` name: visible ASCII, and one of it.
fn text_in(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut keys = headers.get_all(HEADER).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let visible = (1..=LONGEST).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic);
    let text = key.to_str().ok().filter(|_| visible && keys.next().is_none());
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        ApiError::invalid(
            "Idempotency-Key",
            "공백 없는 ASCII 문자 1~255자여야 하며, 한 번만 보낼 수 있습니다.",
            "Must be 1 to 255 visible ASCII characters, sent once.",
        )
    })
}

fn operation(parts: &Parts) -> String {
    let route = parts.extensions.get::<MatchedPath>().map_or_else(|| parts.uri.path(), MatchedPath::as_str);
    format!("{} {route}", parts.method)
}

/// The same for requests that ask for the same, however they are spelled: of a JSON body, its canonical form counts
/// (RFC 8785), in which fields are sorted and numbers have one spelling.
fn fingerprint(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let json = serde_json::from_slice::<Value>(body).ok();
    let canonical = json.and_then(|json| serde_json_canonicalizer::to_vec(&json).ok());
    Sha256::new()
        .chain_update(format!("{} {}\n", parts.method, parts.uri.path()))
        .chain_update(canonical.as_deref().unwrap_or(body))
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn print(method: &str, path: &str, body: &str) -> [u8; 32] {
        let (parts, ()) = Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
        fingerprint(&parts, body.as_bytes())
    }

    #[test]
    fn what_means_the_same_has_one_fingerprint() {
        let one = print("POST", "/a", r#"{"amount": 320000, "seats": ["1A", {"b": 1, "a": null}]}"#);
        for same in [
            r#"{"seats":["1A",{"a":null,"b":1}],"amount":320000}"#,
            r#"{ "seats": ["1A", {"b": 1.0, "a": null}], "amount": 3.2e5 }"#,
            r#"{"seats":["\u0031A",{"a":null,"b":1}],"amount":320000.0}"#,
        ] {
            assert_eq!(print("POST", "/a", same), one, "{same}");
        }
        for other in [
            r#"{"seats":["1A",{"a":null,"b":1}],"amount":320001}"#,
            r#"{"seats":["1A",{"a":null,"b":1}],"amount":"320000"}"#,
            r#"{"seats":[{"a":null,"b":1},"1A"],"amount":320000}"#,
            r#"{"seats":["1A",{"b":1}],"amount":320000}"#,
            "",
        ] {
            assert_ne!(print("POST", "/a", other), one, "{other}");
        }
    }

    #[test]
    fn method_and_path_are_part_of_what_is_asked() {
        let prints = [("POST", "/a"), ("PUT", "/a"), ("POST", "/b")].map(|(method, path)| print(method, path, ""));
        assert!(prints[0] != prints[1] && prints[0] != prints[2]);
        assert_ne!(print("POST", "/a", "not JSON"), print("POST", "/a", "not JSON either"));
    }

    proptest! {
        #[test]
        fn any_header_is_a_key_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
            let sound = (1..=255).contains(&bytes.len()) && bytes.iter().all(|b| (0x21..=0x7e).contains(b));
            let mut headers = HeaderMap::from_iter([(HEADER, value.clone())]);
            prop_assert_eq!(text_in(&headers).is_ok(), sound);
            headers.append(HEADER, value);
            prop_assert!(text_in(&headers).is_err());
        }
    }
}
