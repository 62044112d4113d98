//! Answers that change now and then and are asked for often: each has a strong `ETag`, and whoever names that in
//! `If-None-Match` is told that nothing has changed, without the body (RFC 9110, 13.1.2).
//!
//! The one trap: a tag names bytes. So it is made of those that are sent, after everything else is said.

use std::convert::Infallible;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::http::JSON;

/// To be kept by who asked, and by nobody between us; and to be asked for again each time.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The tag of a body: a strong one, for it changes with every byte.
pub fn tag_of(body: &[u8]) -> HeaderValue {
    let hash = Sha256::digest(body).iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte));
    HeaderValue::try_from(format!("\"{hash:032x}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What the client has already: the tags of its `If-None-Match`.
#[derive(Clone, Debug)]
pub struct Known(Vec<HeaderValue>);

impl Known {
    /// What a request with these headers knows.
    pub fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(IF_NONE_MATCH).iter().cloned().collect())
    }

    /// Whether `tag` is among it, or anything at all would do. A weak tag is as good as a strong one here.
    pub fn has(&self, tag: &HeaderValue) -> bool {
        let named = self.0.iter().flat_map(|tags| tags.as_bytes().split(|byte| *byte == b','));
        let mut named = named.map(<[u8]>::trim_ascii);
        named.any(|named| named == b"*" || named.strip_prefix(b"W/").unwrap_or(named) == tag.as_bytes())
    }

    /// Answers with `value`, or with 304 where the client has it.
    pub fn or_else<T: Serialize>(&self, value: &T) -> Result<Response, ApiError> {
        let body = serde_json::to_vec(value).map_err(ApiError::internal)?;
        let tag = tag_of(&body);
        let headers = [(ETAG, tag.clone()), (CACHE_CONTROL, ASK_AGAIN)];
        if self.has(&tag) {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        Ok((headers, [JSON], Bytes::from(body)).into_response())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Known {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;

    use super::*;

    fn known(tags: &[&str]) -> Known {
        let header = |tags: &&str| (IF_NONE_MATCH, HeaderValue::from_str(tags).unwrap());
        Known::of(&tags.iter().map(header).collect())
    }

    #[test]
    fn a_tag_is_known_by_whatever_names_it() {
        let tag = tag_of(b"a seat map");
        let text = tag.to_str().unwrap();
        assert_eq!((text.len(), &text[..1]), (34, "\""));
        assert_ne!(tag, tag_of(b"another"));
        for naming in [text, &format!("W/{text}"), &format!("\"a\", W/\"b\" ,{text}"), "*", " * "] {
            assert!(known(&[naming]).has(&tag), "{naming}");
        }
        assert!(known(&["\"a\"", text]).has(&tag));
        for other in ["", "\"\"", "\"a\"", text.trim_matches('"'), &text.to_uppercase(), "w/*", "W/"] {
            assert!(!known(&[other]).has(&tag), "{other}");
        }
        assert!(!known(&[]).has(&tag));
    }

    #[test]
    fn who_has_it_is_sent_nothing_but_its_tag() {
        let sent = known(&[]).or_else(&["1A"]).unwrap();
        let tag = sent.headers()[ETAG].clone();
        assert_eq!((sent.status(), &tag), (StatusCode::OK, &tag_of(b"[\"1A\"]")));
        let again = known(&[tag.to_str().unwrap()]).or_else(&["1A"]).unwrap();
        assert_eq!((again.status(), &again.headers()[ETAG]), (StatusCode::NOT_MODIFIED, &tag));
        assert_eq!(again.headers()[CACHE_CONTROL], sent.headers()[CACHE_CONTROL]);
        assert!(!again.headers().contains_key(CONTENT_TYPE));
    }
}
